package main

import (
	"bufio"
	"io"
	"log/slog"
	"sync"
	"time"
)

// logFlush is how long a line of the log may wait for others before it is written.
const logFlush = 200 * time.Millisecond

// newLogger logs to w. Lines are written together, as one system call for each would cost more than
// the event that the line is about; close writes what is left.
func newLogger(cfg Config, w io.Writer) (log *slog.Logger, close func()) {
	lines := newLineBuffer(w)
	var flushing sync.WaitGroup
	flushing.Go(lines.flushOften)
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var handler slog.Handler = slog.NewJSONHandler(lines, options)
	if cfg.LogFormat == "text" {
		handler = slog.NewTextHandler(lines, options)
	}
	return slog.New(handler), func() {
		lines.stop()
		flushing.Wait()
	}
}

// lineBuffer gathers lines until the next flush.
type lineBuffer struct {
	mu   sync.Mutex
	to   io.Writer
	out  *bufio.Writer // writes to it
	done chan struct{}
	once sync.Once
}

func newLineBuffer(to io.Writer) *lineBuffer {
	return &lineBuffer{to: to, out: bufio.NewWriterSize(to, 64<<10), done: make(chan struct{})}
}

// Write implements io.Writer.
func (b *lineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.out.Write(line)
	b.recover(err)
	return n, err
}

func (b *lineBuffer) flushOften() {
	tick := time.NewTicker(logFlush)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.flush()
		case <-b.done:
			b.flush()
			return
		}
	}
}

func (b *lineBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recover(b.out.Flush())
}

// recover drops what could not be written, as on a full disk, so that later lines can be: a bufio.Writer
// writes nothing more after an error. There is no place to report it. It begins a new line, because the
// last line that was written may have lost its end.
func (b *lineBuffer) recover(err error) {
	if err != nil {
		b.out.Reset(b.to)
		_ = b.out.WriteByte('\n')
	}
}

func (b *lineBuffer) stop() { b.once.Do(func() { close(b.done) }) }
