package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// sourceFolder returns where the source of a package of cxbridge is.
func sourceFolder(ctx context.Context, pkg string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", pkg).Output()
	if err != nil {
		return "", fmt.Errorf("go list %s: %w", pkg, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// buildWith builds cxbridge with some files of its source replaced or added, by their paths. It returns
// the path of the binary.
func buildWith(ctx context.Context, dir, name string, sources map[string][]byte) (binary string, err error) {
	folder := filepath.Join(dir, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for path, text := range sources {
		replace[path] = filepath.Join(folder, filepath.Base(path))
		if err := os.WriteFile(replace[path], text, 0o644); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		return "", err
	}
	return proof.Build(ctx, folder, "-overlay", file)
}
