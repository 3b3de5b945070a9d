package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/proof"
)

const cxbridgePkg = "github.com/cxbridge/cxbridge/cmd/cxbridge"

// target is a server to be measured.
type target struct {
	key       string // its letter, in the tables
	argv, env []string
	database  database // nil for the bare handler
	isOurs    bool     // cxbridge; the baselines do not have every load
}

var targetNames = map[string]string{
	"a": "bare net/http", "b": "naive upsert, PostgreSQL", "c": "cxbridge, PostgreSQL", "d": "cxbridge, SQLite",
}

// label returns the name of a server in the tables.
func label(target string) string {
	if name, ok := targetNames[target]; ok {
		return "(" + target + ") " + name
	}
	return target
}

// workspace holds everything that a part makes and must remove.
type workspace struct {
	dir      string
	cxbridge string // the binary
	cluster  *pgtest.Cluster
	secret   string   // of the webhook
	token    string   // of the operator
	systems  []string // a line for each database about its settings
}

func newWorkspace(o *options) (*workspace, error) {
	binary, err := filepath.Abs(o.cxbridge)
	if err != nil {
		return nil, err
	}
	dir, err := proof.NewFolder(o.dir, "part-")
	return &workspace{dir: dir, cxbridge: binary, secret: rand.Text(), token: rand.Text()}, err
}

// serverSettings of the throwaway PostgreSQL. Everything else is as PostgreSQL ships it.
var serverSettings = []string{"synchronous_commit=on", "fsync=on", "shared_buffers=256MB", "max_wal_size=4GB"}

// countingStatements are settings of a PostgreSQL that counts statements.
var countingStatements = []string{"shared_preload_libraries=pg_stat_statements"}

// startPostgres starts a PostgreSQL that is removed with the workspace.
func (w *workspace) startPostgres(ctx context.Context, more ...string) (err error) {
	w.cluster, err = pgtest.Start(ctx, w.dir, append(more, serverSettings...)...)
	return err
}

// postgres returns a database of the workspace's PostgreSQL; or of another one, whose processes are not ours
// to look at.
func (w *workspace) postgres(address string) *postgresDatabase {
	d := &postgresDatabase{url: address, messages: "sms_messages", history: "sms_receipts"}
	if w.cluster != nil {
		d.postmaster = w.cluster.PID()
	}
	return d
}

// bare returns the target a.
func (w *workspace) bare() (*target, error) {
	self, err := os.Executable()
	return &target{key: "a", argv: []string{self, "serve-bare"}}, err
}

// naive returns the target b, with that many database connections.
func (w *workspace) naive(address string, pool int) (*target, error) {
	t, err := w.bare()
	if err != nil {
		return nil, err
	}
	d := w.postgres(address)
	d.messages, d.history = naiveTable, ""
	address, err = withPool(address, pool)
	return &target{key: "b", argv: []string{t.argv[0], "serve-naive"}, env: []string{"DATABASE_URL=" + address}, database: d}, err
}

// onPostgres returns the target c.
func (w *workspace) onPostgres(address string) *target {
	return w.ours("c", address, w.postgres(address))
}

// onSQLite returns the target d, on a file of the workspace.
func (w *workspace) onSQLite(name string) *target {
	file := filepath.Join(w.dir, name+".db")
	return w.ours("d", "sqlite:"+file, &sqliteDatabase{path: file})
}

func (w *workspace) ours(key, address string, d database) *target {
	return &target{key: key, argv: []string{w.cxbridge, "serve"}, isOurs: true, database: d, env: []string{
		"DATABASE_URL=" + address, "WEBHOOK_SECRET=" + w.secret, "ADMIN_TOKEN=" + w.token,
		"SPOOL_DIR=" + filepath.Join(w.dir, "spool-"+strings.ToLower(rand.Text()[:8])),
	}}
}

// standard returns the targets of these letters.
func (w *workspace) standard(keys []string, address string, naivePool int) (targets []*target, err error) {
	for _, key := range keys {
		var t *target
		switch key {
		case "a":
			t, err = w.bare()
		case "b":
			t, err = w.naive(address, naivePool)
		case "c":
			t = w.onPostgres(address)
		case "d":
			t = w.onSQLite("cxbridge")
		}
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// onlyLetters returns an error if one of the letters is not that of a target.
func onlyLetters(keys []string) error {
	for _, key := range keys {
		if _, ok := targetNames[key]; !ok {
			return errors.New("-only: there is no server \"" + key + "\"")
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

// load returns what all loads have in common.
func (w *workspace) load() load.Config {
	return load.Config{
		Path: proof.ReceiptsPath, Header: map[string]string{"X-Webhook-Secret": w.secret}, Prefix: strings.ToLower(rand.Text()[:8]),
	}
}

// describe asks the databases for the settings that the figures depend on.
func (w *workspace) describe(ctx context.Context, targets ...*target) error {
	for _, t := range targets {
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
	return errors.Join(err, os.RemoveAll(w.dir))
}
