package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Erase implements store.Archive. Participants come last of what is stored: as long as they are there,
// a step that looks at messages and events knows under which ids a person is in which thread. Items are
// erased while nobody has a lease on their thread, so what a push knows later is what was left then.
func (s *Store) Erase(ctx context.Context, p store.Person, cursor string, limit int) (store.Erased, error) {
	erased := store.Erased{Rows: make(map[string]int)}
	e := &eraser{store: s, ctx: ctx, seeker: p.Seeker(), limit: limit, rows: erased.Rows}
	if len(e.seeker.Needles()) == 0 {
		return store.Erased{}, errors.New("sqlite: erase: nobody is named")
	}
	next, err := store.StepPhases([]store.Phase{
		{Name: "receipts", Step: e.receipts},
		{Name: "messages", Step: e.messages},
		{Name: "events", Step: e.events},
		{Name: "letters", Step: e.letters},
		{Name: "threads", Step: e.threads},
		{Name: "participants", Step: e.participants},
		{Name: "file", Step: e.file},
	}, cursor)
	switch {
	case errors.Is(err, store.ErrLeased):
		return store.Erased{}, store.ErrLeased
	case err != nil:
		return store.Erased{}, failed("erase", err)
	}
	erased.Cursor = next
	return erased, nil
}

// eraser does one step.
type eraser struct {
	store  *Store
	ctx    context.Context
	seeker *store.Seeker
	limit  int
	rows   map[string]int
}

// change runs the transaction of a step, and returns the next position. Only what was committed is counted.
func (e *eraser) change(do func(t *erasure) (next string, err error)) (next string, err error) {
	t := &erasure{eraser: e, rows: make(map[string]int)}
	err = e.store.write(e.ctx, func(tx *sql.Tx) (err error) {
		t.tx = tx
		next, err = do(t)
		return err
	})
	if err != nil {
		return "", err
	}
	maps.Copy(e.rows, t.rows)
	return next, nil
}

// erasure is the transaction of a step.
type erasure struct {
	*eraser
	tx   *sql.Tx
	rows map[string]int
}

// update changes a row and counts it.
func (t *erasure) update(table, set string, args ...any) error {
	changed, err := affects(t.tx.ExecContext(t.ctx, "UPDATE "+table+" SET "+set, args...))
	if changed {
		t.rows[table]++
	}
	return err
}

// digitsOf is store.Digits in SQL.
const digitsOf = "cxbridge_digits"

func init() {
	sqlite.MustRegisterDeterministicScalarFunction(digitsOf, 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		switch v := args[0].(type) {
		case string:
			return string(store.Digits([]byte(v))), nil
		case []byte:
			return string(store.Digits(v)), nil
		}
		return nil, nil
	})
}

// hasNeedle is a condition that columns may name the person: one of the needles is in one of them, or in
// its digits. Its parameter is needles.
func hasNeedle(columns ...string) string {
	conditions := make([]string, len(columns))
	for i, c := range columns {
		text := "CAST(" + c + " AS BLOB)"
		conditions[i] = "instr(" + text + ", CAST(value AS BLOB)) > 0 OR value NOT GLOB '*[^0-9]*' AND instr(" + digitsOf + "(" + text + "), value) > 0"
	}
	return "EXISTS (SELECT 1 FROM json_each(?) WHERE " + strings.Join(conditions, " OR ") + ")"
}

func (e *eraser) needles() string { return jsonList(e.seeker.Needles()) }

// rowPage returns the rowids that bound the next page of a table, after the first and up to the last of
// them, and the next position.
func (t *erasure) rowPage(table, position string) (after, last int64, next string, err error) {
	if position != "" {
		if after, err = strconv.ParseInt(position, 10, 64); err != nil {
			return 0, 0, "", err
		}
	}
	var n int
	err = t.tx.QueryRowContext(t.ctx, "SELECT coalesce(max(rowid), 0), count(*) FROM (SELECT rowid FROM "+table+
		" WHERE rowid > ? ORDER BY rowid LIMIT ?)", after, t.limit).Scan(&last, &n)
	if n == t.limit {
		next = strconv.FormatInt(last, 10)
	}
	return after, last, next, err
}

// sentMessage is what may name the person in a message or in its receipts.
type sentMessage struct {
	rowid             int64
	id                string
	recipient, sender []byte
	raw               []byte
}

var (
	messagesNaming = `SELECT rowid, message_id, recipient, sender_id, raw_payload FROM sms_messages
		WHERE rowid > ? AND rowid <= ? AND (` + hasNeedle("recipient", "sender_id", "raw_payload") + `
			OR EXISTS (SELECT 1 FROM sms_receipts r WHERE r.message_id = sms_messages.message_id AND ` + hasNeedle("r.raw_payload") + `))`

	receiptsNaming = "SELECT raw_payload FROM sms_receipts WHERE message_id = ?"
)

