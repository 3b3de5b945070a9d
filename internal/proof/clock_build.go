package proof

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"os"
	"path/filepath"
)

// A Go program reads the clock by itself, not through a library that could be replaced, and other programs
// use the clock of the machine too. So cxbridge is compiled once more, from the same source, with a package
// time whose Now adds what a file says. The source of that package is taken from the Go that compiles, and
// changed in one place.

// clockSource is a file that is added to package time.
//
//go:embed clock_time.txt
var clockSource []byte

// clockRead is where time.Now reads the clock, and clockStep is what is inserted after it. The monotonic
// reading is left alone.
const (
	clockRead = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	clockStep = "\tsec += stepped()\n"
)

// errOtherGo says that package time of this Go is not the one that this file can change.
var errOtherGo = errors.New("time.Now does not read the clock as it did in Go 1.26: see internal/proof/clock_build.go")

// steppedTime changes the source of package time.
func steppedTime(source []byte) ([]byte, error) {
	if bytes.Count(source, []byte(clockRead)) != 1 {
		return nil, errOtherGo
	}
	return bytes.Replace(source, []byte(clockRead), []byte(clockRead+clockStep), 1), nil
}

// BuildWithClock builds cxbridge as Build does, but so that it goes by a Clock. Everything is compiled
// anew, the standard library included: that takes a minute or two the first time.
func BuildWithClock(ctx context.Context, dir string) (string, error) {
	sources, err := clockSources(ctx)
	if err != nil {
		return "", err
	}
	return BuildWith(ctx, dir, sources)
}

// clockSources returns the files of the changed package time, by their paths.
func clockSources(ctx context.Context) (map[string][]byte, error) {
	library, err := SourceFolder(ctx, "time")
	if err != nil {
		return nil, err
	}
	name := filepath.Join(library, "time.go")
	source, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if source, err = steppedTime(source); err != nil {
		return nil, err
	}
	return map[string][]byte{name: source, filepath.Join(library, "stepped.go"): clockSource}, nil
}
