package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// release is a database that a released binary wrote, and what that binary answered about it. The command
// in internal/fixture makes them, and says what is in each file.
type release struct {
	*storage
	posts      []struct{ Path, Body string } // what was posted
	crm, cxone []sim.Conversation            // what the CRM had in the end, and what it is to have
	answers    map[string]any                // of the API, by path
}

// onEachRelease runs a test on a copy of every database that is kept of a release.
func onEachRelease(t *testing.T, test func(t *testing.T, r *release)) {
	t.Parallel()
	folders, err := filepath.Glob(filepath.Join("testdata", "v*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no database of a release is there: %v", err)
	}
	for _, folder := range folders {
		for name, restore := range map[string]func(*testing.T, []byte) *storage{"sqlite.db": restoreFile, "postgres.sql": restoreStatements} {
			kind, _, _ := strings.Cut(name, ".")
			t.Run(filepath.Base(folder)+"/"+kind, func(t *testing.T) {
				t.Parallel()
				r := &release{storage: restore(t, unpack(t, filepath.Join(folder, name+".gz")))}
				var story struct {
					Posts      []struct{ Path, Body string }
					CRM, CXone []sim.Conversation
				}
				unpackJSON(t, filepath.Join(folder, "story.json.gz"), &story)
				r.posts, r.crm, r.cxone = story.Posts, story.CRM, story.CXone
				unpackJSON(t, filepath.Join(folder, kind+".answers.json.gz"), &r.answers)
				test(t, r)
			})
		}
	}
}

func restoreFile(t *testing.T, content []byte) *storage {
	t.Helper()
	s := onSQLite(t)
	if err := os.WriteFile(s.path(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// path is where the database is, with SQLite.
func (s *storage) path() string { return strings.TrimPrefix(s.settings["DATABASE_URL"], "sqlite:") }

func restoreStatements(t *testing.T, content []byte) *storage {
	t.Helper()
	s := onPostgres(t, pgtest.Database(t))
	conn, err := pgx.Connect(t.Context(), s.settings["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().Exec(t.Context(), string(content)).ReadAll(); err != nil {
		t.Fatal(err)
	}
	return s
}

func unpack(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func unpackJSON(t *testing.T, path string, out any) {
	t.Helper()
	if err := json.Unmarshal(unpack(t, path), out); err != nil {
		t.Fatal(err)
	}
}

// change runs a statement on a database that no cxbridge has open.
func (s *storage) change(t *testing.T, statement string, args ...any) {
	t.Helper()
	open := s.open
	if strings.HasPrefix(s.settings["DATABASE_URL"], "sqlite:") {
		open = func() (*sql.DB, error) { return sqlitedb.Open(s.path(), sqlitedb.Options{}) }
	}
	db, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatal(err)
	}
}

// serveCopy serves a CRM that has these conversations already.
func serveCopy(t *testing.T, conversations []sim.Conversation) (*sim.CRM, settings) {
	t.Helper()
	crm := sim.NewCRM(crmToken)
	for i, c := range conversations {
		body, err := json.Marshal(map[string]any{
			"threadId": c.ThreadID, "version": c.Version, "updatedAt": c.UpdatedAt, "parentThreadId": c.ParentThreadID,
			"addedMessages": c.Messages, "addedParticipants": c.Participants,
		})
		if err != nil {
			t.Fatal(err)
		}
		request := httptest.NewRequest(http.MethodPost, "/threads", bytes.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+crmToken)
		request.Header.Set("Idempotency-Key", fmt.Sprint("copy-", i))
		answer := httptest.NewRecorder()
		if crm.ServeHTTP(answer, request); answer.Code >= 300 {
			t.Fatalf("the CRM does not take %.300s: %s", body, answer.Body)
		}
	}
	return crm, serveCRM(t, crm)
}

// wantSameAnswers asks for everything that the old version was asked for. The new one may add members to
// its answers, and must change nothing else.
func (r *release) wantSameAnswers(t *testing.T, p *process) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(r.answers)) {
		var got any
		if status := p.call(t, http.MethodGet, path, adminToken, &got); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		old := retold(r.answers[path])
		if diff := cmp.Diff(old, like(got, old)); diff != "" {
			t.Errorf("%s (-old +new):\n%s", path, diff)
		}
	}
}

// retold is an old answer as it is given now. Without a CRM, as here, nobody tries a thread again: it is
// waiting, where 0.1.0 called it retrying.
func retold(old any) any {
	switch old := old.(type) {
	case map[string]any:
		object := make(map[string]any, len(old))
		for name, value := range old {
			object[name] = retold(value)
		}
		if object["state"] == "retrying" {
			object["state"] = "waiting"
		}
		return object
	case []any:
		list := make([]any, len(old))
		for i := range old {
			list[i] = retold(old[i])
		}
		return list
	}
	return old
}

// like leaves out the members of objects that the old answer does not have.
func like(got, old any) any {
	switch old := old.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return got
		}
		kept := make(map[string]any)
		for name, value := range object {
			if was, known := old[name]; known {
				kept[name] = like(value, was)
			}
		}
		return kept
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(old) {
			return got
		}
		kept := make([]any, len(list))
		for i := range list {
			kept[i] = like(list[i], old[i])
		}
		return kept
	}
	return got
}

