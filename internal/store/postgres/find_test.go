package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
)

// TestFindIndexes requires that people who look for something do not read all that there is, nor all
// that they look for, whether or not the database has statistics.
func TestFindIndexes(t *testing.T) {
	s, err := Open(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fillToFind(t, s)
	latest, middle := latestOf(time.Time{}), latestOf(time.Now().Add(20*time.Second)) // messages go on for 40 s
	few, many := store.Spellings("+499"), store.Spellings("100")                      // every fourth message is to the second
	for _, statistics := range []string{"without", "with"} {
		for _, c := range []struct {
			name, index string
			statement   string
			args        []any
		}{
			{"MessagesTo", "sms_messages_recipient", messagesTo, []any{latest, "", 50, few[:]}},
			{"MessagesToMany", "sms_messages_recipient", messagesTo, []any{latest, "", 50, many[:]}},
			{"MessagesToManyFurtherOn", "sms_messages_recipient", messagesTo, []any{middle, "m20000", 50, many[:]}},
			{"RecentMessages", "sms_messages_first_seen", recentMessages, []any{latest, "", 50}},
			{"RecentMessagesFurtherOn", "sms_messages_first_seen", recentMessages, []any{middle, "m20000", 50}},
			{"Events", "thread_events_thread", threadJournal, []any{"t1", 50, 1000}},
		} {
			plan := explain(t, s.reads, c.statement, c.args...)
			if !strings.Contains(plan, "Index Scan Backward using "+c.index+" ") || strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s, %s statistics, is not in the order of %s:\n%s", c.name, statistics, c.index, plan)
			}
		}
		if _, err := s.reads.Exec(t.Context(), "ANALYZE"); err != nil {
			t.Fatal(err)
		}
	}
	if plan := explain(t, s.reads, selectBacklog, 1000); !strings.Contains(plan, "using threads_queue ") || strings.Contains(plan, "Seq Scan") {
		t.Errorf("Backlog does not use the queue:\n%s", plan)
	}
}

// fillToFind adds threads and 40,000 messages and events.
func fillToFind(t *testing.T, s *Store) {
	t.Helper()
	fill(t, s)
	var b pgx.Batch
	b.Queue(`INSERT INTO sms_messages (message_id, carrier_code, status, recipient, updated_at, raw_payload, raw_status,
			received_at, first_seen_at, region_source, compliance, receipt_key)
		SELECT 'm' || n, 'A', 'DELIVERED', CASE n % 4 WHEN 0 THEN '+100' ELSE '+49' || n END, now(), '{}', 'DELIVRD',
			now(), now() + n * interval '1ms', 'default', 'unchecked', '\x01' FROM generate_series(1, 40000) n`)
	b.Queue(`INSERT INTO thread_events (event_key, thread_id, type, version, received_at, raw)
		SELECT sha256(n::text::bytea), 't' || n % 1000, 'THREAD_UPDATED', 1, now() + n * interval '1ms', '{}'
		FROM generate_series(1, 40000) n`)
	if err := s.reads.SendBatch(t.Context(), &b).Close(); err != nil {
		t.Fatal(err)
	}
}
