package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// profile is where a server has spent its CPU time.
type profile struct {
	File   string        `json:"file"` // for go tool pprof, in the folder of the results
	Top    string        `json:"top"`  // its lists, as text
	Total  time.Duration `json:"total_ns"`
	Pieces []piece       `json:"pieces"`
}

// piece is a part of the program's work. Every sample of the profile counts to one piece.
type piece struct {
	Name       string        `json:"name"`
	Time       time.Duration `json:"time_ns"`
	Allocating time.Duration `json:"allocating_ns"` // of it, in the allocator
	Syscalls   time.Duration `json:"syscalls_ns"`   // of it, in system calls
}

// pieceRules assign a sample to a piece by the functions on its stack: the first rule that matches any of
// them counts.
var pieceRules = []struct {
	name  string
	match *regexp.Regexp
}{
	{"garbage collection", regexp.MustCompile(`^runtime\.(gcBgMarkWorker|gcAssistAlloc|bgsweep|bgscavenge|gcStart|gcMarkTermination)`)},
	{"log line", regexp.MustCompile(`^log/slog\.|/internal/webhook\.\(\*route\)\.log$`)},
	{"metrics and traces", regexp.MustCompile(`^(github\.com/prometheus/|go\.opentelemetry\.io/)`)},
	{"authentication", regexp.MustCompile(`^crypto/|/internal/webhook\.\(?\*?Secrets`)},
	{"judging the receipt", regexp.MustCompile(`/internal/sms\.\(\*(Judge|SenderRules)\)|^github\.com/nyaruka/`)},
	{"reading the receipt: JSON and its fields", regexp.MustCompile(`^(github\.com/go-json-experiment/|encoding/json)|/internal/sms\.`)},
	{"counting for analytics", regexp.MustCompile(`/internal/analytics\.`)},
	{"commit: the database's driver", regexp.MustCompile(`^(github\.com/jackc/|modernc\.org/|database/sql\.)`)},
	{"commit: what is around the driver", regexp.MustCompile(`/internal/(store|store/postgres|store/sqlite|sqlitedb)\.`)},
	{"net/http: request line and headers", regexp.MustCompile(`^(net/http\.readRequest|net/http\.\(\*conn\)\.readRequest|net/textproto\.)`)},
	{"net/http: writing the answer", regexp.MustCompile(`^net/http\.\(\*(response|chunkWriter|checkConnErrorWriter)\)\.|^net/http\.\(\*conn\)\.finishRequest`)},
	{"reading the body", regexp.MustCompile(`^net/http\.\(\*body\)\.|/internal/webhook\.readAll$`)},
	{"queue for a commit", regexp.MustCompile(`/internal/ingest\.`)},
	{"gate and answer of the webhook", regexp.MustCompile(`/internal/webhook\.`)},
	{"cxbridge besides", regexp.MustCompile(`^(github\.com/cxbridge/cxbridge/|main\.)`)},
	{"net/http besides", regexp.MustCompile(`^(net/http|net|bufio)\.`)},
	{"Go's scheduler, timers and poller", regexp.MustCompile(`^runtime\.(mcall|mstart|park_m|goexit0|schedule|morestack|gosched|sysmon|findRunnable|systemstack)`)},
}

const otherPiece = "all else"

var (
	allocating  = regexp.MustCompile(`^runtime\.(mallocgc|newobject|makeslice|growslice)`)
	systemCalls = regexp.MustCompile(`^(internal/runtime/syscall(/linux)?|syscall)\.|^runtime\.(futex|epollwait|usleep|write1)`)
)

// piecesOf sums up the output of `go tool pprof -traces -unit=us`: stacks, the innermost function first, each
// beginning with its time.
func piecesOf(traces string) (total time.Duration, pieces []piece, err error) {
	found := make(map[string]*piece)
	blocks := strings.Split(traces, "-----------+-----")
	for _, block := range blocks[1:] {
		spent, stack, err := parseTrace(block)
		if err != nil {
			return 0, nil, err
		}
		name := pieceOf(stack)
		p := found[name]
		if p == nil {
			p = &piece{Name: name}
			found[name] = p
		}
		total += spent
		p.Time += spent
		switch {
		case slices.ContainsFunc(stack, systemCalls.MatchString):
			p.Syscalls += spent
		case slices.ContainsFunc(stack, allocating.MatchString):
			p.Allocating += spent
		}
	}
	if total == 0 {
		return 0, nil, errors.New("the profile is empty")
	}
	for _, p := range found {
		pieces = append(pieces, *p)
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Name, b.Name)) })
	return total, pieces, nil
}

// parseTrace reads a stack.
func parseTrace(block string) (spent time.Duration, stack []string, err error) {
	lines := strings.Split(block, "\n")
	for _, line := range lines[1:] { // what is left of the ruler
		fields := strings.Fields(strings.TrimSuffix(line, " (inline)"))
		if len(fields) == 2 && stack == nil {
			micros, err := strconv.ParseFloat(strings.TrimSuffix(fields[0], "us"), 64)
			if err != nil {
				return 0, nil, fmt.Errorf("profile: %q: %w", line, err)
			}
			spent, fields = time.Duration(micros*float64(time.Microsecond)), fields[1:]
		}
		if len(fields) == 1 {
			stack = append(stack, fields[0])
		}
	}
	return spent, stack, nil
}

func pieceOf(stack []string) string {
	for _, rule := range pieceRules {
		if slices.ContainsFunc(stack, rule.match.MatchString) {
			return rule.name
		}
	}
	return otherPiece
}
