package postgres

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// place is that of a row in a table, and the thread that the row is of: "" when it is of none.
type place struct{ At, Key, ThreadID string }

// threadsOf returns the threads that rows are of, each once.
func threadsOf(page []place) []string {
	ids := make([]string, len(page))
	for i, p := range page {
		ids[i] = p.ThreadID
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

var (
	// Events are walked through by time, in the order in which they are stored.
	eventPage = `SELECT received_at::text, encode(event_key, 'hex'), thread_id FROM thread_events e
		WHERE e.received_at >= $1::timestamptz AND (e.received_at, e.event_key) > ($1::timestamptz, $2::bytea)
		ORDER BY e.received_at, e.event_key LIMIT $3`

	eventsNaming = `SELECT event_key, thread_id, raw::text FROM thread_events
		WHERE event_key = ANY($1) AND (thread_id = ANY($2) OR ` + hasNeedle("raw::text", "$3") + ")"
)

// events erases the events of threads that name the person.
func (e *erasure) events(position string) (next string, err error) {
	after := [2]string{"-infinity", ""}
	if err := readPosition(position, &after); err != nil {
		return "", err
	}
	key, err := hex.DecodeString(after[1])
	if err != nil {
		return "", err
	}
	page, err := collectRows(e, pgx.RowToStructByPos[place], eventPage, after[0], key, e.limit)
	if err != nil {
		return "", err
	}
	if len(page) == e.limit {
		next = positionOf(page[e.limit-1].At, page[e.limit-1].Key)
	}
	keys := make([][]byte, len(page))
	for i, p := range page {
		if keys[i], err = hex.DecodeString(p.Key); err != nil {
			return "", err
		}
	}
	naming, err := e.namingEvents(keys, threadsOf(page))
	if err != nil || len(naming) == 0 {
		return next, err
	}
	return next, e.update("thread_events", "raw = $2 WHERE event_key = ANY($1)", naming, store.ErasedBody)
}

// namingEvents returns the keys of the events that name the person. Bodies are large, so they are
// looked at one by one as they come.
func (e *erasure) namingEvents(keys [][]byte, threads []string) (naming [][]byte, err error) {
	aliases, err := e.aliases(threads)
	if err != nil {
		return nil, err
	}
	rows, err := e.tx.Query(e.ctx, eventsNaming, keys, slices.Collect(maps.Keys(aliases)), e.needles)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			key, raw []byte
			threadID string
		)
		if err := rows.Scan(&key, &threadID, &raw); err != nil {
			return nil, err
		}
		if e.seeker.With(aliases[threadID]).In(raw) {
			naming = append(naming, key)
		}
	}
	return naming, rows.Err()
}

var (
	letterPage = `SELECT '', id::text, CASE kind WHEN 'sms' THEN '' ELSE subject END FROM dead_letters l
		WHERE l.id > $1 ORDER BY l.id LIMIT $2`

	lettersNaming = `SELECT id FROM dead_letters WHERE id > $1 AND id <= $2
			AND (kind <> 'sms' AND subject = ANY($3) OR ` + hasNeedle("subject || ' ' || reason", "$4") + ` OR ` + hasNeedleBytes("raw", "$4") + `)
		ORDER BY digest FOR UPDATE`
)

// letters erases the dead letters that name the person. Their digests stay: what comes again is known.
func (e *erasure) letters(position string) (next string, err error) {
	var after, last int64
	if position != "" {
		if _, err := fmt.Sscan(position, &after); err != nil {
			return "", err
		}
	}
	page, err := collectRows(e, pgx.RowToStructByPos[place], letterPage, after, e.limit)
	if err != nil || len(page) == 0 {
		return "", err
	}
	if _, err := fmt.Sscan(page[len(page)-1].Key, &last); err != nil {
		return "", err
	}
	if len(page) == e.limit {
		next = fmt.Sprint(last)
	}
	aliases, err := e.aliases(threadsOf(page))
	if err != nil {
		return "", err
	}
	naming, err := collectRows(e, pgx.RowTo[int64], lettersNaming, after, last, slices.Collect(maps.Keys(aliases)), e.needles)
	if err != nil {
		return "", err
	}
	for _, id := range naming {
		if err := e.letter(id, aliases); err != nil {
			return "", err
		}
	}
	return next, nil
}

