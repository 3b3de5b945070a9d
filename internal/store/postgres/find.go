package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// listedMessage is selectedMessage without the raw body.
var listedMessage = strings.Replace(selectedMessage, "raw_payload", "NULL", 1)

// The indexes hold the times, but not the ids. So the condition on the time alone is for the index, and
// only those that were first seen at the same moment are sorted.
const (
	messagesFollowing = `first_seen_at <= $1 AND (first_seen_at, message_id COLLATE "C") < ($1, $2)`
	newestFirst       = ` ORDER BY first_seen_at DESC, message_id COLLATE "C" DESC LIMIT $3`
)

var (
	// The index sms_messages_recipient gives the newest messages to each spelling of the number: the
	// cost is that of two pages, however many messages it has got.
	messagesTo = "SELECT " + listedMessage + ` FROM unnest($4::text[]) AS wanted (number)
		CROSS JOIN LATERAL (SELECT * FROM sms_messages WHERE recipient = wanted.number AND ` +
		messagesFollowing + newestFirst + ") AS m" + newestFirst

	recentMessages = "SELECT " + listedMessage + " FROM sms_messages WHERE " + messagesFollowing + newestFirst
)

// The bodies are read only of the events that are listed, and not while these are sorted.
const threadJournal = `SELECT type, version, updated_at, received_at,
		substring(convert_to(raw::text, 'UTF8') FROM 1 FOR $3), octet_length(raw::text)
	FROM (SELECT * FROM thread_events WHERE thread_id = $1 ORDER BY received_at DESC, version DESC LIMIT $2) AS listed
	ORDER BY received_at DESC, version DESC`

// MessagesTo implements store.Finder.
func (s *Store) MessagesTo(ctx context.Context, recipient string, after store.ItemPosition, limit int) ([]*sms.Message, error) {
	numbers := store.Spellings(recipient)
	return s.messages(ctx, "find messages", messagesTo, latestOf(after.At), after.ID, limit, numbers[:])
}

// RecentMessages implements store.Finder.
func (s *Store) RecentMessages(ctx context.Context, after store.ItemPosition, limit int) ([]*sms.Message, error) {
	return s.messages(ctx, "list messages", recentMessages, latestOf(after.At), after.ID, limit)
}

// latestOf is a time to compare with first_seen_at: later than all if it is zero.
func latestOf(t time.Time) pgtype.Timestamptz {
	if t.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: t, Valid: true}
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