// receipts erases the messages that were sent to or by the person, or that name the person anywhere,
// and their receipts.
func (e *eraser) receipts(position string) (next string, err error) {
	return e.change(func(t *erasure) (string, error) {
		after, last, next, err := t.rowPage("sms_messages", position)
		if err != nil {
			return "", err
		}
		found, err := query(t.ctx, t.tx, scanSent, messagesNaming, after, last, t.needles(), t.needles())
		if err != nil {
			return "", err
		}
		for _, m := range found {
			if err := t.message(&m); err != nil {
				return "", err
			}
		}
		return next, nil
	})
}

func scanSent(r row) (m sentMessage, err error) {
	err = r.Scan(&m.rowid, &m.id, &m.recipient, &m.sender, &m.raw)
	return m, err
}

func (t *erasure) message(m *sentMessage) error {
	isNamed := t.seeker.In(m.recipient) || t.seeker.In(m.sender) || t.seeker.In(m.raw)
	if !isNamed {
		receipts, err := query(t.ctx, t.tx, func(r row) (raw []byte, err error) {
			err = r.Scan(&raw)
			return raw, err
		}, receiptsNaming, m.id)
		if err != nil || !slices.ContainsFunc(receipts, t.seeker.In) {
			return err
		}
	}
	recipient, sender := text(string(m.recipient)), text(string(m.sender))
	if t.seeker.In(m.recipient) {
		recipient = nil
	}
	if t.seeker.In(m.sender) {
		sender = nil
	}
	if err := t.update("sms_messages", "recipient = ?, sender_id = ?, raw_payload = ? WHERE rowid = ?",
		recipient, sender, store.ErasedBody, m.rowid); err != nil {
		return err
	}
	result, err := t.tx.ExecContext(t.ctx, "UPDATE sms_receipts SET raw_payload = ?1 WHERE message_id = ?2 AND raw_payload <> ?1",
		store.ErasedBody, m.id)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	t.rows["sms_receipts"] += int(n)
	return err
}

// aliases returns under which ids the person takes part in threads, by thread: as a participant of the
// thread itself or of one above it, from which a split may have taken its messages.
func (t *erasure) aliases(threads []string) (map[string][]string, error) {
	slices.Sort(threads)
	threads = slices.Compact(threads)
	found, err := query(t.ctx, t.tx, scanLink, linksAbove, jsonList(threads))
	if err != nil {
		return nil, err
	}
	links := linksByID(found)
	all := slices.Clone(threads)
	for id, link := range links {
		all = append(all, id, link.Parent)
	}
	people, err := query(t.ctx, t.tx, scanItem, "SELECT "+itemColumns+` FROM json_each(?) AS wanted CROSS JOIN thread_items
		ON thread_id = wanted.value AND kind = 'participant' WHERE `+hasNeedle("item_id", "content"), jsonList(all), t.needles())
	if err != nil {
		return nil, err
	}
	return t.seeker.Aliases(threads, links, people), nil
}

// itemPage returns the keys of the next items, and the next position.
func (t *erasure) itemPage(position string) (page []thread.ItemKey, next string, err error) {
	after := [3]string{}
	if position != "" {
		if err := json.Unmarshal([]byte(position), &after); err != nil {
			return nil, "", err
		}
	}
	page, err = query(t.ctx, t.tx, scanItemKey, `SELECT thread_id, kind, item_id FROM thread_items
		WHERE (thread_id, kind, item_id) > (?, ?, ?) ORDER BY thread_id, kind, item_id LIMIT ?`, after[0], after[1], after[2], t.limit)
	if len(page) == t.limit {
		next = jsonList(itemTriples(page[t.limit-1:])[0][:])
	}
	return page, next, err
}

// endLease takes a thread from a worker whose lease has run out: until somebody else claims it, it is
// still the worker's. What was sent may have been applied.
const endLease = "UPDATE threads SET lease_until = NULL, uncertain = TRUE WHERE thread_id = ? AND lease_until <= ?"

// endLease returns store.ErrLeased while the lease on a thread runs. When it returns nil nobody has the
// thread.
func (t *erasure) endLease(threadID string) error {
	if _, err := t.tx.ExecContext(t.ctx, endLease, threadID, timeText(t.store.queueTime())); err != nil {
		return err
	}
	var isLeased bool
	err := t.tx.QueryRowContext(t.ctx, "SELECT EXISTS (SELECT 1 FROM threads WHERE thread_id = ? AND lease_until IS NOT NULL)", threadID).Scan(&isLeased)
	if err == nil && isLeased {
		return store.ErrLeased
	}
	return err
}

// eachItem calls erase for each item of a page that is of a kind and names the person. Nobody has
// their threads.
func (t *erasure) eachItem(position string, kind thread.ItemKind, erase func(*thread.Item) error) (next string, err error) {
	page, next, err := t.itemPage(position)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, k := range page {
		ids = append(ids, k.ThreadID)
	}
	aliases, err := t.aliases(ids)
	if err != nil {
		return "", err
	}
	for _, key := range page {
		if key.Kind != kind {
			continue
		}
		items, err := query(t.ctx, t.tx, scanItem, "SELECT "+itemColumns+` FROM thread_items
			WHERE thread_id = ? AND kind = ? AND item_id = ? AND (? OR `+hasNeedle("item_id", "content")+")",
			key.ThreadID, string(key.Kind), key.ID, len(aliases[key.ThreadID]) > 0, t.needles())
		if err != nil {
			return "", err
		}
		seeker := t.seeker.With(aliases[key.ThreadID])
		for _, item := range items {
			if !seeker.InItem(item) {
				continue
			}
			if err := t.endLease(item.ThreadID); err != nil {
				return "", err
			}
			if err := erase(item); err != nil {
				return "", err
			}
		}
	}
	return next, nil
}