func (e *erasure) letter(id int64, aliases map[string][]string) error {
	letters, err := collectRows(e, scanLetter, "SELECT "+letterColumns+" FROM dead_letters WHERE id = $1", id)
	if err != nil || len(letters) == 0 {
		return err
	}
	letter, seeker := &letters[0], e.seeker
	if letter.Kind != store.KindSMS {
		seeker = seeker.With(aliases[letter.Subject])
	}
	return e.eraseLetter(letter, seeker)
}

func (e *erasure) eraseLetter(l *store.DeadLetter, seeker *store.Seeker) error {
	if !seeker.EraseLetter(l) {
		return nil
	}
	return e.update("dead_letters", "subject = $2, reason = $3, raw = $4 WHERE id = $1", l.ID, l.Subject, l.Reason, l.Raw)
}

// pushed erases a participant from what a push of the thread left behind.
func (e *erasure) pushed(i *thread.Item) error {
	seeker := e.seeker.With([]string{i.ID})
	push, item := store.PushLetter(i.ThreadID).Digest(), store.ItemLetter(i.ItemKey).Digest()
	letters, err := collectRows(e, scanLetter, "SELECT "+letterColumns+" FROM dead_letters WHERE digest = ANY($1) ORDER BY digest FOR UPDATE",
		[][]byte{push[:], item[:]})
	if err != nil {
		return err
	}
	for _, l := range letters {
		if err := e.eraseLetter(&l, seeker); err != nil {
			return err
		}
	}
	var words string
	if err := e.tx.QueryRow(e.ctx, "SELECT last_error FROM threads WHERE thread_id = $1", i.ThreadID).Scan(&words); err != nil {
		return err
	}
	return e.said(i.ThreadID, words, seeker)
}

// renameLetter makes the dead letter about an item one about the other id that the item gets.
func (e *erasure) renameLetter(key thread.ItemKey, id string) error {
	before := store.ItemLetter(key).Digest()
	key.ID = id
	after := store.ItemLetter(key).Digest()
	_, err := e.tx.Exec(e.ctx, "UPDATE dead_letters SET digest = $2 WHERE digest = $1", before[:], after[:])
	return err
}

// said erases what the CRM said of a thread, if it names the person.
func (e *erasure) said(threadID, words string, seeker *store.Seeker) error {
	if !seeker.In([]byte(words)) {
		return nil
	}
	return e.update("threads", "last_error = $2 WHERE thread_id = $1", threadID, store.ErasedText)
}

const saidOfThreads = "SELECT thread_id, last_error FROM threads WHERE thread_id = ANY($1) AND last_error <> '' ORDER BY thread_id FOR UPDATE"

// threads erases what the CRM said about the person.
func (e *erasure) threads(position string) (next string, err error) {
	page, err := collectRows(e, pgx.RowTo[string], "SELECT thread_id FROM threads WHERE thread_id > $1 ORDER BY thread_id LIMIT $2", position, e.limit)
	if err != nil {
		return "", err
	}
	if len(page) == e.limit {
		next = page[e.limit-1]
	}
	type said struct{ ID, Words string }
	all, err := collectRows(e, pgx.RowToStructByPos[said], saidOfThreads, page)
	if err != nil || len(all) == 0 {
		return next, err
	}
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.ID
	}
	aliases, err := e.aliases(ids)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if err := e.said(s.ID, s.Words, e.seeker.With(aliases[s.ID])); err != nil {
			return "", err
		}
	}
	return next, nil
}
