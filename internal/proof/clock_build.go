package proof

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A Go program reads the clock by itself, not by a library that could be replaced, and the clock of the
// machine is its neighbours' too. So the program is compiled once more, from the same source, with a
// package time whose Now adds what a file says. The source of Go's package is taken from the Go that
// compiles, and changed in one place.

// clockSource is a file more in package time.
//
//go:embed clock_time.txt
var clockSource []byte

// clockRead is where time.Now reads the clock, and clockStep what is added behind it. The monotonic
// reading is left alone.
const (
	clockRead = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	clockStep = "\tsec += stepped()\n"
)

// errOtherGo says that the package time of this Go is not as this file knows it.
var errOtherGo = errors.New("time.Now does not read the clock as it did in Go 1.26: see internal/proof/clock_build.go")

// steppedTime changes the source of package time.
func steppedTime(source []byte) ([]byte, error) {
	if bytes.Count(source, []byte(clockRead)) != 1 {
		return nil, errOtherGo
	}
	return bytes.Replace(source, []byte(clockRead), []byte(clockRead+clockStep), 1), nil
}

// BuildWithClock builds cxbridge as Build does, but so that it goes by a Clock. All of it is compiled
// anew, with the library: that takes a minute or two the first time.
func BuildWithClock(ctx context.Context, dir string) (string, error) {
	flag, err := clockOverlay(ctx, dir)
	if err != nil {
		return "", err
	}
	return Build(ctx, dir, flag)
}

// clockOverlay writes the changed package into a folder, and returns the flag that makes the compiler
// take it.
func clockOverlay(ctx context.Context, dir string) (flag string, err error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	library := filepath.Join(string(bytes.TrimSpace(root)), "src", "time")
	source, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		return "", err
	}
	if source, err = steppedTime(source); err != nil {
		return "", err
	}
	replaced := make(map[string]string)
	for name, content := range map[string][]byte{"time.go": source, "stepped.go": clockSource} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return "", err
		}
		replaced[filepath.Join(library, name)] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return "-overlay=" + file, os.WriteFile(file, overlay, 0o600)
}