// messages erases what the person wrote in threads, and what names the number. Hashes and stamps
// stay, so nothing is pushed and an event that is older changes nothing.
func (e *eraser) messages(position string) (next string, err error) {
	return e.change(func(t *erasure) (string, error) {
		return t.eachItem(position, thread.KindMessage, func(i *thread.Item) error {
			return t.update("thread_items", "content = ?4 WHERE thread_id = ?1 AND kind = ?2 AND item_id = ?3 AND content <> ?4",
				i.ThreadID, string(i.Kind), i.ID, string(store.EraseMessage(i.Content)))
		})
	})
}

// participants erases the person. The row stays under another id, for the CRM has it. A push that
// ended since the steps before knew the person, so what it left behind is looked at once more.
func (e *eraser) participants(position string) (next string, err error) {
	return e.change(func(t *erasure) (string, error) {
		return t.eachItem(position, thread.KindParticipant, func(i *thread.Item) error {
			if err := t.pushed(i); err != nil {
				return err
			}
			id := store.ErasedText + "-" + rand.Text()
			if err := t.renameLetter(i.ItemKey, id); err != nil {
				return err
			}
			return t.update("thread_items", "item_id = ?, content = ? WHERE thread_id = ? AND kind = ? AND item_id = ?",
				id, text(string(store.EraseParticipant(i.Content, id))), i.ThreadID, string(i.Kind), i.ID)
		})
	})
}

// pushed erases a participant from what a push of the thread left behind.
func (t *erasure) pushed(i *thread.Item) error {
	seeker := t.seeker.With([]string{i.ID})
	for _, key := range []store.LetterKey{store.PushLetter(i.ThreadID), store.ItemLetter(i.ItemKey)} {
		digest := key.Digest()
		letters, err := query(t.ctx, t.tx, scanLetter, "SELECT "+letterColumns+" FROM dead_letters WHERE digest = ?", digest[:])
		if err != nil {
			return err
		}
		for _, l := range letters {
			if err := t.letter(&l, seeker); err != nil {
				return err
			}
		}
	}
	var words string
	if err := t.tx.QueryRowContext(t.ctx, "SELECT last_error FROM threads WHERE thread_id = ?", i.ThreadID).Scan(&words); err != nil {
		return err
	}
	return t.said(i.ThreadID, words, seeker)
}

// renameLetter makes the dead letter about an item one about the other id that the item gets.
func (t *erasure) renameLetter(key thread.ItemKey, id string) error {
	before := store.ItemLetter(key).Digest()
	key.ID = id
	after := store.ItemLetter(key).Digest()
	_, err := t.tx.ExecContext(t.ctx, "UPDATE dead_letters SET digest = ? WHERE digest = ?", after[:], before[:])
	return err
}

// said erases what the CRM said of a thread, if it names the person.
func (t *erasure) said(threadID, words string, seeker *store.Seeker) error {
	if !seeker.In([]byte(words)) {
		return nil
	}
	return t.update("threads", "last_error = ? WHERE thread_id = ?", store.ErasedText, threadID)
}

// threads erases what the CRM said about the person.
func (e *eraser) threads(position string) (next string, err error) {
	return e.change(func(t *erasure) (string, error) {
		after, last, next, err := t.rowPage("threads", position)
		if err != nil {
			return "", err
		}
		type said struct{ threadID, words string }
		all, err := query(t.ctx, t.tx, func(r row) (s said, err error) {
			err = r.Scan(&s.threadID, &s.words)
			return s, err
		}, "SELECT thread_id, last_error FROM threads WHERE rowid > ? AND rowid <= ? AND last_error <> ''", after, last)
		if err != nil {
			return "", err
		}
		ids := make([]string, len(all))
		for i, s := range all {
			ids[i] = s.threadID
		}
		aliases, err := t.aliases(ids)
		if err != nil {
			return "", err
		}
		for _, s := range all {
			if err := t.said(s.threadID, s.words, t.seeker.With(aliases[s.threadID])); err != nil {
				return "", err
			}
		}
		return next, nil
	})
}

// file writes the file anew and cuts back its log: what was deleted or overwritten, now or earlier,
// stays in the free places of a file until then.
func (e *eraser) file(string) (next string, err error) {
	s := e.store
	s.closing.RLock()
	defer s.closing.RUnlock()
	if _, err := s.writer.ExecContext(e.ctx, "VACUUM"); err != nil {
		return "", err
	}
	return "", s.cutLog(e.ctx)
}
