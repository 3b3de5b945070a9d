package proof

import (
	"context"
	"errors"
	"os/exec"
	"testing"
)

// A command that does not end is killed when nobody waits for it any more.
func TestRunEndsWithItsContext(t *testing.T) {
	program, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &Service{program: program, dir: t.TempDir()}
	if err := s.Run(ctx, "3600"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := s.Run(t.Context(), "0"); err != nil {
		t.Errorf("a command that ends: %v", err)
	}
	if err := s.Run(t.Context(), "nonsense"); err == nil {
		t.Error("a command that fails is taken")
	}
}
