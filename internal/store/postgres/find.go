package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// listedMessage is messageColumns without the raw body.
var listedMessage = strings.Replace(messageColumns, "raw_payload", "NULL", 1)

var (
	// The index sms_messages_recipient gives the newest messages to each spelling of the number: the
	// cost is that of two pages, however many messages it has got.
	messagesTo = "SELECT " + listedMessage + ` FROM unnest($1::text[]) AS wanted (number)
		CROSS JOIN LATERAL (SELECT * FROM sms_messages WHERE recipient = wanted.number
			ORDER BY first_seen_at DESC LIMIT $2) AS m
		ORDER BY first_seen_at DESC LIMIT $2`

	recentMessages = "SELECT " + listedMessage + " FROM sms_messages ORDER BY first_seen_at DESC LIMIT $1"
)

// The bodies are read only of the events that are listed, and not while these are sorted.
const threadJournal = `SELECT type, version, updated_at, received_at,
		substring(convert_to(raw::text, 'UTF8') FROM 1 FOR $3), octet_length(raw::text)
	FROM (SELECT * FROM thread_events WHERE thread_id = $1 ORDER BY received_at DESC, version DESC LIMIT $2) AS listed
	ORDER BY received_at DESC, version DESC`

// MessagesTo implements store.Finder.
func (s *Store) MessagesTo(ctx context.Context, recipient string, limit int) ([]*sms.Message, error) {
	numbers := store.Spellings(recipient)
	return s.messages(ctx, "find messages", messagesTo, numbers[:], limit)
}

// RecentMessages implements store.Finder.
func (s *Store) RecentMessages(ctx context.Context, limit int) ([]*sms.Message, error) {
	return s.messages(ctx, "list messages", recentMessages, limit)
}

func (s *Store) messages(ctx context.Context, op, statement string, args ...any) ([]*sms.Message, error) {
	rows, err := s.reads.Query(ctx, statement, args...)
	if err != nil {
		return nil, failed(op, err)
	}
	messages, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*sms.Message, error) { return scanMessage(row) })
	if err != nil {
		return nil, failed(op, err)
	}
	return messages, nil
}

// Events implements store.Finder.
func (s *Store) Events(ctx context.Context, threadID string, limit, rawBytes int) ([]store.ThreadEvent, error) {
	rows, err := s.reads.Query(ctx, threadJournal, threadID, limit, rawBytes)
	if err != nil {
		return nil, failed("read journal", err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, failed("read journal", err)
	}
	return events, nil
}

func scanEvent(row pgx.CollectableRow) (e store.ThreadEvent, err error) {
	var updated *time.Time
	err = row.Scan(&e.Type, &e.Version, &updated, &e.Received, &e.Raw, &e.Size)
	e.UpdatedAt, e.Received = timeOf(updated), e.Received.UTC()
	return e, err
}
