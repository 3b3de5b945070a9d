package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
)

// profilingSource is added to cxbridge for a profile. cxbridge itself has no such endpoint: it would be one
// more door to guard.
//
//go:embed profiling.go.txt
var profilingSource []byte

func buildProfiled(ctx context.Context, dir string) (binary string, err error) {
	source, err := proof.SourceFolder(ctx, cxbridgePkg)
	if err != nil {
		return "", err
	}
	return buildWith(ctx, dir, "profiled", map[string][]byte{filepath.Join(source, "profiling.go"): profilingSource})
}

// allocations are those of a server under load.
type allocations struct {
	Receipts int64 `json:"receipts"`
	Objects  int64 `json:"objects"`
	Bytes    int64 `json:"bytes"`
	GCs      int64 `json:"collections"`
}

// profile puts a load on cxbridge while it keeps a profile of its CPU time and counts its allocations.
func (c *costCourse) profile(ctx context.Context, t *target, into *serverCosts) error {
	door, err := proof.FreeAddress()
	if err != nil {
		return err
	}
	profiled := *t
	profiled.argv, profiled.env = []string{c.profiled, "serve"}, append([]string{"PROFILE_ADDR=" + door}, t.env...)
	into.Profile.File = "cpu-" + t.key + ".pb.gz"
	err = c.withServer(ctx, &profiled, func(server *serverProcess) error {
		// A new process sizes its heap and its pools first.
		if _, err := load.Run(ctx, c.load(server, c.settings.Duration/5)); err != nil {
			return err
		}
		return c.profileLoad(ctx, server, "http://"+door, into)
	})
	if err != nil {
		return err
	}
	return c.readProfile(ctx, &into.Profile)
}

func (c *costCourse) profileLoad(ctx context.Context, server *serverProcess, door string, into *serverCosts) error {
	before, err := memoryStats(ctx, door)
	if err != nil {
		return err
	}
	// The kernel counts whole seconds of a profile.
	length := max(time.Second, c.settings.Duration)
	var result load.Result
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		result, err = load.Run(gctx, c.load(server, length))
		return err
	})
	g.Go(func() error {
		profile, err := get(gctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", door, length/time.Second))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(c.results, into.Profile.File), profile, 0o644)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	after, err := memoryStats(ctx, door)
	into.Allocations = allocations{
		Receipts: result.Ledger.Receipts, Objects: after.Objects - before.Objects, Bytes: after.Bytes - before.Bytes, GCs: after.GCs - before.GCs,
	}
	return err
}

// memoryStats reads the counters of Go's runtime.
func memoryStats(ctx context.Context, door string) (allocations, error) {
	body, err := get(ctx, door+"/debug/vars")
	if err != nil {
		return allocations{}, err
	}
	var vars struct {
		Memory struct{ Mallocs, TotalAlloc, NumGC int64 } `json:"memstats"`
	}
	err = json.Unmarshal(body, &vars)
	return allocations{Objects: vars.Memory.Mallocs, Bytes: vars.Memory.TotalAlloc, GCs: vars.Memory.NumGC}, err
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return body, err
}

// readProfile writes the top lists beside a profile, and sums it up.
func (c *costCourse) readProfile(ctx context.Context, p *profile) error {
	flat, err := c.pprof(ctx, p, "-top", "-nodecount=80")
	if err != nil {
		return err
	}
	sums, err := c.pprof(ctx, p, "-top", "-cum", "-nodecount=150")
	if err != nil {
		return err
	}
	p.Top = strings.TrimSuffix(p.File, ".pb.gz") + "-top.txt"
	text := "By the function's own time.\n\n" + flat + "\nBy the time of the function and all that it calls.\n\n" + sums
	if err := os.WriteFile(filepath.Join(c.results, p.Top), []byte(text), 0o644); err != nil {
		return err
	}
	traces, err := c.pprof(ctx, p, "-traces", "-unit=us")
	if err != nil {
		return err
	}
	p.Total, p.Pieces, err = piecesOf(traces)
	return err
}

func (c *costCourse) pprof(ctx context.Context, p *profile, args ...string) (string, error) {
	args = append(append([]string{"tool", "pprof"}, args...), c.profiled, filepath.Join(c.results, p.File))
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go tool pprof: %w", err)
	}
	return string(out), nil
}
