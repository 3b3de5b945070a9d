package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// eraseLock is the key of the advisory lock of those who erase. It is any number that nobody else uses
// in this database.
const eraseLock = 7_204_511_903_284_406_114

// Erase implements store.Archive. Participants come last: as long as they are there, a step that looks
// at messages and events knows under which ids a person is in which thread. Items are erased while
// nobody has a lease on their thread, so what a push knows later is what was left then.
//
// It locks messages and threads in the order of their ids, as Commit does. Of dead letters it locks
// several, which those who have their threads may delete in another order: then it is tried again.
func (s *Store) Erase(ctx context.Context, p store.Person, cursor string, limit int) (erased store.Erased, err error) {
	seeker := p.Seeker()
	if len(seeker.Needles()) == 0 {
		return erased, errors.New("postgres: erase: nobody is named")
	}
	err = s.retryRaces("erase", func() error {
		return pgx.BeginFunc(ctx, s.reads, func(tx pgx.Tx) (err error) {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1), "+alongIndexes, int64(eraseLock)); err != nil {
				return err
			}
			e := &erasure{ctx: ctx, tx: tx, seeker: seeker, needles: seeker.Needles(), limit: limit, rows: make(map[string]int)}
			erased.Rows = e.rows
			erased.Cursor, err = store.StepPhases([]store.Phase{
				{Name: "receipts", Step: e.receipts},
				{Name: "messages", Step: e.messages},
				{Name: "events", Step: e.events},
				{Name: "letters", Step: e.letters},
				{Name: "threads", Step: e.threads},
				{Name: "participants", Step: e.participants},
			}, cursor)
			return err
		})
	})
	switch {
	case errors.Is(err, store.ErrLeased):
		return store.Erased{}, store.ErrLeased
	case err != nil:
		return store.Erased{}, err
	}
	return erased, nil
}

// erasure is the transaction of one step.
type erasure struct {
	ctx     context.Context
	tx      pgx.Tx
	seeker  *store.Seeker
	needles []string
	limit   int
	rows    map[string]int
}

// update changes rows of a table and counts them.
func (e *erasure) update(table, set string, args ...any) error {
	tag, err := e.tx.Exec(e.ctx, "UPDATE "+table+" SET "+set, args...)
	if n := int(tag.RowsAffected()); n > 0 {
		e.rows[table] += n
	}
	return err
}

