package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// fullDisk is a file that takes nothing while it is full.
type fullDisk struct {
	bytes.Buffer
	full bool
}

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.full {
		return 0, errors.New("no space left on device")
	}
	return d.Buffer.Write(p)
}

// What is written while the disk is full is lost; what comes later is not.
func TestLogOutlivesAFullDisk(t *testing.T) {
	var disk fullDisk
	lines := newLineBuffer(&disk)
	write := func(line string) {
		t.Helper()
		if _, err := lines.Write([]byte(line)); err != nil && !disk.full {
			t.Errorf("%q: %v", line, err)
		}
	}
	write("before\n")
	lines.flush()
	disk.full = true
	write("lost\n")
	lines.flush()
	for range 100 { // more than the buffer holds
		write(strings.Repeat("x", 1<<10))
	}
	disk.full = false
	lines.flush()
	disk.Reset()
	write("after\n")
	lines.flush()
	if got := disk.String(); got != "after\n" {
		t.Errorf("the log goes on with %q", got)
	}
}
