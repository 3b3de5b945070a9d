package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
)

const letterColumns = "id, kind, subject, reason, received_at, raw, replays"

// DeadLetters implements store.Store.
func (s *Store) DeadLetters(ctx context.Context, before int64, limit int) ([]store.DeadLetter, error) {
	rows, err := s.reads.Query(ctx, "SELECT "+letterColumns+` FROM dead_letters
		WHERE $1 = 0 OR id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, failed("list dead letters", err)
	}
	letters, err := pgx.CollectRows(rows, scanLetter)
	if err != nil {
		return nil, failed("list dead letters", err)
	}
	return letters, nil
}

// DeadLetter implements store.Store.
func (s *Store) DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error) {
	rows, err := s.reads.Query(ctx, "SELECT "+letterColumns+" FROM dead_letters WHERE id = $1", id)
	if err != nil {
		return nil, failed("read dead letter", err)
	}
	letter, err := pgx.CollectExactlyOneRow(rows, scanLetter)
	if err != nil {
		return nil, failed("read dead letter", err)
	}
	return &letter, nil
}

// FailReplay implements store.Store.
func (s *Store) FailReplay(ctx context.Context, id int64, reason string) error {
	return s.changeOne(ctx, "note replay",
		"UPDATE dead_letters SET replays = replays + 1, reason = $2 WHERE id = $1", id, reason)
}

// DeleteDeadLetter implements store.Store.
func (s *Store) DeleteDeadLetter(ctx context.Context, id int64) error {
	return s.changeOne(ctx, "delete dead letter", "DELETE FROM dead_letters WHERE id = $1", id)
}

func (s *Store) changeOne(ctx context.Context, op, statement string, args ...any) error {
	tag, err := s.reads.Exec(ctx, statement, args...)
	if err != nil {
		return failed(op, err)
	}
	if tag.RowsAffected() == 0 {
		return store.ErrNotFound
	}
	return nil
}

func scanLetter(row pgx.CollectableRow) (store.DeadLetter, error) {
	var (
		l    store.DeadLetter
		kind string
	)
	err := row.Scan(&l.ID, &kind, &l.Subject, &l.Reason, &l.Received, &l.Raw, &l.Replays)
	l.Kind, l.Received = store.Kind(kind), l.Received.UTC()
	return l, err
}
