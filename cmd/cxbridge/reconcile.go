package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/reconcile"
)

type reconcileCommand struct {
	ServerSettings

	IDs      []string `arg:"" optional:"" name:"thread" help:"Ids of threads."`
	From     string   `placeholder:"FILE" help:"Read more ids from a file, one a line; - is the standard input."`
	Since    string   `placeholder:"TIME" help:"Every thread that changed here since then: a time of RFC 3339, or how long ago, such as 24h."`
	Parallel int      `default:"4" placeholder:"N" help:"Threads at a time, from 1 to 64."`
}

// Validate is called by kong.
func (c *reconcileCommand) Validate() error {
	switch {
	case len(c.IDs) == 0 && c.From == "" && c.Since == "":
		return errors.New("which threads? Name some, or give --from or --since")
	case c.Parallel < 1 || c.Parallel > 64:
		return errors.New("--parallel must be from 1 to 64")
	}
	if c.Since != "" {
		if _, err := parseSince(c.Since, time.Now()); err != nil {
			return err
		}
	}
	return c.check()
}

// errNotReconciled says that some threads failed; the output says which.
var errNotReconciled = errors.New("some threads could not be reconciled")

func (c *reconcileCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	r := &resolver{problems: load(k, p.env)}
	api := c.client(r)
	if err := r.err(); err != nil {
		return err
	}
	defer api.http.CloseIdleConnections()
	api.patience = newPatience(p.stderr, nil)
	ids, err := c.threads(ctx, p, api)
	if err != nil {
		return err
	}
	bar := newProgress(p.stderr, len(ids), "threads")
	api.patience = newPatience(p.stderr, bar)
	done := c.reconcileAll(ctx, api, ids, bar.step)
	bar.clear()
	done.print(p.stdout)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(done.failed) > 0:
		return errNotReconciled
	}
	return nil
}

// threads collects the ids, each once, in the order they are named.
func (c *reconcileCommand) threads(ctx context.Context, p *program, api *apiClient) ([]string, error) {
	ids := slices.Clone(c.IDs)
	if c.From != "" {
		named, err := readIDs(c.From, p.stdin)
		if err != nil {
			return nil, fmt.Errorf("read the ids: %w", err)
		}
		ids = append(ids, named...)
	}
	if c.Since != "" {
		since, err := parseSince(c.Since, time.Now())
		if err != nil {
			return nil, err
		}
		changed, err := api.changedSince(ctx, since)
		if err != nil {
			return nil, fmt.Errorf("list the threads that changed: %w", err)
		}
		ids = append(ids, changed...)
	}
	seen := make(map[string]bool)
	return slices.DeleteFunc(ids, func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	}), nil
}

// readIDs reads ids, one a line, and skips empty lines.
func readIDs(name string, stdin io.Reader) (ids []string, err error) {
	from := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if id := strings.TrimSpace(lines.Text()); id != "" {
			ids = append(ids, id)
		}
	}
	return ids, lines.Err()
}

// parseSince reads a time, or how long ago it was.
func parseSince(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("--since %q is neither a time of RFC 3339, such as 2026-03-01T10:00:00Z, nor how long ago, such as 24h", text)
	}
	return t, nil
}

// reconcileAll reconciles threads, some at a time, and calls step after each. Once ctx is done, or the token
// is found to be wrong, it begins no more.
func (c *reconcileCommand) reconcileAll(ctx context.Context, api *apiClient, ids []string, step func()) *reconciliation {
	all := &reconciliation{counts: make(map[reconcile.Status]int)}
	var workers errgroup.Group
	workers.SetLimit(c.Parallel)
	for _, id := range ids {
		workers.Go(func() error {
			if ctx.Err() != nil || all.isLockedOut() {
				all.leave()
				return nil
			}
			outcome, err := api.reconcile(ctx, id)
			all.add(id, outcome, err)
			step()
			return nil
		})
	}
	_ = workers.Wait() // each failure is in the summary
	return all
}

// reconciliation sums up what became of threads.
type reconciliation struct {
	mu     sync.Mutex
	counts map[reconcile.Status]int
	differ []string // a line for each that was not up to date
	aside  []string // a line for each of which something is set aside
	failed []string // a line for each that failed
	left   int      // how many were not begun
	locked bool     // the token is wrong
}

func (r *reconciliation) add(id string, outcome reconcile.Outcome, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed = append(r.failed, fmt.Sprintf("%s: %v", id, err))
		refused, isAnswer := errors.AsType[*apiError](err)
		r.locked = r.locked || isAnswer && refused.status == http.StatusUnauthorized
		return
	}
	r.counts[outcome.Status]++
	switch outcome.Status {
	case reconcile.Reconciled:
		r.differ = append(r.differ, fmt.Sprintf("%s: brought to version %d", id, outcome.Version))
	case reconcile.SetAside:
		line := id
		if outcome.Version != 0 {
			line += fmt.Sprintf(": brought to version %d", outcome.Version)
		}
		r.aside = append(r.aside, line)
	}
}

func (r *reconciliation) isLockedOut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.locked
}

func (r *reconciliation) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left++
}

// print prints the summary. It is called when all threads are done.
func (r *reconciliation) print(out io.Writer) {
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"differed, and are reconciled", r.differ},
		{"with messages or participants that the CRM would not take (see the dead letters)", r.aside},
		{"failed", r.failed},
	} {
		if len(part.lines) > 0 {
			slices.Sort(part.lines)
			fmt.Fprintf(out, "%d %s:\n  %s\n", len(part.lines), part.title, strings.Join(part.lines, "\n  "))
		}
	}
	fmt.Fprintf(out, "%d up to date, %d reconciled, %d stored without the CRM, %d failed",
		r.counts[reconcile.UpToDate], r.counts[reconcile.Reconciled], r.counts[reconcile.Stored], len(r.failed))
	if n := len(r.aside); n > 0 {
		fmt.Fprintf(out, ", %d in the CRM but for what is set aside", n)
	}
	if r.left > 0 {
		fmt.Fprintf(out, ", %d not begun", r.left)
	}
	fmt.Fprintln(out)
}
