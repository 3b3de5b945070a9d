package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// NewFolder makes a folder with a new name under another one (the system's temporary folder when empty).
// Other users may pass through it: PostgreSQL does not run as root, and has its own folder inside.
func NewFolder(under, pattern string) (string, error) {
	dir, err := os.MkdirTemp(under, pattern)
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// Build builds cxbridge into a folder and returns the path of the binary. The flags are those of
// `make build`, so that its cache serves here too; more may be given.
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	program := filepath.Join(dir, "cxbridge")
	args := append([]string{"build", "-trimpath", "-o", program}, flags...)
	build := exec.CommandContext(ctx, "go", append(args, "github.com/cxbridge/cxbridge/cmd/cxbridge")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}

// BuildWith builds cxbridge as Build does, with some source files replaced or added. Sources holds their
// content by their paths; no two have the same name.
func BuildWith(ctx context.Context, dir string, sources map[string][]byte) (string, error) {
	overlay, err := writeOverlay(dir, sources)
	if err != nil {
		return "", err
	}
	return Build(ctx, dir, overlay)
}

// writeOverlay writes the sources into a folder, and returns the flag that makes the compiler take them.
func writeOverlay(dir string, sources map[string][]byte) (flag string, err error) {
	replace := make(map[string]string)
	for path, text := range sources {
		replace[path] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(replace[path], text, 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return "-overlay=" + file, os.WriteFile(file, overlay, 0o600)
}

// SourceFolder returns the folder of a package's source.
func SourceFolder(ctx context.Context, pkg string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", pkg).Output()
	if err != nil {
		return "", fmt.Errorf("go list %s: %w", pkg, err)
	}
	return string(bytes.TrimSpace(out)), nil
}
