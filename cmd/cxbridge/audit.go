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

// errAuditBroken says that the audit log is not as it was written; the output says where.
var errAuditBroken = errors.New("the audit log is not as it was written")

// Run needs only the settings of the database.
func (c *auditVerifyCommand) Run(ctx context.Context, p *program, k *kong.Context) (err error) {
	r := &resolver{problems: load(k, p.env)}
	cfg := Config{Database: r.database(c.DatabaseURL)}
	if err := r.err(); err != nil {
		return err
	}
	if path := cfg.Database.SQLite; path != "" && !exists(path) {
		return fmt.Errorf("%v does not exist", cfg.Database) // opening it would create it
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

// verifyAudit checks all chains, one page of chain ends at a time, so that memory does not grow with the
// log. The ends are read before the entries: a service that goes on writing can make a chain longer than
// its end says, but not shorter.
func verifyAudit(ctx context.Context, log store.AuditLog, terminal io.Writer) (*audit.Verifier, error) {
	total, err := auditLength(ctx, log, terminal)
	if err != nil {
		return nil, err
	}
	bar := newProgress(terminal, total, "entries")
	defer bar.clear()
	v := new(audit.Verifier)
	after := audit.Entry{}
	for subject := ""; ; {
		heads, err := log.AuditHeads(ctx, subject, auditPage)
		if err != nil {
			return nil, err
		}
		v.Heads = make(map[string]audit.Head, len(heads))
		for _, h := range heads {
			v.Heads[h.Subject], subject = h.Head, h.Subject
		}
		if len(heads) < auditPage {
			subject = "" // all entries that are left
		}
		if after, err = verifyChains(ctx, log, v, after, subject, bar); err != nil {
			return nil, err
		}
		v.Finish()
		if subject == "" {
			return v, nil
		}
	}
}

// verifyChains checks the entries after one, up to those of the subject last; "" is to the end of the log.
// It returns the last entry that it has checked.
func verifyChains(ctx context.Context, log store.AuditLog, v *audit.Verifier, after audit.Entry, last string, bar *progress) (audit.Entry, error) {
	for {
		page, err := log.AuditChains(ctx, after.Subject, after.Seq, auditPage)
		if err != nil {
			return after, err
		}
		checked := 0
		for checked < len(page) && (last == "" || page[checked].Subject <= last) {
			after = page[checked]
			v.Entry(after)
			checked++
		}
		bar.add(checked)
		if checked < auditPage {
			return after, nil
		}
	}
}

// auditLength returns the number of entries in all chains, by their ends.
func auditLength(ctx context.Context, log store.AuditLog, terminal io.Writer) (entries int, err error) {
	bar := newProgress(terminal, endless, "chains")
	defer bar.clear()
	for after := ""; ; {
		page, err := log.AuditHeads(ctx, after, auditPage)
		if err != nil {
			return 0, err
		}
		for _, h := range page {
			entries += int(h.Seq)
			after = h.Subject
		}
		bar.add(len(page))
		if len(page) < auditPage {
			return entries, nil
		}
	}
}
