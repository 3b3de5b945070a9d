package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func TestArrivals(t *testing.T) {
	met := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var a arrivals
	if !a.areNew(met) {
		t.Error("before anything is known, messages are not taken for new ones")
	}
	a.metKnown(met)
	for after, want := range map[time.Duration]bool{
		0: false, newsAfter - 1: false, newsAfter: true, time.Hour: true,
		-1: false, -time.Hour: true, // the clock was set back
	} {
		if got := a.areNew(met.Add(after)); got != want {
			t.Errorf("%v after a known message: %v", after, got)
		}
	}
}

// arrivalStore is a new database, and a function that commits the receipts of a batch to it.
func arrivalStore(t *testing.T) (*Store, func(receipts ...*sms.Receipt) ([]store.Outcome, error)) {
	t.Helper()
	s, err := Open(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	judge := &sms.Judge{Rules: &sms.SenderRules{}, DefaultRegion: "US"}
	return s, func(receipts ...*sms.Receipt) ([]store.Outcome, error) {
		batch := store.Batch{Now: time.Now().UTC().Truncate(time.Microsecond), Judge: judge}
		for _, r := range receipts {
			batch.Entries = append(batch.Entries, store.Entry{Receipt: r})
		}
		return s.Commit(t.Context(), batch)
	}
}

func arrival(id string, status sms.Status) *sms.Receipt {
	at := time.Date(2026, 11, 22, 10, 0, int(status), 0, time.UTC)
	return &sms.Receipt{MessageID: id, Status: status, RawStatus: status.String(), At: at, Received: at, Raw: []byte(`{}`)}
}

// TestKnownMessageAmongNew commits a message that is known where all are taken for new ones.
func TestKnownMessageAmongNew(t *testing.T) {
	s, commit := arrivalStore(t)
	if _, err := commit(arrival("known", sms.Pending)); err != nil {
		t.Fatal(err)
	}
	if s.arrivals.known.Load() != 0 {
		t.Fatal("a new message counts as known")
	}
	for round, isKnown := range []bool{false, true} {
		outcomes, err := commit(arrival("another", sms.Delivered), arrival("known", sms.Delivered))
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			if o.Duplicate != isKnown {
				t.Errorf("round %d: outcome %d is %+v", round, i, o)
			}
		}
	}
	if s.arrivals.known.Load() == 0 {
		t.Error("a known message was not noted")
	}
	for id, receipts := range map[string]int{"known": 2, "another": 1} {
		m, past, err := s.Message(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if m.Status != sms.Delivered || len(past) != receipts {
			t.Errorf("%s: %v after %d receipts", id, m.Status, len(past))
		}
	}
}

// TestCommitFailsAtItsEnd lets every statement succeed, and the transaction not: no answer may rest on
// it, whether messages are taken for new ones or looked for.
func TestCommitFailsAtItsEnd(t *testing.T) {
	s, commit := arrivalStore(t)
	_, err := s.reads.Exec(t.Context(), `
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'at the end'; END $$;
		CREATE CONSTRAINT TRIGGER late AFTER INSERT ON sms_messages DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION fail()`)
	if err != nil {
		t.Fatal(err)
	}
	for _, looked := range []bool{false, true} {
		if looked {
			s.arrivals.metKnown(time.Now())
		}
		if _, err := commit(arrival("lost", sms.Delivered)); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("looked for: %v: %v", looked, err)
		}
		if _, _, err := s.Message(t.Context(), "lost"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("looked for: %v: the message is there: %v", looked, err)
		}
	}
	if _, err := s.reads.Exec(t.Context(), "DROP TRIGGER late ON sms_messages"); err != nil {
		t.Fatal(err)
	}
	if _, err := commit(arrival("lost", sms.Delivered)); err != nil {
		t.Error("afterwards:", err)
	}
}
