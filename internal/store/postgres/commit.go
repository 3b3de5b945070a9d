package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// raceAttempts bounds how often a batch is tried again after it met another replica. Each time the
// other has committed, so a second meeting takes another new message.
const raceAttempts = 10

// manyItems is above how many items a transaction asks for more time between its statements.
const manyItems = 1000

// Commit implements store.Store.
//
// It cannot deadlock, whatever other replicas do at the same time. A transaction takes its locks in
// three steps: rows that exist, those of messages in the order of their ids and then those of
// threads in the order of theirs; then rows that are new, in the same order; then dead letters, in
// the order of their digests. In each step it waits only for a transaction that is in the same step
// and further on, or in a later step. A step may be left out. In particular the insert of a message
// or thread that another replica has committed meanwhile fails at once, where an upsert would wait for
// the row's lock. It waits only for a transaction that changes or deletes the row, and that one is in a
// later step. Whatever else a transaction writes belongs to a message or thread that it has locked or
// inserted before, so there it waits for nobody.
//
// Those who push threads keep to the same: Record, Wake, WakeParked and Extend lock threads in the
// order of their ids, and Claim passes over those that are locked.
func (s *Store) Commit(ctx context.Context, batch store.Batch) ([]store.Outcome, error) {
	if batch.Empty() {
		return nil, nil
	}
	err := batch.CheckStorable()
	if err != nil {
		return nil, fmt.Errorf("postgres: commit: %w", err)
	}
	var outcomes []store.Outcome
	err = s.retryRaces("commit", func() (err error) {
		outcomes, err = s.commit(ctx, batch)
		return err
	})
	return outcomes, err
}

// retryRaces runs a transaction, and runs it again if it fails because of what another one did meanwhile.
func (s *Store) retryRaces(op string, transact func() error) (err error) {
	for range raceAttempts {
		if err = transact(); err == nil || !raced(err) {
			break
		}
	}
	switch {
	case err == nil:
		return nil
	case raced(err): // no fault of the data, although its error looks so
		return fmt.Errorf("postgres: %s: %w: %w", op, store.ErrUnavailable, err)
	}
	return failed(op, err)
}

// errAppeared says that a thread was inserted between the lock and the reads that follow it.
var errAppeared = errors.New("a thread appeared meanwhile")

// raced reports whether a transaction failed only because of what another one did meanwhile.
func raced(err error) bool {
	if errors.Is(err, errAppeared) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "23505": // unique_violation
		return pg.ConstraintName == "sms_messages_pkey" || pg.ConstraintName == "threads_pkey"
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return true
	}
	return false
}

// commit runs the transaction in two round trips: begin and lock; write and commit. Where there is
// nothing to lock, it takes one.
func (s *Store) commit(ctx context.Context, batch store.Batch) (_ []store.Outcome, err error) {
	conn, err := s.commits.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	// A connection that is given back inside a transaction is closed by the pool, which ends the
	// transaction.
	defer conn.Release()

	messages, threads := batch.MessageIDs(), batch.ThreadIDs()
	if len(threads) == 0 && (len(messages) == 0 || s.arrivals.areNew(batch.Now)) {
		return s.commitNew(ctx, conn, batch)
	}
	existing, err := lockExisting(ctx, conn, &batch, messages, threads)
	if err != nil {
		return nil, err
	}
	if len(existing.Messages) > 0 {
		s.arrivals.metKnown(batch.Now)
	}
	plan := store.MakePlan(batch, existing)
	var b pgx.Batch
	queuePlan(&b, plan)
	b.Queue("COMMIT")
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return nil, err
	}
	return plan.Outcomes(), nil
}

// commitNew commits a batch whose messages are assumed to be new. If one is not, its insert fails, and
// with it the transaction, as when another replica has inserted it meanwhile: see raced.
//
// Without BEGIN and COMMIT what is sent together is one transaction, by the protocol. It is committed
// at the end, and pgx waits for that and returns its error.
func (s *Store) commitNew(ctx context.Context, conn *pgxpool.Conn, batch store.Batch) ([]store.Outcome, error) {
	plan := store.MakePlan(batch, store.Existing{})
	var b pgx.Batch
	queuePlan(&b, plan)
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		if raced(err) {
			s.arrivals.metKnown(batch.Now)
		}
		return nil, err
	}
	return plan.Outcomes(), nil
}

