package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

type serveCommand struct {
	Settings
}

func (c *serveCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	cfg, err := c.Resolve(load(k, p.env))
	if err != nil {
		return err
	}
	log, closeLog := newLogger(cfg, p.stderr)
	defer closeLog()
	log.Info("settings", "settings", cfg)
	for _, warning := range cfg.Warnings {
		log.Warn(warning)
	}
	return p.serve(ctx, cfg, log)
}

// gcPercent lets the heap grow to four times what is in use before it is collected. Little is in use,
// since MAX_IN_FLIGHT_BYTES bounds it; with Go's default of twice, a tenth of the CPU time under load
// went into collecting garbage. With five times, arrays at full speed took more than the 150 MB that
// should be enough.
const gcPercent = 300

// The garbage collector works harder as memory use nears what the bodies in flight may take: between its
// body and its row, an event is held about four times over. The rest of the program needs little.
const (
	memoryBase    = 128 << 20
	memoryPerByte = 4
)

// tuneMemory sets how garbage is collected, except what the operator has set by Go's own variables.
func tuneMemory(cfg Config) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(cfg.MaxInFlightBytes))
	}
}

// memoryLimit returns the limit, in bytes, that fits MAX_IN_FLIGHT_BYTES. One that is huge means no limit.
func memoryLimit(inFlight int64) int64 {
	return memoryBase + memoryPerByte*min(inFlight, (math.MaxInt64-memoryBase)/memoryPerByte)
}

// serve takes webhooks until ctx is done.
func serve(ctx context.Context, cfg Config, log *slog.Logger) (err error) {
	tuneMemory(cfg)
	listener, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return err
	}
	if cfg.TLS != nil {
		log.Info("TLS", "certificate", cfg.TLS.Cert)
	}
	s, err := newService(ctx, cfg, log, listener)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.run(ctx)
}
