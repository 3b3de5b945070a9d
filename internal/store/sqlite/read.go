package sqlite

import (
	"context"
	"database/sql"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Message implements store.Store. The message and its history are read by one snapshot.
func (s *Store) Message(ctx context.Context, id string) (*sms.Message, []sms.PastReceipt, error) {
	tx, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, failed("read message", err)
	}
	defer tx.Rollback()
	row := tx.QueryRowContext(ctx, "SELECT "+readColumns+" FROM sms_messages WHERE message_id = ?", id)
	message, err := scanMessage(row)
	if err != nil {
		return nil, nil, failed("read message", err)
	}
	history, err := query(ctx, tx, scanPast, `SELECT message_id, receipt_key, status, raw_status, event_at, received_at, raw_payload
		FROM sms_receipt_history WHERE message_id = ? ORDER BY received_at, receipt_key`, id)
	if err != nil {
		return nil, nil, failed("read message", err)
	}
	return message, history, nil
}

// Tally implements store.Store.
func (s *Store) Tally(ctx context.Context) ([]store.Tally, error) {
	tallies, err := query(ctx, s.readers, scanTally, `SELECT carrier_code, coalesce(region, ''), status, compliance, count(*)
		FROM sms_messages GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`)
	if err != nil {
		return nil, failed("tally", err)
	}
	return tallies, nil
}

// The columns of sms_messages in the order of scanMessage. An empty text stands for null.
const readColumns = `message_id, carrier_code, status, coalesce(error_code, ''), coalesce(sender_id, ''),
	coalesce(recipient, ''), updated_at, raw_payload, raw_status, status_at, received_at, first_seen_at,
	coalesce(region, ''), region_source, coalesce(segments, 0), submitted_at, coalesce(cost, ''),
	coalesce(currency, ''), compliance, coalesce(compliance_reason, ''), receipt_key, column_ranks`

// row is what *sql.Row and *sql.Rows have in common.
type row interface {
	Scan(into ...any) error
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func query[T any](ctx context.Context, q querier, scan func(row) (T, error), text string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return scanAll(rows, scan)
}

func scanAll[T any](rows *sql.Rows, scan func(row) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func scanMessage(r row) (*sms.Message, error) {
	var (
		m          sms.Message
		status     string
		key, ranks []byte
	)
	err := r.Scan(&m.ID, &m.Carrier, &status, &m.ErrorCode, &m.SenderID, &m.Recipient, instant{&m.Updated},
		&m.Raw, &m.RawStatus, instant{&m.StatusAt}, instant{&m.Received}, instant{&m.FirstSeen},
		&m.Region, &m.RegionSource, &m.Segments, instant{&m.Submitted}, &m.Cost, &m.Currency,
		&m.Compliance, &m.ComplianceReason, &key, &ranks)
	if err != nil {
		return nil, err
	}
	if m.Status, err = sms.ParseStatus(status); err != nil {
		return nil, err
	}
	if m.Ranks, err = sms.ParseRanks(ranks); err != nil {
		return nil, err
	}
	m.Key, err = sms.ParseKey(key)
	return &m, err
}

func scanPast(r row) (p sms.PastReceipt, err error) {
	var (
		status string
		key    []byte
	)
	err = r.Scan(&p.MessageID, &key, &status, &p.RawStatus, instant{&p.At}, instant{&p.Received}, &p.Raw)
	if err != nil {
		return p, err
	}
	if p.Status, err = sms.ParseStatus(status); err != nil {
		return p, err
	}
	p.Key, err = sms.ParseKey(key)
	return p, err
}

func scanTally(r row) (t store.Tally, err error) {
	var status string
	if err := r.Scan(&t.Carrier, &t.Region, &status, &t.Compliance, &t.Messages); err != nil {
		return t, err
	}
	t.Status, err = sms.ParseStatus(status)
	return t, err
}
