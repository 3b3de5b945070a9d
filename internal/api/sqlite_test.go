package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
)

// sqliteBench is an API on a real store, with a real ingest in front of it. What comes in is
// read under the policy Quarantine; replays are read under Flag, as if the operator had changed it.
func sqliteBench(t *testing.T) (*bench, *ingest.Ingest) {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "cx.db"))
	if err != nil {
		t.Fatal(err)
	}
	rules, ok := sms.BuiltinRules("default")
	if !ok {
		t.Fatal("the default sender rules are not built in")
	}
	strict := ingest.Reader{Judge: &sms.Judge{Rules: rules, DefaultRegion: "US"}, Policy: ingest.Quarantine}
	in := ingest.New(ingest.Config{
		Store: db, Reader: &strict, Metrics: ingest.NewMetrics(prometheus.NewRegistry()),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	t.Cleanup(func() {
		in.Stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := in.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	lenient := strict
	lenient.Policy = ingest.Flag
	b := newBench()
	b.Store = db
	b.Replayer = &ingest.Replayer{Store: db, Reader: &lenient, Submit: in.Submit}
	return b, in
}

func submit(t *testing.T, in *ingest.Ingest, received time.Time, raws ...string) {
	t.Helper()
	var readings []ingest.Reading
	for _, raw := range raws {
		readings = append(readings, in.ReadSMS([]byte(raw), received))
	}
	if _, err := in.Submit(context.Background(), readings); err != nil {
		t.Fatal(err)
	}
}

// seen is what a test looks at in the answer about a message.
type seen struct {
	MessageID, Status, RawStatus, Region, Compliance string
	FirstSeenAt                                      time.Time
	Receipts                                         []struct{ Raw map[string]string }
}

func TestMessageFromSQLite(t *testing.T) {
	b, in := sqliteBench(t)
	id := "a/ü b"
	item := `{"messageId":%q, "status":%q, "from":"+12025550100", "to":"+12025550101", "timestamp":%q}`
	submit(t, in, at("2026-03-01T10:00:09.000001Z"),
		fmt.Sprintf(item, id, "DELIVRD", "2026-03-01T10:00:05Z"), fmt.Sprintf(item, id, "SENT", "2026-03-01T10:00:00Z"))

	shown := decode[seen](t, b.ask(t, "GET", "/api/messages/"+encode(id), viewerToken), http.StatusOK)
	if shown.MessageID != id || shown.Status != "DELIVERED" || shown.RawStatus != "DELIVRD" || shown.Region != "US" {
		t.Errorf("message %+v", shown)
	}
	if len(shown.Receipts) != 2 || shown.Receipts[1].Raw["messageId"] != id || !shown.FirstSeenAt.Equal(at("2026-03-01T10:00:09.000001Z")) {
		t.Errorf("receipts %+v, first seen %v", shown.Receipts, shown.FirstSeenAt)
	}
	wantProblem(t, b.ask(t, "GET", "/api/messages/none", viewerToken), http.StatusNotFound)
}

// A dead letter is listed, replayed in vain, replayed with success once the policy allows it, and
// deleted: all on a real database.
func TestDeadLettersInSQLite(t *testing.T) {
	b, in := sqliteBench(t)
	quarantined := `{"messageId":"m-1", "status":"DELIVERED", "from":"not a sender id!", "to":"+12025550101"}`
	submit(t, in, at("2026-03-01T10:00:00Z"), quarantined)
	submit(t, in, at("2026-03-01T10:00:01Z"), `{"status":"DELIVERED"}`)

	type list struct{ Items []deadLetter }
	letters := decode[list](t, b.ask(t, "GET", "/api/dead-letters", adminToken), http.StatusOK).Items
	if len(letters) != 2 || letters[1].Raw != quarantined || *letters[1].Subject != "m-1" || letters[0].Subject != nil {
		t.Fatalf("dead letters %+v", letters)
	}
	hopeless, hopeful := fmt.Sprintf("/api/dead-letters/%d", letters[0].ID), fmt.Sprintf("/api/dead-letters/%d", letters[1].ID)

	wantProblem(t, b.ask(t, "POST", hopeless+"/replay", adminToken), http.StatusUnprocessableEntity)
	if got := decode[deadLetter](t, b.ask(t, "GET", hopeless, adminToken), http.StatusOK); got.Replays != 1 {
		t.Errorf("replays %d", got.Replays)
	}

	answer := decode[map[string]any](t, b.ask(t, "POST", hopeful+"/replay", adminToken), http.StatusOK)
	if answer["replayed"] != true || answer["messageId"] != "m-1" || answer["duplicate"] != false || answer["validationWarning"] == nil {
		t.Errorf("answer %v", answer)
	}
	shown := decode[seen](t, b.ask(t, "GET", "/api/messages/m-1", viewerToken), http.StatusOK)
	if shown.Compliance != "violation" || !shown.FirstSeenAt.Equal(at("2026-03-01T10:00:00Z")) {
		t.Errorf("message %+v", shown)
	}
	wantProblem(t, b.ask(t, "GET", hopeful, adminToken), http.StatusNotFound)
	wantProblem(t, b.ask(t, "POST", hopeful+"/replay", adminToken), http.StatusNotFound)

	if w := b.ask(t, "DELETE", hopeless, adminToken); w.Code != http.StatusNoContent {
		t.Errorf("delete: %d %s", w.Code, w.Body)
	}
	if rest := decode[list](t, b.ask(t, "GET", "/api/dead-letters", adminToken), http.StatusOK).Items; len(rest) != 0 {
		t.Errorf("what is left: %+v", rest)
	}
}

// A database that is away is told from a thing that is not there.
func TestSQLiteIsClosed(t *testing.T) {
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "cx.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b := newBench()
	b.Store = db
	wantProblem(t, b.ask(t, "GET", "/api/messages/m-1", viewerToken), http.StatusServiceUnavailable)
	wantProblem(t, b.ask(t, "GET", "/api/dead-letters", adminToken), http.StatusServiceUnavailable)
}
