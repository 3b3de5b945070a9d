package proof

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds cxbridge into a folder and returns the path of the binary. The flags are those of
// `make build`, so that it leaves next to nothing to compile; more may be given.
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
