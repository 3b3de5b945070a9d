package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

type auditCommand struct {
	Verify auditVerifyCommand `cmd:"" help:"Check the audit log: whether an entry was changed or is missing."`
}

type auditVerifyCommand struct {
	FileSettings
	DatabaseSettings `group:"Database"`
}

// errAuditBroken says that the audit log is not as it was written, as the output tells.
var errAuditBroken = errors.New("the audit log is not as it was written")

// Run needs the settings of the database alone.
func (c *auditVerifyCommand) Run(ctx context.Context, p *program, k *kong.Context) (err error) {
	r := &resolver{problems: load(k, p.env)}
	cfg := Config{Database: r.database(c.DatabaseURL)}
	if err := r.err(); err != nil {
		return err
	}
	if path := cfg.Database.SQLite; path != "" && !exists(path) {
		return fmt.Errorf("%v does not exist", cfg.Database) // to open it would make it
	}
	st, err := p.openStore(cfg)
	if err != nil {
		return fmt.Errorf("open %v: %w", cfg.Database, err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.Ping(ctx); err != nil {
		return fmt.Errorf("%v: %w", cfg.Database, err)
	}
	v, err := verifyAudit(ctx, st, p.stderr)
	if err != nil {
		return fmt.Errorf("read the audit log of %v: %w", cfg.Database, err)
	}
	for _, problem := range v.Problems {
		fmt.Fprintln(p.stdout, problem)
	}
	if len(v.Problems) > 0 {
		return errAuditBroken
	}
	fmt.Fprintf(p.stdout, "%v: all %d entries in %d chains are as they were written\n", cfg.Database, v.Entries, v.Chains)
	return nil
}

// auditPage is how many entries are read at a time.
const auditPage = 1000

// verifyAudit checks every chain. The ends are read before the entries: a service that goes on
// writing makes a chain longer than its end says, and not shorter.
func verifyAudit(ctx context.Context, log store.AuditLog, terminal io.Writer) (*audit.Verifier, error) {
	heads, err := auditHeads(ctx, log, terminal)
	if err != nil {
		return nil, err
	}
	v := &audit.Verifier{Heads: heads}
	bar := newProgress(terminal, entriesOf(heads), "entries")
	defer bar.clear()
	for after := (audit.Entry{}); ; {
		page, err := log.AuditChains(ctx, after.Subject, after.Seq, auditPage)
		if err != nil {
			return nil, err
		}
		for _, after = range page {
			v.Entry(after)
		}
		bar.add(len(page))
		if len(page) < auditPage {
			v.Finish()
			return v, nil
		}
	}
}

// entriesOf returns how many entries there are up to the ends of all chains.
func entriesOf(heads map[string]audit.Head) (n int) {
	for _, h := range heads {
		n += int(h.Seq)
	}
	return n
}

// auditHeads reads the ends of all chains, by subject.
func auditHeads(ctx context.Context, log store.AuditLog, terminal io.Writer) (map[string]audit.Head, error) {
	bar := newProgress(terminal, endless, "chains")
	defer bar.clear()
	heads := make(map[string]audit.Head)
	for after := ""; ; {
		page, err := log.AuditHeads(ctx, after, auditPage)
		if err != nil {
			return nil, err
		}
		for _, h := range page {
			heads[h.Subject], after = h.Head, h.Subject
		}
		bar.add(len(page))
		if len(page) < auditPage {
			return heads, nil
		}
	}
}
