package sqlite

import (
	"context"
	"database/sql"
	"math"

	"github.com/cxbridge/cxbridge/internal/store"
)

const letterColumns = "id, kind, subject, reason, received_at, raw, replays"

// DeadLetters implements store.Store.
func (s *Store) DeadLetters(ctx context.Context, before int64, limit int) ([]store.DeadLetter, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	letters, err := query(ctx, s.readers, scanLetter, "SELECT "+letterColumns+` FROM dead_letters
		WHERE id < ? ORDER BY id DESC LIMIT ?`, before, limit)
	if err != nil {
		return nil, failed("list dead letters", err)
	}
	return letters, nil
}

// DeadLetter implements store.Store.
func (s *Store) DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error) {
	letter, err := scanLetter(s.readers.QueryRowContext(ctx, "SELECT "+letterColumns+" FROM dead_letters WHERE id = ?", id))
	if err != nil {
		return nil, failed("read dead letter", err)
	}
	return &letter, nil
}

// FailReplay implements store.Store.
func (s *Store) FailReplay(ctx context.Context, id int64, reason string) error {
	return s.changeOne(ctx, "note replay", "UPDATE dead_letters SET replays = replays + 1, reason = ? WHERE id = ?", reason, id)
}

// DeleteDeadLetter implements store.Store.
func (s *Store) DeleteDeadLetter(ctx context.Context, id int64) error {
	return s.changeOne(ctx, "delete dead letter", deleteDeadLetter, id)
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