// lockExisting locks the rows that exist, and reads them and what their locks guard.
func lockExisting(ctx context.Context, conn *pgxpool.Conn, batch *store.Batch, messages, threads []string) (store.Existing, error) {
	existing := store.Existing{
		Messages: make(map[string]*sms.Message), Threads: make(map[string]*store.ThreadRow),
		Items: make(map[thread.ItemKey]*thread.Item), Events: make(map[thread.Key]bool),
	}
	var b pgx.Batch
	b.Queue("BEGIN")
	if len(messages) > 0 {
		b.Queue("SELECT "+selectedMessage+" FROM sms_messages WHERE message_id = ANY($1) ORDER BY message_id FOR UPDATE", messages).
			Query(func(rows pgx.Rows) error {
				for rows.Next() {
					m, err := scanMessage(rows)
					if err != nil {
						return err
					}
					existing.Messages[m.ID] = m
				}
				return rows.Err()
			})
	}
	if len(threads) > 0 {
		items := batch.ItemKeys()
		if len(items) > manyItems {
			b.Queue("SELECT set_config('idle_in_transaction_session_timeout', $1, true)", milliseconds(idleTimeout+time.Duration(len(items))*idlePerItem))
		}
		queueLockThreads(&b, threads, existing.Threads)
		queueItems(&b, items, existing.Items)
		queueEvents(&b, batch.EventKeys(), existing.Events)
	}
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return existing, err
	}
	for _, e := range batch.Entries {
		if e.Thread != nil && existing.Events[e.Thread.Key] && existing.Threads[e.Thread.ThreadID] == nil {
			return existing, errAppeared
		}
	}
	return existing, nil
}

func queuePlan(b *pgx.Batch, plan *store.Plan) {
	if len(plan.Inserts) > 0 {
		b.Queue(insertMessages, messageColumns.arguments(plan.Inserts)...)
	}
	if len(plan.Updates) > 0 {
		b.Queue(updateMessages, messageColumns.arguments(plan.Updates)...)
	}
	if len(plan.History) > 0 {
		b.Queue(insertReceipts, receiptArguments(plan.History)...).Query(func(rows pgx.Rows) error {
			written, err := collect[sms.Key](rows)
			for i, past := range plan.History {
				if !written[past.Key] {
					plan.MarkKnownPast(i)
				}
			}
			return err
		})
	}
	queueThreads(b, &plan.Threads)
	if len(plan.Events) > 0 {
		b.Queue(insertEvents, eventColumns.arguments(plan.Events)...)
	}
	if len(plan.DeadLetters) > 0 {
		b.Queue(insertDeadLetters, letterArguments(plan.DeadLetters)...).Query(func(rows pgx.Rows) error {
			written, err := collect[[32]byte](rows)
			for i, letter := range plan.DeadLetters {
				if !written[letter.Digest] {
					plan.MarkKnownLetter(i)
				}
			}
			return err
		})
	}
	if len(plan.Resolved) > 0 {
		b.Queue("DELETE FROM dead_letters WHERE id = ANY($1)", plan.Resolved)
	}
	if plan.Counts != nil {
		b.Queue(insertDelta, plan.Counts)
	}
}

// collect reads the binary keys that a statement returned: those of the rows that are new. Null
// stands for a row that was known.
func collect[K sms.Key | [32]byte](rows pgx.Rows) (map[K]bool, error) {
	keys := make(map[K]bool)
	var raw []byte
	for rows.Next() {
		if err := rows.Scan(&raw); err != nil {
			return keys, err
		}
		if raw != nil {
			keys[K(raw)] = true
		}
	}
	return keys, rows.Err()
}

// selectedMessage is what scanMessage reads.
const selectedMessage = `message_id, carrier_code, status, coalesce(error_code, ''), coalesce(sender_id, ''),
	coalesce(recipient, ''), updated_at, raw_payload, raw_status, status_at, received_at,
	first_seen_at, coalesce(region, ''), region_source, coalesce(segments, 0), submitted_at,
	coalesce(cost::text, ''), coalesce(currency, ''), compliance, coalesce(compliance_reason, ''),
	receipt_key, column_ranks`

type message = *sms.Message

