package sqlite

import (
	"database/sql"
	"errors"

	"github.com/cxbridge/cxbridge/internal/store"
)

// body is a row whose body may name the person.
type body struct {
	rowid                int64
	threadID             string // "" when it is of none
	kind, subject, words string // beside the body
	raw                  []byte
}

const (
	eventBodies  = "SELECT rowid, thread_id, '', '', '' FROM thread_events WHERE rowid > ? AND rowid <= ? ORDER BY rowid"
	letterBodies = `SELECT id, iif(kind = 'sms', '', subject), kind, subject, reason FROM dead_letters
		WHERE id > ? AND id <= ? ORDER BY id`
)

// events erases the events of threads that name the person.
func (e *eraser) events(position string) (next string, err error) {
	return e.change(func(t *erasure) (string, error) {
		return t.eachBody("thread_events", eventBodies, position, func(b *body, seeker *store.Seeker) error {
			if !seeker.In(b.raw) {
				return nil
			}
			return t.update("thread_events", "raw = ?1 WHERE rowid = ?2", store.ErasedBody, b.rowid)
		})
	})
}

// letters erases the dead letters that name the person. Their digests stay: what comes again is known.
func (e *eraser) letters(position string) (next string, err error) {
	return e.change(func(t *erasure) (string, error) {
		return t.eachBody("dead_letters", letterBodies, position, func(b *body, seeker *store.Seeker) error {
			return t.letter(&store.DeadLetter{ID: b.rowid, Kind: store.Kind(b.kind), Subject: b.subject, Reason: b.words, Raw: b.raw}, seeker)
		})
	})
}

func (t *erasure) letter(l *store.DeadLetter, seeker *store.Seeker) error {
	if !seeker.EraseLetter(l) {
		return nil
	}
	return t.update("dead_letters", "subject = ?, reason = ?, raw = ? WHERE id = ?", l.Subject, l.Reason, l.Raw, l.ID)
}

// eachBody calls erase for each row of a page that may name the person, with what finds the person in
// its thread. Bodies are large, so they are read one by one.
func (t *erasure) eachBody(table, list, position string, erase func(*body, *store.Seeker) error) (next string, err error) {
	after, last, next, err := t.rowPage(table, position)
	if err != nil {
		return "", err
	}
	rows, err := query(t.ctx, t.tx, func(r row) (b body, err error) {
		err = r.Scan(&b.rowid, &b.threadID, &b.kind, &b.subject, &b.words)
		return b, err
	}, list, after, last)
	if err != nil {
		return "", err
	}
	threads := make([]string, len(rows))
	for i, b := range rows {
		threads[i] = b.threadID
	}
	aliases, err := t.aliases(threads)
	if err != nil {
		return "", err
	}
	for _, b := range rows {
		known := aliases[b.threadID]
		isWanted := len(known) > 0 || t.seeker.In([]byte(b.words)) || t.seeker.InKey([]byte(b.subject))
		err := t.tx.QueryRowContext(t.ctx, "SELECT raw FROM "+table+" WHERE rowid = ? AND (? OR "+hasNeedle("raw")+")",
			b.rowid, isWanted, t.needles()).Scan(&b.raw)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := erase(&b, t.seeker.With(known)); err != nil {
			return "", err
		}
	}
	return next, nil
}
