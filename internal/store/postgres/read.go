package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Message implements store.Store. The message and its history are read by one snapshot.
func (s *Store) Message(ctx context.Context, id string) (*sms.Message, []sms.PastReceipt, error) {
	var (
		message *sms.Message
		history []sms.PastReceipt
	)
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.reads, snapshot, func(tx pgx.Tx) (err error) {
		row := tx.QueryRow(ctx, "SELECT "+selectedMessage+" FROM sms_messages WHERE message_id = $1", id)
		if message, err = scanMessage(row); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT message_id, receipt_key, status, raw_status, event_at, received_at, raw_payload
			FROM sms_receipt_history WHERE message_id = $1 ORDER BY received_at, receipt_key`, id)
		if err != nil {
			return err
		}
		history, err = pgx.CollectRows(rows, scanPast)
		return err
	})
	if err != nil {
		return nil, nil, failed("read message", err)
	}
	return message, history, nil
}

// Tally implements store.Store.
func (s *Store) Tally(ctx context.Context) ([]store.Tally, error) {
	rows, err := s.reads.Query(ctx, `SELECT carrier_code, coalesce(region, ''), status, compliance, count(*)
		FROM sms_messages GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`)
	if err != nil {
		return nil, failed("tally", err)
	}
	tallies, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t store.Tally, err error) {
		var status, compliance string
		if err := row.Scan(&t.Carrier, &t.Region, &status, &compliance, &t.Messages); err != nil {
			return t, err
		}
		t.Compliance = sms.Compliance(compliance)
		t.Status, err = sms.ParseStatus(status)
		return t, err
	})
	if err != nil {
		return nil, failed("tally", err)
	}
	return tallies, nil
}

func scanMessage(row pgx.Row) (*sms.Message, error) {
	var (
		m                   sms.Message
		status, source      string
		compliance          string
		statusAt, submitted *time.Time
		key, ranks          []byte
	)
	err := row.Scan(&m.ID, &m.Carrier, &status, &m.ErrorCode, &m.SenderID, &m.Recipient, &m.Updated,
		&m.Raw, &m.RawStatus, &statusAt, &m.Received, &m.FirstSeen, &m.Region, &source, &m.Segments,
		&submitted, &m.Cost, &m.Currency, &compliance, &m.ComplianceReason, &key, &ranks)
	if err != nil {
		return nil, err
	}
	if m.Status, err = sms.ParseStatus(status); err != nil {
		return nil, err
	}
	if m.Key, err = sms.ParseKey(key); err != nil {
		return nil, err
	}
	if m.Ranks, err = sms.ParseRanks(ranks); err != nil {
		return nil, err
	}
	m.RegionSource, m.Compliance = sms.RegionSource(source), sms.Compliance(compliance)
	m.StatusAt, m.Submitted = timeOf(statusAt), timeOf(submitted)
	m.Updated, m.Received, m.FirstSeen = m.Updated.UTC(), m.Received.UTC(), m.FirstSeen.UTC()
	return &m, nil
}

func scanPast(row pgx.CollectableRow) (sms.PastReceipt, error) {
	var (
		p      sms.PastReceipt
		status string
		at     *time.Time
		key    []byte
	)
	err := row.Scan(&p.MessageID, &key, &status, &p.RawStatus, &at, &p.Received, &p.Raw)
	if err != nil {
		return p, err
	}
	if p.Key, err = sms.ParseKey(key); err != nil {
		return p, err
	}
	p.At, p.Received = timeOf(at), p.Received.UTC()
	p.Status, err = sms.ParseStatus(status)
	return p, err
}

// timeOf turns null into the zero time.
func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
