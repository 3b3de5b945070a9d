package proof

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A program that is compiled with the changed package sees the clock being set, and nothing of it in the
// time that has passed.
func TestClock(t *testing.T) {
	dir := t.TempDir()
	sources, err := clockSources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := writeOverlay(dir, sources)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "clock-program")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, overlay, "./testdata/clock")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	clock, err := NewClock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := clock.Close(); err != nil {
			t.Error(err)
		}
	}()
	ask := startClockProgram(t, program, clock)
	began := time.Now()
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour, 0, 5 * time.Minute} {
		if err := clock.Set(ahead); err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		wall, since := ask()
		if told := wall.Add(-ahead); told.Before(before.Truncate(time.Second)) || told.After(time.Now()) {
			t.Errorf("set %v ahead, it tells %v at %v", ahead, wall, before)
		}
		if since < 0 || since > time.Since(began)+clockSlack {
			t.Errorf("set %v ahead, %v have passed since its start", ahead, since)
		}
	}
}

// startClockProgram returns a function that asks the program for its wall clock, and how long it has
// run.
func startClockProgram(t *testing.T, program string, clock *Clock) (ask func() (wall time.Time, since time.Duration)) {
	t.Helper()
	cmd := exec.Command(program) // it ends with its input
	cmd.Env = clock.Settings().environment()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	return func() (time.Time, time.Duration) {
		var seconds, milliseconds int64
		if _, err := fmt.Fprintln(in); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscanln(out, &seconds, &milliseconds); err != nil {
			t.Fatal(err)
		}
		return time.Unix(seconds, 0), time.Duration(milliseconds) * time.Millisecond
	}
}

// The package of another Go is not compiled with a change that is not there.
func TestClockOfAnotherGo(t *testing.T) {
	for _, source := range []string{"", "package time", strings.Repeat(clockRead, 2)} {
		if _, err := steppedTime([]byte(source)); !errors.Is(err, errOtherGo) {
			t.Errorf("%q: %v", source, err)
		}
	}
}
