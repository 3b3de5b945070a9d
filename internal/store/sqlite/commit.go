package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Commit implements store.Store. A transaction holds the write lock of the whole database from its
// begin, so what it reads stays true until it has written.
//
// Rows are written one by one: there is no network to save round trips on, and statements of many
// rows were measured to be no faster.
func (s *Store) Commit(ctx context.Context, batch store.Batch) ([]store.Outcome, error) {
	if batch.Empty() {
		return nil, nil
	}
	if err := batch.CheckStorable(); err != nil {
		return nil, fmt.Errorf("sqlite: commit: %w", err)
	}
	var plan *store.Plan
	err := s.change(ctx, "commit", func(tx *sql.Tx, p *statements) error {
		existing, err := p.existing(tx, &batch)
		if err != nil {
			return err
		}
		plan = store.MakePlan(batch, existing)
		return p.writePlan(tx, plan)
	})
	if err != nil {
		return nil, err
	}
	return plan.Outcomes(), nil
}

// The columns of sms_messages, in the order of messageValues.
var messageColumns = []string{
	"message_id", "carrier_code", "status", "error_code", "sender_id", "recipient", "updated_at",
	"raw_payload", "raw_status", "status_at", "received_at", "first_seen_at", "region",
	"region_source", "segments", "submitted_at", "cost", "currency", "compliance",
	"compliance_reason", "receipt_key", "column_ranks",
}

var (
	// A list of any length as one parameter: SQLite limits the number of parameters. CROSS JOIN
	// fixes the order: each id of the list is looked up in the index.
	selectMessages = "SELECT " + readColumns +
		" FROM json_each(?) AS wanted CROSS JOIN sms_messages ON message_id = wanted.value"

	insertMessage = "INSERT INTO sms_messages (" + strings.Join(messageColumns, ", ") + ") VALUES (?" +
		strings.Repeat(", ?", len(messageColumns)-1) + ")"

	updateMessage = "UPDATE sms_messages SET " + strings.Join(messageColumns[1:], " = ?, ") +
		" = ? WHERE message_id = ?"

	insertReceipt = `INSERT INTO sms_receipts (message_id, receipt_key, status, raw_status, event_at,
		received_at, raw_payload) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

	// joinReceipt takes the values of insertReceipt and joins them with the row that was there, as
	// sms.PastReceipt.Join has it. SQLite compares text by its bytes.
	joinReceipt = `UPDATE sms_receipts SET received_at = min(received_at, ?6),
			raw_status = iif(?7 > raw_payload, ?4, raw_status), raw_payload = max(raw_payload, ?7)
		WHERE message_id = ?1 AND receipt_key = ?2 AND (?6 < received_at OR ?7 > raw_payload)`

	insertDeadLetter = `INSERT INTO dead_letters (kind, subject, reason, received_at, raw, digest)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

	deleteDeadLetter = "DELETE FROM dead_letters WHERE id = ?"
)

// existing reads what a batch is about.
func (p *statements) existing(tx *sql.Tx, batch *store.Batch) (e store.Existing, err error) {
	messages, err := selectAll(tx.Stmt(p.selectMessages), scanMessage, batch.MessageIDs())
	if err != nil {
		return e, err
	}
	e.Messages = make(map[string]*sms.Message, len(messages))
	for _, m := range messages {
		e.Messages[m.ID] = m
	}
	if e.Threads, err = p.existingThreads(tx, batch.ThreadIDs()); err != nil {
		return e, err
	}
	if e.Items, err = p.existingItems(tx, batch.ItemKeys()); err != nil {
		return e, err
	}
	e.Events, err = p.existingEvents(tx, batch.EventKeys())
	return e, err
}

func (p *statements) writePlan(tx *sql.Tx, plan *store.Plan) error {
	// Messages are listed by rowid, so insert them in the order in which they were first seen, then by id.
	slices.SortStableFunc(plan.Inserts, func(a, b *sms.Message) int { return a.FirstSeen.Compare(b.FirstSeen) })
	insert, update := tx.Stmt(p.insertMessage), tx.Stmt(p.updateMessage)
	for _, m := range plan.Inserts {
		if _, err := insert.Exec(messageValues(m)...); err != nil {
			return err
		}
	}
	for _, m := range plan.Updates {
		values := messageValues(m)
		if _, err := update.Exec(append(values[1:], values[0])...); err != nil {
			return err
		}
	}
	if err := p.writeHistory(tx, plan); err != nil {
		return err
	}
	if err := p.writeThreads(tx, &plan.Threads); err != nil {
		return err
	}
	if err := p.writeEvents(tx, plan.Events); err != nil {
		return err
	}
	letter := tx.Stmt(p.insertDeadLetter)
	for i, l := range plan.DeadLetters {
		written, err := affects(letter.Exec(letterValues(l)...))
		if err != nil {
			return err
		}
		if !written {
			plan.MarkKnownLetter(i)
		}
	}
	remove := tx.Stmt(p.deleteDeadLetter)
	for _, id := range plan.Resolved {
		if _, err := remove.Exec(id); err != nil {
			return err
		}
	}
	if plan.Counts == nil {
		return nil
	}
	_, err := tx.Stmt(p.insertDelta).Exec(plan.Counts)
	return err
}

func (p *statements) writeHistory(tx *sql.Tx, plan *store.Plan) error {
	insert, join := tx.Stmt(p.insertReceipt), tx.Stmt(p.joinReceipt)
	for i, past := range plan.History {
		values := receiptValues(past)
		written, err := affects(insert.Exec(values...))
		if err != nil {
			return err
		}
		if written {
			continue
		}
		plan.MarkKnownPast(i)
		if _, err := join.Exec(values...); err != nil {
			return err
		}
	}
	return nil
}

// affects reports whether a statement changed a row.
func affects(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

func messageValues(m *sms.Message) []any {
	return []any{
		m.ID, m.Carrier, m.Status.String(), text(m.ErrorCode), text(m.SenderID), text(m.Recipient),
		timeText(m.Updated), string(m.Raw), m.RawStatus, timeText(m.StatusAt), timeText(m.Received),
		timeText(m.FirstSeen), text(m.Region), string(m.RegionSource), number(m.Segments),
		timeText(m.Submitted), text(m.Cost), text(m.Currency), string(m.Compliance),
		text(m.ComplianceReason), m.Key[:], text(m.Ranks.Encode()),
	}
}

func receiptValues(p store.Past) []any {
	return []any{
		p.MessageID, p.Key[:], p.Status.String(), p.RawStatus, timeText(p.At), timeText(p.Received), string(p.Raw),
	}
}

func letterValues(l store.Letter) []any {
	raw := l.Raw
	if raw == nil {
		raw = []byte{} // an empty body is a body; null is not
	}
	return []any{string(l.Kind), l.Subject, l.Reason, timeText(l.Received), raw, l.Digest[:]}
}
