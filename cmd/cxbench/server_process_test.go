package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
)

// startSelf starts one of the baselines from the binary of the tests.
func startSelf(t *testing.T, command string, env ...string) (*serverProcess, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startServer(t.Context(), t.TempDir(), []string{self, command}, env)
}

func TestServerProcess(t *testing.T) {
	server, err := startSelf(t, "serve-bare")
	if err != nil {
		t.Fatal(err)
	}
	if server.ready <= 0 {
		t.Errorf("ready after %s", server.ready)
	}
	one := &run{}
	cfg := load.Config{Addr: server.addr, Path: proof.ReceiptsPath, Prefix: "t", Connections: 1, Duration: 100e6}
	if err := one.putLoad(t.Context(), server, nil, cfg); err != nil {
		t.Error(err)
	}
	if one.Memory.Resident == 0 || one.Memory.Peak < one.Memory.Resident {
		t.Errorf("memory %+v", one.Memory)
	}
	if err := server.stop(); err != nil {
		t.Error(err)
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	_, err := startSelf(t, "serve-naive", "DATABASE_URL=postgres://127.0.0.1:1/none")
	if err == nil || !strings.Contains(err.Error(), "the end of its log") {
		t.Errorf("got %v, want what the server said", err)
	}
}

func TestServerThatNeverGetsReady(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := startServer(ctx, t.TempDir(), []string{"/bin/sh", "-c", "exec sleep 60"}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestServerThatFailsAtItsEnd(t *testing.T) {
	server, err := startSelf(t, "serve-bare")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-server.exited
	if err := server.stop(); err == nil {
		t.Error("a server that was killed stopped in order")
	}
}
