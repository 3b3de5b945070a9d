package e2e_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// archiveAll lets a server archive what it has written of its log so far, and waits until it has.
func (s *storage) archiveAll(t *testing.T) {
	t.Helper()
	var segment string
	s.query(t, "SELECT pg_walfile_name(pg_switch_wal())", func(rows *sql.Rows) error { return rows.Scan(&segment) })
	query := fmt.Sprintf("SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= '%s'", segment)
	eventually(t, "the log is archived", func() bool { return s.count(t, query) > 0 })
}

// A base backup that is made under load and the archive of the log have everything that was acknowledged
// before the last segment was archived, and the spool has what came when the server was gone. What came
// between is lost.
func TestBaseBackupAndArchive(t *testing.T) {
	t.Parallel()
	cluster := pgtest.New(t, append([]string{"fsync=off"}, pgtest.Archiving...)...)
	s := onPostgres(t, cluster.URL)
	p := serve(t, s.settings)
	hello := line("m-1", "Hello", 1)
	p.wantAnswer(t, accepted, event(updated, "early", 1, saying(hello)))

	var load barrage
	end := load.begin(t, p, 300)
	defer end()
	before := len(load.acknowledged().acked)
	base, err := cluster.BaseBackup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(load.acknowledged().acked) == before {
		t.Error("nothing was acknowledged while the base backup was made")
	}
	p.wantAnswer(t, accepted, event(updated, "after the base backup", 1, saying(hello)))
	promised := load.acknowledged()
	s.archiveAll(t)
	end()
	const late, spooled = `{"messageId":"late","status":"SENT"}`, `{"messageId":"spooled","status":"SENT"}`
	p.post(t, 200, late)
	if err := cluster.Crash(); err != nil {
		t.Fatal(err)
	}
	wantSpooled(t, p, spooled)
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	restored, err := base.Restore(t.Context(), "fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := restored.Close(); err != nil {
			t.Error(err)
		}
	})
	r := onPostgres(t, restored.URL)
	wantAuditVerified(t, r.settings)
	promised.check(t, r)
	r.settings["SPOOL_DIR"] = s.settings["SPOOL_DIR"]
	p = serve(t, r.settings)
	awaitDrained(t, p)
	for id, want := range map[string]bool{"late": false, "spooled": true} {
		if _, found := p.message(t, id); found != want {
			t.Errorf("the message %s is found: %v, want %v", id, found, want)
		}
	}
	for _, id := range []string{"early", "after the base backup"} {
		p.wantAnswer(t, ignored, event(updated, id, 1, saying(hello)))
	}

	// Senders who repeat all that came since bring it up to date.
	p.post(t, 200, late)
	load.acked, load.unacked = nil, slices.Concat(load.acked, load.unacked)
	load.repeat(t, p)
	load.check(t, r)
	wantAuditVerified(t, r.settings)
}
