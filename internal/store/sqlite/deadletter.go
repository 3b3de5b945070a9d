package sqlite

import (
	"context"
	"database/sql"
	"math"

	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	letterColumns = "id, kind, subject, reason, received_at, raw, replays"

	// listedLetter is letterColumns without the raw body.
	listedLetter = "id, kind, subject, reason, received_at, NULL, replays"
)

// isOpen leaves out the dead letters that were replayed: see store.WakePlan.
const isOpen = "replayed_at IS NULL"

// letterFilter is the condition of a store.LetterFilter. It ignores the case of ASCII letters alone.
const letterFilter = isOpen + ` AND (?1 = '' OR kind = ?1)
	AND (instr(lower(subject), lower(?2)) OR instr(lower(reason), lower(?2)))`

// DeadLetters implements store.Store.
func (s *Store) DeadLetters(ctx context.Context, before int64, limit int) ([]store.DeadLetter, error) {
	return s.listLetters(ctx, letterColumns, store.LetterFilter{}, before, limit)
}

// FindDeadLetters implements store.Finder.
func (s *Store) FindDeadLetters(ctx context.Context, f store.LetterFilter, before int64, limit int) ([]store.DeadLetter, error) {
	return s.listLetters(ctx, listedLetter, f, before, limit)
}

func (s *Store) listLetters(ctx context.Context, columns string, f store.LetterFilter, before int64, limit int) ([]store.DeadLetter, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	letters, err := query(ctx, s.readers, scanLetter, "SELECT "+columns+" FROM dead_letters WHERE "+letterFilter+`
		AND id < ?3 ORDER BY id DESC LIMIT ?4`, string(f.Kind), f.Text, before, limit)
	if err != nil {
		return nil, failed("list dead letters", err)
	}
	return letters, nil
}

// CountDeadLetters implements store.Finder.
func (s *Store) CountDeadLetters(ctx context.Context, f store.LetterFilter, most int) (n int, err error) {
	err = s.readers.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM dead_letters WHERE "+letterFilter+" LIMIT ?3)",
		string(f.Kind), f.Text, most).Scan(&n)
	if err != nil {
		return 0, failed("count dead letters", err)
	}
	return n, nil
}

// DeadLetter implements store.Store.
func (s *Store) DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error) {
	letter, err := scanLetter(s.readers.QueryRowContext(ctx, "SELECT "+letterColumns+" FROM dead_letters WHERE id = ? AND "+isOpen, id))
	if err != nil {
		return nil, failed("read dead letter", err)
	}
	return &letter, nil
}

// FailReplay implements store.Store.
func (s *Store) FailReplay(ctx context.Context, id int64, reason string) error {
	return s.changeOne(ctx, "note replay", "UPDATE dead_letters SET replays = replays + 1, reason = ? WHERE id = ? AND "+isOpen, reason, id)
}

// DeleteDeadLetter implements store.Store.
func (s *Store) DeleteDeadLetter(ctx context.Context, id int64) error {
	return s.changeOne(ctx, "delete dead letter", deleteDeadLetter+" AND "+isOpen, id)
}

func (s *Store) changeOne(ctx context.Context, op, statement string, args ...any) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		changed, err := affects(tx.ExecContext(ctx, statement, args...))
		if err == nil && !changed {
			err = sql.ErrNoRows
		}
		return err
	})
	if err != nil {
		return failed(op, err)
	}
	return nil
}

func scanLetter(r row) (l store.DeadLetter, err error) {
	err = r.Scan(&l.ID, &l.Kind, &l.Subject, &l.Reason, instant{&l.Received}, &l.Raw, &l.Replays)
	return l, err
}