// postAll posts the whole story once more.
func (r *release) postAll(t *testing.T, p *process) {
	t.Helper()
	for _, post := range r.posts {
		request, err := http.NewRequest(http.MethodPost, p.address+post.Path, strings.NewReader(post.Body))
		if err != nil {
			t.Fatal(err)
		}
		byDefault(request.Header, []byte(post.Body), time.Now())
		response, err := p.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode >= 500 {
			t.Fatalf("status %d: %.300s", response.StatusCode, post.Body)
		}
	}
}

// The newest binary gives the same answers as the one that wrote the database, and knows what comes again.
func TestUpgradeKeepsEverything(t *testing.T) {
	onEachRelease(t, func(t *testing.T, r *release) {
		p := serve(t, r.settings)
		r.wantSameAnswers(t, p)
		r.postAll(t, p)
		r.wantSameAnswers(t, p)
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		wantAuditVerified(t, r.settings)
	})
}

// It goes on where the old one stopped: with messages that are not final, with what a CRM lacks, and
// with what an operator has to decide.
func TestUpgradeGoesOn(t *testing.T) {
	onEachRelease(t, func(t *testing.T, r *release) {
		crm, withCRM := serveCopy(t, r.crm)
		if len(crm.Differences(r.cxone)) == 0 {
			t.Fatal("the CRM lacks nothing")
		}
		p := serve(t, r.settings.with(withCRM))
		p.post(t, 200, `{"messageId":"pending","status":"DELIVERED","carrier":"ATT","timestamp":"2026-03-02T10:00:09Z"}`)
		if m, _ := p.message(t, "pending"); m.Status != "DELIVERED" || len(m.Receipts) != 2 {
			t.Errorf("the message that was pending is %+v", m)
		}
		replayed := 0
		for _, letter := range p.deadLetters(t) {
			if letter.Subject == "parked by the CRM" || letter.Subject == "quarantined" {
				p.replay(t, letter)
				replayed++
			}
		}
		if replayed != 2 {
			t.Errorf("%d dead letters were replayed, want 2", replayed)
		}
		if m, found := p.message(t, "quarantined"); !found || m.Compliance != "violation" {
			t.Errorf("the message that was quarantined is %+v", m)
		}
		p.awaitSynced(t)
		wantEqual(t, crm, r.cxone)

		hello := line("m-1", "Hello", 1)
		p.wantAnswer(t, synced, event(updated, "after the upgrade", 1, saying(hello)), "Prefer", "wait=30")
		wantEqual(t, crm, append(r.cxone, conversation("after the upgrade", 1, "", hello)))
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		wantAuditVerified(t, r.settings)
	})
}

