package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

const (
	webhookPath = "/webhooks/cxone/sms"
	cxbridgePkg = "github.com/cxbridge/cxbridge/cmd/cxbridge"
)

// target is a server to be measured.
type target struct {
	key       string // its letter
	argv, env []string
	database  database // nil for the bare handler
	isOurs    bool     // cxbridge; the baselines do not have every load
}

// workspace is all that a bench makes and must remove.
type workspace struct {
	dir     string
	cluster *pgtest.Cluster
	secret  string // of the webhook
	targets []*target
	systems []string // a line for each database about its settings
}

// serverSettings of the throwaway PostgreSQL. Everything else is as PostgreSQL ships it.
var serverSettings = []string{"synchronous_commit=on", "fsync=on", "shared_buffers=256MB", "max_wal_size=4GB"}

func newWorkspace(ctx context.Context, s *settings) (*workspace, error) {
	dir, err := os.MkdirTemp(s.dir, "cxbench-")
	if err != nil {
		return nil, err
	}
	w := &workspace{dir: dir, secret: rand.Text()}
	if err := w.fill(ctx, s); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *workspace) fill(ctx context.Context, s *settings) error {
	// PostgreSQL may run as another user, who must get through to its own folder.
	if err := os.Chmod(w.dir, 0o711); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	address := s.postgres
	if address == "" && (slices.Contains(s.Only, "b") || slices.Contains(s.Only, "c")) {
		if w.cluster, err = pgtest.Start(ctx, w.dir, serverSettings...); err != nil {
			return err
		}
		address = w.cluster.URL
	}
	if slices.Contains(s.Only, "c") || slices.Contains(s.Only, "d") {
		if s.cxbridge, err = w.cxbridge(ctx, s.cxbridge); err != nil {
			return err
		}
	}
	naiveURL, err := withPool(address, s.NaivePool)
	if err != nil {
		return err
	}
	postmaster := 0
	if w.cluster != nil {
		postmaster = w.cluster.PID()
	}
	ours := func(databaseURL string) []string {
		return []string{
			"DATABASE_URL=" + databaseURL, "WEBHOOK_SECRET=" + w.secret,
			"ADMIN_TOKEN=" + rand.Text(), "SPOOL_DIR=" + filepath.Join(w.dir, "spool"),
		}
	}
	file := filepath.Join(w.dir, "cxbridge.db")
	all := []*target{
		{key: "a", argv: []string{self, "serve-bare"}},
		{key: "b", argv: []string{self, "serve-naive"}, env: []string{"DATABASE_URL=" + naiveURL},
			database: &postgresDatabase{url: address, messages: naiveTable, postmaster: postmaster}},
		{key: "c", argv: []string{s.cxbridge, "serve"}, env: ours(address), isOurs: true,
			database: &postgresDatabase{url: address, messages: "sms_messages", history: "sms_receipts", postmaster: postmaster}},
		{key: "d", argv: []string{s.cxbridge, "serve"}, env: ours("sqlite:" + file), isOurs: true,
			database: &sqliteDatabase{path: file}},
	}
	for _, t := range all {
		if slices.Contains(s.Only, t.key) {
			w.targets = append(w.targets, t)
		}
	}
	return nil
}

// withPool adds the size of the pool to a database URL, as pgxpool reads it.
func withPool(address string, size int) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("pool_max_conns", strconv.Itoa(size))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// cxbridge returns the path of the binary: the given one, or one that it builds.
func (w *workspace) cxbridge(ctx context.Context, given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	binary := filepath.Join(w.dir, "cxbridge")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, cxbridgePkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", cxbridgePkg, err, out)
	}
	return binary, nil
}

// describeDatabases asks each database for the settings that the figures depend on.
func (w *workspace) describeDatabases(ctx context.Context) error {
	for _, t := range w.targets {
		if t.database == nil {
			continue
		}
		line, err := t.database.describe(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(w.systems, line) {
			w.systems = append(w.systems, line)
		}
	}
	return nil
}

func (w *workspace) close() error {
	var err error
	if w.cluster != nil {
		err = w.cluster.Close()
	}
	if rmErr := os.RemoveAll(w.dir); err == nil {
		err = rmErr
	}
	return err
}
