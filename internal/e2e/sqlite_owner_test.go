package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// A SQLite file has one service at a time. The commands work beside it, and when it was killed the next one
// starts at once.
func TestOneServiceForOneSQLiteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cxbridge.db")
	database := settings{"DATABASE_URL": "sqlite:" + path}
	first := serve(t, database)
	wantDirect(t, first, `{"messageId":"owned-1","status":"SENT"}`)

	second := start(t, database)
	second.await(t)
	if log := second.log.String(); second.code() != 1 || !strings.Contains(log, path+" is in use by another cxbridge") || strings.Contains(log, "ready") {
		t.Errorf("the second one ends with %d:\n%s", second.code(), log)
	}
	for _, command := range [][]string{
		{"migrate"}, {"audit", "verify"}, {"backup", path + ".copy"}, {"erase", "--recipient", "+12025550100", "--yes"},
	} {
		if code, stdout, stderr := finish(t, database, command...); code != 0 {
			t.Errorf("%v beside the service: %d\n%s%s", command, code, stdout, stderr)
		}
	}
	wantDirect(t, first, `{"messageId":"owned-2","status":"SENT"}`)

	first.kill(t)
	next := serve(t, database)
	for _, id := range []string{"owned-1", "owned-2"} {
		if m, found := next.message(t, id); !found || m.Status != "PENDING" {
			t.Errorf("message %s: %+v, %t", id, m, found)
		}
	}
}
