package sqlite

import (
	"context"
	"strings"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// listedMessage is readColumns without the raw body.
var listedMessage = strings.Replace(readColumns, "raw_payload", "NULL", 1)

// messagesBelow finds the row below which a list goes on after the message of the id ?1 that was first seen at
// ?2; with ?2 NULL it begins.
//
// Retention may have deleted that message, even if a late receipt has made it anew at the top. Then the list
// goes on below the first row of a later message. Looking from that end, retention has left few rows before
// it; and a receipt that was replayed, whose row is above those of its time, is not taken for the place.
const messagesBelow = `WITH below (id) AS MATERIALIZED (SELECT coalesce(
		(SELECT rowid FROM sms_messages WHERE message_id = ?1 AND first_seen_at <= ?2),
		(SELECT rowid FROM sms_messages WHERE ?2 IS NOT NULL AND (first_seen_at, message_id) > (?2, ?1) ORDER BY rowid LIMIT 1),
		(SELECT max(rowid) + 1 FROM sms_messages)))
	SELECT `

var (
	// The index sms_messages_recipient gives the rows of each spelling in their order, and they are
	// merged: the cost is that of a page, however many messages a number has got.
	messagesTo = messagesBelow + listedMessage + ` FROM sms_messages WHERE rowid IN (
			SELECT rowid FROM sms_messages WHERE recipient = ?4 AND rowid < (SELECT id FROM below)
			UNION ALL SELECT rowid FROM sms_messages WHERE recipient = ?5 AND rowid < (SELECT id FROM below)
			ORDER BY rowid DESC LIMIT ?3)
		ORDER BY rowid DESC`

	recentMessages = messagesBelow + listedMessage + ` FROM sms_messages
		WHERE rowid < (SELECT id FROM below) ORDER BY rowid DESC LIMIT ?3`
)

// The length of a text is in letters unless it is asked for as bytes.
const threadJournal = `SELECT type, version, updated_at, received_at, substr(CAST(raw AS BLOB), 1, ?3), octet_length(raw)
	FROM thread_events WHERE thread_id = ?1 ORDER BY received_at DESC, version DESC LIMIT ?2`

// MessagesTo implements store.Finder. Rows are in the order in which they were inserted, and there is
// no spool beside this store: that is the order in which the messages were first seen.
func (s *Store) MessagesTo(ctx context.Context, recipient string, after store.ItemPosition, limit int) ([]*sms.Message, error) {
	numbers := store.Spellings(recipient)
	messages, err := query(ctx, s.readers, scanMessage, messagesTo, after.ID, timeText(after.At), limit, numbers[0], numbers[1])
	if err != nil {
		return nil, failed("find messages", err)
	}
	return messages, nil
}

// RecentMessages implements store.Finder. See MessagesTo for the order.
func (s *Store) RecentMessages(ctx context.Context, after store.ItemPosition, limit int) ([]*sms.Message, error) {
	messages, err := query(ctx, s.readers, scanMessage, recentMessages, after.ID, timeText(after.At), limit)
	if err != nil {
		return nil, failed("list messages", err)
	}
	return messages, nil
}

// Events implements store.Finder.
func (s *Store) Events(ctx context.Context, threadID string, limit, rawBytes int) ([]store.ThreadEvent, error) {
	events, err := query(ctx, s.readers, scanEvent, threadJournal, threadID, limit, rawBytes)
	if err != nil {
		return nil, failed("read journal", err)
	}
	return events, nil
}

func scanEvent(r row) (e store.ThreadEvent, err error) {
	err = r.Scan(&e.Type, &e.Version, instant{&e.UpdatedAt}, instant{&e.Received}, &e.Raw, &e.Size)
	return e, err
}