// lane is what analytics count by, and the status.
type lane struct{ carrier, region, status string }

// The messages that were there before analytics are counted, each once. A window looks back from now, so
// the test changes them as if they had come an hour ago.
func TestUpgradeCountsWhatWasThere(t *testing.T) {
	onEachRelease(t, func(t *testing.T, r *release) {
		recently := time.Now().Add(-time.Hour).UTC()
		r.change(t, "UPDATE sms_messages SET first_seen_at = $1", recently.Format("2006-01-02T15:04:05.000000Z"))
		p := serve(t, r.settings)
		r.wantCounted(t, p)
		p.post(t, 200, `{"messageId":"pending","status":"DELIVERED","carrier":"ATT","timestamp":"2026-03-02T10:00:09Z"}`)
		p.post(t, 200, `{"messageId":"counted","status":"FAILED","carrier":"ATT","timestamp":"2026-03-02T10:00:09Z"}`)
		r.wantCounted(t, p)
	})
}

// wantCounted compares analytics with a count of all messages.
func (s *storage) wantCounted(t *testing.T, p *process) {
	t.Helper()
	want, total := make(map[lane]int), 0
	const messages = "SELECT carrier_code, coalesce(region, ''), status, count(*) FROM sms_messages GROUP BY 1, 2, 3"
	s.query(t, messages, func(rows *sql.Rows) error {
		var l lane
		var n int
		err := rows.Scan(&l.carrier, &l.region, &l.status, &n)
		if l.status == "REJECTED" || l.status == "EXPIRED" {
			l.status = "FAILED"
		}
		want[l] += n
		total += n
		return err
	})
	if total == 0 {
		t.Fatal("there is no message")
	}
	if diff := cmp.Diff(want, p.counted(t), cmp.AllowUnexported(lane{})); diff != "" {
		t.Errorf("counted (-messages +analytics):\n%s", diff)
	}
}

// counted returns what analytics count in the last hour and a half.
func (p *process) counted(t *testing.T) map[lane]int {
	t.Helper()
	var report struct {
		CarrierAnalytics []struct {
			Carrier, Region                     string
			Delivered, Failed, Pending, Unknown int
		}
	}
	if status := p.call(t, http.MethodGet, "/analytics/delivery?window=90m", viewerToken, &report); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	counts := make(map[lane]int)
	for _, row := range report.CarrierAnalytics { // one row for each currency
		for status, n := range map[string]int{"DELIVERED": row.Delivered, "FAILED": row.Failed, "PENDING": row.Pending, "UNKNOWN": row.Unknown} {
			if n > 0 {
				counts[lane{row.Carrier, row.Region, status}] += n
			}
		}
	}
	return counts
}

// A database of a newer version is served, because in a rolling upgrade the new replica migrates first;
// and nothing is done to its schema.
func TestDatabaseOfANewerVersion(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		only := settings{"DATABASE_URL": s.settings["DATABASE_URL"]}
		if code, stdout, stderr := finish(t, only, "migrate"); code != 0 {
			t.Fatalf("migrate: exit code %d: %s%s", code, stdout, stderr)
		}
		s.change(t, "ALTER TABLE sms_messages ADD COLUMN of_the_future text")
		s.change(t, "CREATE TABLE future (id bigint)")
		s.change(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
		if code, stdout, stderr := finish(t, only, "migrate"); code != 0 || !strings.Contains(stdout, "there was nothing to do") {
			t.Errorf("migrate once more: exit code %d: %s%s", code, stdout, stderr)
		}
		p := serve(t, s.settings)
		wantDirect(t, p, `{"messageId":"newer","status":"SENT"}`)
		p.wantAnswer(t, accepted, event(updated, "newer", 1))
		if n := s.count(t, "SELECT max(version_id) FROM goose_db_version"); n != 9999 {
			t.Errorf("the schema has version %d", n)
		}
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		wantAuditVerified(t, s.settings)
	})
}