// collectRows runs a query.
func collectRows[T any](e *erasure, scan pgx.RowToFunc[T], statement string, args ...any) ([]T, error) {
	rows, err := e.tx.Query(e.ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// hasNeedle is a condition that a text may name the person. The needles are a parameter.
func hasNeedle(text, parameter string) string {
	digits := "regexp_replace(" + text + `, '\\\\|\\u[0-9a-f]{4}|\\|[^0-9\\]+', '', 'gi')`
	return anyNeedle(parameter, "strpos("+text+", n.needle) > 0", digits)
}

// hasNeedleBytes is hasNeedle for a column of bytes. As encoded they have two backslashes for one, and one
// and three octal digits for a byte that is not ASCII.
func hasNeedleBytes(column, parameter string) string {
	digits := "regexp_replace(encode(" + column + `, 'escape'), '\\\\\\\\|\\\\u[0-9a-f]{4}|\\\\|\\[0-7]{3}|[^0-9\\]+', '', 'gi')`
	return anyNeedle(parameter, "position(convert_to(n.needle, 'UTF8') IN "+column+") > 0", digits)
}

// anyNeedle is a condition that one of the needles is in a text, or in its digits as store.Digits has them.
func anyNeedle(parameter, isInText, digits string) string {
	return "EXISTS (SELECT FROM unnest(" + parameter + "::text[]) AS n (needle) WHERE " + isInText +
		" OR n.needle ~ '^[0-9]+$' AND strpos(" + digits + ", n.needle) > 0)"
}

var (
	// Messages are walked through by time, in the order in which they are stored.
	messagePage = `SELECT message_id, first_seen_at::text FROM sms_messages m
		WHERE m.first_seen_at >= $1::timestamptz AND (m.first_seen_at, m.message_id) > ($1::timestamptz, $2)
		ORDER BY m.first_seen_at, m.message_id LIMIT $3`

	messagesNaming = `SELECT message_id FROM sms_messages WHERE message_id = ANY($1)
			AND ` + hasNeedle("concat_ws(' ', recipient, sender_id, raw_payload::text)", "$2") + `
		UNION SELECT message_id FROM sms_receipts WHERE message_id = ANY($1) AND ` + hasNeedle("raw_payload::text", "$2")

	lockMessages = `SELECT message_id, coalesce(recipient, ''), coalesce(sender_id, ''), raw_payload::text
		FROM sms_messages WHERE message_id = ANY($1) ORDER BY message_id FOR UPDATE`
)

// sentMessage is what may name the person in a message.
type sentMessage struct{ ID, Recipient, Sender, Raw string }

// receipts erases the messages that were sent to or by the person, or that name the person anywhere,
// and their receipts.
func (e *erasure) receipts(position string) (next string, err error) {
	after := [2]string{"-infinity", ""}
	if err := readPosition(position, &after); err != nil {
		return "", err
	}
	type seen struct{ ID, At string }
	page, err := collectRows(e, pgx.RowToStructByPos[seen], messagePage, after[0], after[1], e.limit)
	if err != nil || len(page) == 0 {
		return "", err
	}
	ids := make([]string, len(page))
	for i, p := range page {
		ids[i] = p.ID
	}
	if len(page) == e.limit {
		next = positionOf(page[e.limit-1].At, page[e.limit-1].ID)
	}
	found, err := collectRows(e, pgx.RowTo[string], messagesNaming, ids, e.needles)
	if err != nil || len(found) == 0 {
		return next, err
	}
	messages, err := collectRows(e, pgx.RowToStructByPos[sentMessage], lockMessages, found)
	if err != nil {
		return "", err
	}
	for _, m := range messages {
		if err := e.message(&m); err != nil {
			return "", err
		}
	}
	return next, nil
}

func (e *erasure) message(m *sentMessage) error {
	in := func(text string) bool { return e.seeker.In([]byte(text)) }
	if !in(m.Recipient) && !in(m.Sender) && !in(m.Raw) {
		receipts, err := collectRows(e, pgx.RowTo[string], "SELECT raw_payload::text FROM sms_receipts WHERE message_id = $1", m.ID)
		if err != nil || !slices.ContainsFunc(receipts, in) {
			return err
		}
	}
	if in(m.Recipient) {
		m.Recipient = ""
	}
	if in(m.Sender) {
		m.Sender = ""
	}
	err := e.update("sms_messages", "recipient = nullif($2, ''), sender_id = nullif($3, ''), raw_payload = $4 WHERE message_id = $1",
		m.ID, m.Recipient, m.Sender, store.ErasedBody)
	if err != nil {
		return err
	}
	return e.update("sms_receipts", "raw_payload = $2::text::json WHERE message_id = $1 AND raw_payload::text <> $2", m.ID, store.ErasedBody)
}

// positionOf is a place in a table as a step tells it to the next one.
func positionOf(key ...string) string {
	encoded, err := json.Marshal(key)
	if err != nil {
		panic(err) // texts alone
	}
	return string(encoded)
}

// readPosition reads what positionOf wrote. The position "" changes nothing.
func readPosition(position string, into any) error {
	if position == "" {
		return nil
	}
	return json.Unmarshal([]byte(position), into)
}

var peopleNaming = `SELECT ` + selectedItem + ` FROM thread_items i
	WHERE i.thread_id = ANY($1) AND i.kind = 'participant' AND ` + hasNeedle("concat_ws(' ', i.item_id, i.content)", "$2")

// aliases returns under which ids the person takes part in threads, by thread: see store.Seeker.
func (e *erasure) aliases(threads []string) (map[string][]string, error) {
	rows, err := e.tx.Query(e.ctx, linksAbove, threads)
	if err != nil {
		return nil, err
	}
	links := make(map[string]thread.Link)
	if err := scanLinks(rows, links); err != nil {
		return nil, err
	}
	all := slices.Clone(threads)
	for id, link := range links {
		all = append(all, id, link.Parent)
	}
	people, err := collectRows(e, scanItem, peopleNaming, all, e.needles)
	if err != nil {
		return nil, err
	}
	aliases := e.seeker.Aliases(threads, links, people)
	maps.DeleteFunc(aliases, func(_ string, ids []string) bool { return len(ids) == 0 })
	return aliases, nil
}

const (
	nextItems = `SELECT thread_id, kind, item_id FROM thread_items
		WHERE (thread_id, kind, item_id) > ($1, $2, $3) ORDER BY thread_id, kind, item_id LIMIT $4`

	lockThreadsOf = "SELECT FROM threads WHERE thread_id = ANY($1) ORDER BY thread_id FOR UPDATE"

	// endLeases takes threads from workers whose leases have run out: until somebody else claims it, a
	// thread is still theirs. What they had sent may have been applied.
	endLeases = "UPDATE threads SET lease_until = NULL, uncertain = true WHERE thread_id = ANY($1) AND lease_until <= clock_timestamp()"

	areLeased = "SELECT EXISTS (SELECT FROM threads WHERE thread_id = ANY($1) AND lease_until IS NOT NULL)"
)

var itemsNaming = `SELECT ` + selectedItem + `
	FROM (SELECT unnest($1::text[]) AS thread_id, unnest($2::text[]) AS kind, unnest($3::text[]) AS item_id) AS key
	JOIN thread_items i USING (thread_id, kind, item_id)
	WHERE i.thread_id = ANY($4) OR ` + hasNeedle("concat_ws(' ', i.item_id, i.content)", "$5")

// eachItem calls erase for each item of a page that is of a kind and names the person. Their threads
// are locked, and nobody has a lease on them.
func (e *erasure) eachItem(position string, kind thread.ItemKind, erase func(*thread.Item) error) (next string, err error) {
	after := [3]string{}
	if err := readPosition(position, &after); err != nil {
		return "", err
	}
	page, err := collectRows(e, pgx.RowToStructByPos[thread.ItemKey], nextItems, after[0], after[1], after[2], e.limit)
	if err != nil {
		return "", err
	}
	if len(page) == e.limit {
		last := page[e.limit-1]
		next = positionOf(last.ThreadID, string(last.Kind), last.ID)
	}
	page = slices.DeleteFunc(page, func(k thread.ItemKey) bool { return k.Kind != kind })
	if len(page) == 0 {
		return next, nil
	}
	found, err := e.namingItems(page)
	if err != nil {
		return "", err
	}
	for _, item := range found {
		if err := erase(item); err != nil {
			return "", err
		}
	}
	return next, nil
}

// namingItems finds the items that name the person, locks their threads, ends the leases on them and
// reads the items again.
func (e *erasure) namingItems(page []thread.ItemKey) (naming []*thread.Item, err error) {
	threads, kinds, ids := itemKeys(page)
	aliases, err := e.aliases(slices.Compact(slices.Clone(threads)))
	if err != nil {
		return nil, err
	}
	known := slices.Collect(maps.Keys(aliases))
	for range 2 {
		items, err := collectRows(e, scanItem, itemsNaming, threads, kinds, ids, known, e.needles)
		if err != nil {
			return nil, err
		}
		naming = slices.DeleteFunc(items, func(i *thread.Item) bool {
			return !e.seeker.With(aliases[i.ThreadID]).InItem(i)
		})
		if len(naming) == 0 {
			return nil, nil
		}
		keys := make([]thread.ItemKey, len(naming))
		for i, item := range naming {
			keys[i] = item.ItemKey
		}
		threads, kinds, ids = itemKeys(keys)
		if _, err := e.tx.Exec(e.ctx, lockThreadsOf, threads); err != nil {
			return nil, err
		}
	}
	return naming, e.endLeases(threads)
}

// endLeases returns store.ErrLeased while the lease on a thread runs. When it returns nil nobody has the
// threads, which are locked.
func (e *erasure) endLeases(threads []string) error {
	if _, err := e.tx.Exec(e.ctx, endLeases, threads); err != nil {
		return err
	}
	var isLeased bool
	err := e.tx.QueryRow(e.ctx, areLeased, threads).Scan(&isLeased)
	if err == nil && isLeased {
		return store.ErrLeased
	}
	return err
}

// messages erases what the person wrote in threads, and what names the number. Hashes and stamps
// stay, so nothing is pushed and an event that is older changes nothing.
func (e *erasure) messages(position string) (next string, err error) {
	return e.eachItem(position, thread.KindMessage, func(i *thread.Item) error {
		return e.update("thread_items", "content = $4 WHERE thread_id = $1 AND kind = $2 AND item_id = $3 AND content <> $4",
			i.ThreadID, string(i.Kind), i.ID, string(store.EraseMessage(i.Content)))
	})
}

// participants erases the person. The row stays under another id, for the CRM has it. A push that
// ended since the steps before knew the person, so what it left behind is looked at once more.
func (e *erasure) participants(position string) (next string, err error) {
	return e.eachItem(position, thread.KindParticipant, func(i *thread.Item) error {
		if err := e.pushed(i); err != nil {
			return err
		}
		id := store.ErasedText + "-" + rand.Text()
		if err := e.renameLetter(i.ItemKey, id); err != nil {
			return err
		}
		return e.update("thread_items", "item_id = $4, content = nullif($5, '') WHERE thread_id = $1 AND kind = $2 AND item_id = $3",
			i.ThreadID, string(i.Kind), i.ID, id, string(store.EraseParticipant(i.Content, id)))
	})
}
