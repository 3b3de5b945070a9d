package main

import (
	"context"
	"errors"
	"fmt"

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
	st, err := p.openStore(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open %v: %w", cfg.Database, err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	v, err := verifyAudit(ctx, st)
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

// verifyAudit checks every chain. The ends are read before the entries: while the service goes on
// writing, a chain is then longer than its end says, and not shorter.
func verifyAudit(ctx context.Context, log store.AuditLog) (*audit.Verifier, error) {
	heads, err := auditHeads(ctx, log)
	if err != nil {
		return nil, err
	}
	v := &audit.Verifier{Heads: heads}
	var at audit.Entry
	for {
		entries, err := log.AuditChains(ctx, at.Subject, at.Seq, auditPage)
		if err != nil {
			return nil, err
		}
		for _, at = range entries {
			v.Entry(at)
		}
		if len(entries) < auditPage {
			v.Finish()
			return v, nil
		}
	}
}

func auditHeads(ctx context.Context, log store.AuditLog) (map[string]audit.Head, error) {
	heads := make(map[string]audit.Head)
	for after := ""; ; {
		page, err := log.AuditHeads(ctx, after, auditPage)
		if err != nil {
			return nil, err
		}
		for _, h := range page {
			heads[h.Subject], after = h.Head, h.Subject
		}
		if len(page) < auditPage {
			return heads, nil
		}
	}
}
