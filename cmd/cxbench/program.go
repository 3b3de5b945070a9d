package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// buildWith builds cxbridge with some of its source files replaced or added, by their paths, in a new
// folder. It returns the path of the binary.
func buildWith(ctx context.Context, dir, name string, sources map[string][]byte) (binary string, err error) {
	folder := filepath.Join(dir, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	return proof.BuildWith(ctx, folder, sources)
}
