package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// TestArchiveIndexes requires that a step of Expire or Erase costs what it looks at, however large the
// tables are, whether or not the database has statistics.
func TestArchiveIndexes(t *testing.T) {
	s, err := Open(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	fillArchive(t, s)
	now, ids, needles := time.Now(), []string{"t100", "t200"}, []string{"4915112345678"}
	always := momentOf(time.Time{})
	keys := [][]byte{{1}, {2}}
	for _, statistics := range []string{"without", "with"} {
		for _, c := range []struct {
			name, index string
			statement   string
			args        []any
		}{
			{"ExpireMessages", "sms_messages_first_seen", oldMessages, []any{now, always, 1000}},
			{"ExpireJournal", "thread_events_received", oldEvents, []any{now, always, 1000}},
			{"ExpireThreads", "threads_pkey", oldThreads, []any{now, "t5", 1000}},
			{"LockThreads", "threads_pkey", lockOldThreads, []any{now, ids}},
			{"ExpireItems", "thread_items_pkey", oldItems, []any{ids, 1001}},
			{"ExpireLetters", "dead_letters_pkey", oldLetters, []any{now, 5, 1000}},
			{"EraseMessages", "sms_messages_first_seen", messagePage, []any{"2026-01-01", "m5", 1000}},
			{"EraseNaming", "sms_messages_pkey", messagesNaming, []any{ids, needles}},
			{"EraseEvents", "thread_events_received", eventPage, []any{"2026-01-01", []byte{1}, 1000}},
			{"EraseEventBodies", "thread_events_pkey", eventsNaming, []any{keys, ids, needles}},
			{"EraseItems", "thread_items_pkey", nextItems, []any{"t5", "message", "m5", 1000}},
			{"ErasePeople", "thread_items", peopleNaming, []any{ids, needles}},
		} {
			plan := explain(t, s.commits, c.statement, c.args...)
			if !strings.Contains(plan, c.index) || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "hashed SubPlan") {
				t.Errorf("%s, %s statistics, does not use %s:\n%s", c.name, statistics, c.index, plan)
			}
		}
		if _, err := s.reads.Exec(t.Context(), "ANALYZE"); err != nil {
			t.Fatal(err)
		}
	}
}

// fillArchive adds 20,000 messages, events and dead letters to what fill adds.
func fillArchive(t *testing.T, s *Store) {
	t.Helper()
	var b pgx.Batch
	b.Queue(`INSERT INTO sms_messages (message_id, carrier_code, status, updated_at, raw_payload, raw_status, received_at,
			first_seen_at, region_source, compliance, receipt_key)
		SELECT 'm' || n, 'X', 'DELIVERED', now(), '{}', 'X', now(), now() - n * interval '1min', 'default', 'compliant', '\x01'
		FROM generate_series(1, 20000) n`)
	b.Queue(`INSERT INTO sms_receipts (message_id, receipt_key, status, raw_status, received_at, raw_payload)
		SELECT 'm' || n, '\x02', 'PENDING', 'X', now(), '{}' FROM generate_series(1, 20000) n`)
	b.Queue(`INSERT INTO thread_events (event_key, thread_id, type, version, received_at, raw)
		SELECT decode(md5(n::text), 'hex'), 't' || n % 100, 'THREAD_UPDATED', 1, now() - n * interval '1min', '{}'
		FROM generate_series(1, 20000) n`)
	b.Queue(`INSERT INTO dead_letters (kind, subject, reason, received_at, raw, digest)
		SELECT 'sms', '', 'bad', now(), '', decode(md5(n::text), 'hex') FROM generate_series(1, 20000) n`)
	if err := s.reads.SendBatch(t.Context(), &b).Close(); err != nil {
		t.Fatal(err)
	}
}