// messageColumns are the columns of sms_messages.
var messageColumns = columns[message]{
	text("message_id", func(m message) string { return m.ID }),
	text("carrier_code", func(m message) string { return m.Carrier }),
	text("status", func(m message) string { return m.Status.String() }),
	textOrNull("error_code", func(m message) string { return m.ErrorCode }),
	textOrNull("sender_id", func(m message) string { return m.SenderID }),
	textOrNull("recipient", func(m message) string { return m.Recipient }),
	timeOrNull("updated_at", func(m message) time.Time { return m.Updated }),
	jsonText("raw_payload", func(m message) []byte { return m.Raw }),
	text("raw_status", func(m message) string { return m.RawStatus }),
	timeOrNull("status_at", func(m message) time.Time { return m.StatusAt }),
	timeOrNull("received_at", func(m message) time.Time { return m.Received }),
	timeOrNull("first_seen_at", func(m message) time.Time { return m.FirstSeen }),
	textOrNull("region", func(m message) string { return m.Region }),
	text("region_source", func(m message) string { return string(m.RegionSource) }),
	integerOrNull("segments", func(m message) int { return m.Segments }),
	timeOrNull("submitted_at", func(m message) time.Time { return m.Submitted }),
	textOrNull("cost", func(m message) string { return m.Cost }).as("numeric"),
	textOrNull("currency", func(m message) string { return m.Currency }),
	text("compliance", func(m message) string { return string(m.Compliance) }),
	textOrNull("compliance_reason", func(m message) string { return m.ComplianceReason }),
	binaryKey("receipt_key", func(m message) []byte { return m.Key[:] }),
	textOrNull("column_ranks", func(m message) string { return m.Ranks.Encode() }).as("jsonb"),
}

var (
	insertMessages = "INSERT INTO sms_messages (" + messageColumns.names() + ") " + messageColumns.unnest()

	updateMessages = "UPDATE sms_messages m SET " + messageColumns.assign("new", "message_id") +
		" FROM (" + messageColumns.unnest() + ") AS new WHERE m.message_id = new.message_id"
)

// The arrays of a statement are in the order of the plan, which is the order in which rows are
// written and locked.
const (
	// A receipt that is known is joined with the version that came before, as sms.PastReceipt.Join
	// has it, and written only where that changes it. Text is compared by its bytes in UTF-8,
	// whatever the encoding and the collation of the database. Only a row that is new has no xmax:
	// an update begins with a lock on the row, and the lock's transaction stays in it.
	insertReceipts = `INSERT INTO sms_receipts AS known (message_id, receipt_key, status, raw_status, event_at,
			received_at, raw_payload)
		SELECT unnest($1::text[]), unnest($2::bytea[]), unnest($3::text[]), unnest($4::text[]),
			unnest($5::timestamptz[]), unnest($6::timestamptz[]), unnest($7::json[])
		ON CONFLICT (message_id, receipt_key) DO UPDATE SET
			raw_status = CASE WHEN ` + greaterReceipt + ` THEN excluded.raw_status ELSE known.raw_status END,
			raw_payload = CASE WHEN ` + greaterReceipt + ` THEN excluded.raw_payload ELSE known.raw_payload END,
			received_at = least(known.received_at, excluded.received_at)
		WHERE excluded.received_at < known.received_at OR ` + greaterReceipt + `
		RETURNING CASE WHEN xmax = 0 THEN receipt_key END`

	greaterReceipt = `convert_to(excluded.raw_payload::text, 'UTF8') > convert_to(known.raw_payload::text, 'UTF8')`

	insertDeadLetters = `INSERT INTO dead_letters (kind, subject, reason, received_at, raw, digest)
		SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]),
			unnest($4::timestamptz[]), unnest($5::bytea[]), unnest($6::bytea[])
		ON CONFLICT DO NOTHING
		RETURNING digest`
)

func receiptArguments(rows []store.Past) []any {
	type past = store.Past
	return []any{
		someTexts(rows, func(p past) string { return p.MessageID }),
		bytesOf(pgtype.ByteaOID, rows, func(p past) []byte { return p.Key[:] }),
		someTexts(rows, func(p past) string { return p.Status.String() }),
		someTexts(rows, func(p past) string { return p.RawStatus }),
		times(rows, func(p past) time.Time { return p.At }),
		times(rows, func(p past) time.Time { return p.Received }),
		bytesOf(pgtype.JSONOID, rows, func(p past) []byte { return p.Raw }),
	}
}

func letterArguments(rows []store.Letter) []any {
	type letter = store.Letter
	return []any{
		someTexts(rows, func(l letter) string { return string(l.Kind) }),
		someTexts(rows, func(l letter) string { return l.Subject }),
		someTexts(rows, func(l letter) string { return l.Reason }),
		times(rows, func(l letter) time.Time { return l.Received }),
		bytesOf(pgtype.ByteaOID, rows, func(l letter) []byte { return l.Raw }),
		bytesOf(pgtype.ByteaOID, rows, func(l letter) []byte { return l.Digest[:] }),
	}
}
