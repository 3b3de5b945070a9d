package e2e_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// healthy returns settings with which the doctor is content, but for a SERVER_URL, and the CXone
// that they name.
func healthy(t *testing.T, s *storage) (settings, *platform) {
	t.Helper()
	platform := newPlatform(t)
	platform.here.Store(true)
	good := s.settings.with(platform.settings()).with(settings{
		"ADDR": "127.0.0.1:0", "WEBHOOK_SECRET": "f1c2b3a4-0e9f8a7b-77", "ADMIN_TOKEN": "e1c2b3a4-0e9f8a7b-88", "SERVER_URL": "",
	})
	if code, _, stderr := finish(t, good, "migrate"); code != 0 {
		t.Fatalf("migrate: exit code %d: %s", code, stderr)
	}
	return good, platform
}

// wantDiagnosis runs the doctor and checks its exit code and some of its lines, by how they begin.
// It returns all that the doctor found.
func wantDiagnosis(t *testing.T, s settings, want int, lines ...string) (found string) {
	t.Helper()
	code, found, stderr := finish(t, s, "doctor")
	if code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	for _, line := range lines {
		if !containsLine(found, line) {
			t.Errorf("the doctor does not say: %s", line)
		}
	}
	if t.Failed() {
		t.Fatalf("%s%s", found, stderr)
	}
	return found
}

// wantDisk wants the disk to have been looked at. That of the machine may be slow.
func wantDisk(t *testing.T, found string) {
	t.Helper()
	if !containsLine(found, "ok disk") && !containsLine(found, "warn disk") {
		t.Errorf("nothing is said of the disk:\n%s", found)
	}
}

func TestDoctorOnSQLite(t *testing.T) {
	t.Parallel()
	good, platform := healthy(t, onSQLite(t))
	wantDisk(t, wantDiagnosis(t, good, 0, "ok settings", "ok secrets", "ok listen address", "ok database", "ok CXone"))

	wantDiagnosis(t, good.with(settings{"SENDER_ID_POLICY": "ignore"}), 1, "fail settings", "ok database")
	wantDiagnosis(t, good.with(settings{"DATABASE_URL": "sqlite:/dev/null/cxbridge.db"}), 1, "fail database", "ok CXone")
	wantDiagnosis(t, good.with(settings{"CXONE_CLIENT_SECRET": "of another"}), 1, "fail CXone", "ok database")
	platform.here.Store(false)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	wantDiagnosis(t, good.with(settings{"ADDR": taken.Addr().String()}), 1, "fail CXone", "warn listen address")
}

func TestDoctorOnPostgres(t *testing.T) {
	t.Parallel()
	cluster := pgtest.New(t) // with fsync, which the doctor insists on
	url, err := cluster.CreateDatabase(context.Background(), "cxbridge")
	if err != nil {
		t.Fatal(err)
	}
	good, _ := healthy(t, onPostgres(t, url))
	wantDisk(t, wantDiagnosis(t, good, 0, "ok settings", "ok database", "ok spool"))

	careless := good.with(settings{"DATABASE_URL": pgtest.Database(t)}) // without fsync
	found := wantDiagnosis(t, careless, 1, "fail database")
	if !strings.Contains(found, "cxbridge migrate") || !strings.Contains(found, "fsync is off") {
		t.Errorf("the doctor does not say that the schema is missing and fsync off:\n%s", found)
	}
	if code, _, stderr := finish(t, careless, "migrate"); code != 0 {
		t.Fatalf("migrate: exit code %d: %s", code, stderr)
	}
	found = wantDiagnosis(t, careless, 1, "fail database")
	if strings.Contains(found, "cxbridge migrate") {
		t.Errorf("the doctor still misses the schema:\n%s", found)
	}

	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	wantDiagnosis(t, good, 1, "fail database", "ok spool")
}

// containsLine reports whether a line begins with some words, however far apart they stand.
func containsLine(text, words string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.Join(strings.Fields(line), " "), words+" ") {
			return true
		}
	}
	return false
}
