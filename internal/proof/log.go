package proof

import (
	"bufio"
	"io"
	"regexp"
	"strings"
	"sync"
)

// Log keeps the last lines that a process writes to its standard error.
type Log struct {
	ready chan string // gets the address when the process says that it is ready

	mu    sync.Mutex
	told  bool // the process has said where it listens
	lines []string
}

// logLines is how many lines of a log are kept at least.
const logLines = 2000

func newLog() *Log { return &Log{ready: make(chan string, 1)} }

// record reads until the process closes its end.
func (l *Log) record(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			l.add(line)
		}
		if err != nil {
			return
		}
	}
}

// readyLine finds the address in the line that says that the service is ready, in either format.
var readyLine = regexp.MustCompile(`msg"?[:=]"?ready"?.*address"?[:=]"?(http://[0-9.:]+)`)

func (l *Log) add(line string) {
	l.mu.Lock()
	if l.lines = append(l.lines, line); len(l.lines) > 2*logLines {
		l.lines = append([]string(nil), l.lines[logLines:]...)
	}
	told := l.told
	l.mu.Unlock()
	if told {
		return // a busy process writes thousands of lines in a second
	}
	if found := readyLine.FindStringSubmatch(line); found != nil {
		l.mu.Lock()
		l.told = true
		l.mu.Unlock()
		l.ready <- found[1]
	}
}

// Tail returns the last n lines.
func (l *Log) Tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-n):], "")
}
