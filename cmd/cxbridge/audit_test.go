package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// auditedDatabase returns the path of a database in which two chains of audit entries were written,
// and then changed by a statement without its triggers, unless that is "".
func auditedDatabase(t *testing.T, change string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audited.db")
	st, err := openStore(Config{Database: Database{SQLite: path}})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for i := range 5 {
		note := audit.Note{Subject: fmt.Sprint("message:M", i%2), Action: audit.ActionReplay, Outcome: "accepted"}
		if err := st.Audit(t.Context(), note, now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if change == "" {
		return path
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete", change} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return path
}

func TestAuditVerify(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change string
		code   int
		out    string // in stdout
	}{
		"as it was written":   {"", exitOK, "all 5 entries in 2 chains are as they were written\n"},
		"an entry is changed": {"UPDATE audit SET outcome = 'refused' WHERE subject = 'message:M1' AND seq = 1", exitFailure, "message:M1, entry 1: was changed"},
		"an entry is missing": {"DELETE FROM audit WHERE subject = 'message:M0' AND seq = 2", exitFailure, "message:M0, entry 3: follows entry 1"},
		"the end is cut off":  {"DELETE FROM audit WHERE subject = 'message:M0' AND seq = 3", exitFailure, "message:M0, entry 3: is missing"},
		"a chain is gone":     {"DELETE FROM audit WHERE subject = 'message:M1'", exitFailure, "message:M1, entry 2: is missing"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// PORT is wrong, but not a setting of this command.
			p := newTrial(map[string]string{"DATABASE_URL": "sqlite:" + auditedDatabase(t, tt.change), "PORT": "abc"})
			p.openStore = openStore
			if code := p.run(t.Context(), []string{"audit", "verify"}); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !strings.Contains(p.out.String(), tt.out) || p.err.Len() > 0 {
				t.Errorf("printed %q and %q, want %q", &p.out, &p.err, tt.out)
			}
			if lines := strings.Count(p.out.String(), "\n"); lines != 1 {
				t.Errorf("%d lines, want one:\n%s", lines, &p.out)
			}
		})
	}
}

func TestAuditVerifyCannotRead(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("%w: connection refused", store.ErrUnavailable)
	missing := filepath.Join(t.TempDir(), "missing.db")
	opens := func(st store.Store, err error) func(Config) (store.Store, error) {
		return func(Config) (store.Store, error) { return st, err }
	}
	broken := &auditStore{schemaStore: schemaStore{ready: true}, err: away}
	tests := map[string]struct {
		database string
		open     func(Config) (store.Store, error)
		code     int
		want     string
	}{
		"no file":         {"sqlite:" + missing, openStore, exitFailure, "missing.db does not exist"},
		"not opened":      {"postgres://u:hunter2@h/db", opens(nil, errors.New("bad magic")), exitFailure, "open postgres://u:***@h/db: bad magic"},
		"away":            {"postgres://u:hunter2@h/db", opens(&schemaStore{pingErr: away}, nil), exitFailure, "connection refused"},
		"old schema":      {"postgres://u:hunter2@h/db", opens(&schemaStore{}, nil), exitFailure, "its schema is old"},
		"lost meanwhile":  {"postgres://u:hunter2@h/db", opens(broken, nil), exitFailure, "read the audit log of postgres://u:***@h/db"},
		"wrong setting":   {"postgres://", nil, exitUsage, "DATABASE_URL"},
		"several at once": {"sqlite:" + missing + "/", nil, exitUsage, "1 error in the settings"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrial(map[string]string{"DATABASE_URL": tt.database})
			p.openStore = tt.open
			if code := p.run(t.Context(), []string{"audit", "verify"}); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if text := p.out.String() + p.err.String(); !strings.Contains(text, tt.want) || strings.Contains(text, "hunter2") {
				t.Errorf("printed %q, want %q in it", text, tt.want)
			}
			if exists(missing) {
				t.Error("the database was made")
			}
		})
	}
}

// auditStore is a store with an audit log in memory.
type auditStore struct {
	schemaStore
	entries []audit.Entry // by subject and seq
	heads   []store.AuditHead
	err     error
	grow    func() // when not nil: is called whenever the last heads were read
}

func (s *auditStore) AuditHeads(_ context.Context, after string, limit int) (page []store.AuditHead, err error) {
	for _, h := range s.heads {
		if h.Subject > after && len(page) < limit {
			page = append(page, h)
		}
	}
	if s.grow != nil && len(page) < limit {
		s.grow()
	}
	return page, s.err
}

func (s *auditStore) AuditChains(_ context.Context, subject string, seq int64, limit int) (page []audit.Entry, err error) {
	for _, e := range s.entries {
		if (e.Subject > subject || e.Subject == subject && e.Seq > seq) && len(page) < limit {
			page = append(page, e)
		}
	}
	return page, s.err
}

// chained returns a log of chains of a length.
func chained(chains, length int) *auditStore {
	s := &auditStore{}
	for c := range chains {
		h := store.AuditHead{Subject: fmt.Sprintf("T%06d", c)}
		for i := range length {
			s.entries = append(s.entries, h.Append(audit.Note{Subject: h.Subject, Action: audit.ActionPush}, time.Unix(int64(i), 0)))
		}
		s.heads = append(s.heads, h)
	}
	return s
}

func TestVerifyAuditByPages(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ chains, length int }{
		{0, 0}, {1, auditPage}, {1, auditPage + 1}, {auditPage, 1}, {auditPage + 1, 1}, {3, auditPage - 1}, {2*auditPage + 1, 2},
	} {
		s := chained(size.chains, size.length)
		v, err := verifyAudit(t.Context(), s, io.Discard)
		if err != nil || v.Entries != int64(len(s.entries)) || v.Chains != int64(size.chains) || len(v.Problems) > 0 {
			t.Errorf("%+v: %d entries, %d chains, %v, %v", size, v.Entries, v.Chains, v.Problems, err)
		}
		if len(v.Heads) > auditPage {
			t.Errorf("%+v: %d ends were held at once", size, len(v.Heads))
		}
	}
}

// An end on a later page is checked as well.
func TestVerifyAuditFindsAnEndOnALaterPage(t *testing.T) {
	t.Parallel()
	s := chained(auditPage+2, 1)
	s.entries = s.entries[:len(s.entries)-1]
	v, err := verifyAudit(t.Context(), s, io.Discard)
	if err != nil || len(v.Problems) != 1 || v.Problems[0].Subject != s.heads[auditPage+1].Subject {
		t.Errorf("got %v, %v", v.Problems, err)
	}
}

// Entries that a service writes meanwhile are not reported as damage.
func TestVerifyAuditWhileItGrows(t *testing.T) {
	t.Parallel()
	s := chained(2, 2)
	s.grow = func() {
		head := &s.heads[1]
		s.entries = append(s.entries, head.Append(audit.Note{Subject: head.Subject, Action: audit.ActionPush}, time.Unix(9, 0)))
	}
	v, err := verifyAudit(t.Context(), s, io.Discard)
	if err != nil || v.Entries != 6 || len(v.Problems) > 0 { // the heads are read twice
		t.Errorf("%d entries, %v, %v", v.Entries, v.Problems, err)
	}
}
