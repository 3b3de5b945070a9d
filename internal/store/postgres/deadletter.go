package postgres

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	letterColumns = "id, kind, subject, reason, received_at, raw, replays"

	// listedLetter is letterColumns without the raw body.
	listedLetter = "id, kind, subject, reason, received_at, NULL::bytea, replays"
)

// isOpen leaves out the dead letters that were replayed: see store.WakePlan.
const isOpen = "replayed_at IS NULL"

// letterFilter is the condition of a store.LetterFilter. It ignores the case of ASCII letters alone, as
// SQLite does.
const letterFilter = isOpen + ` AND ($1 = '' OR kind = $1) AND (strpos(lower(subject COLLATE "C"), lower($2 COLLATE "C")) > 0
	OR strpos(lower(reason COLLATE "C"), lower($2 COLLATE "C")) > 0)`

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
	rows, err := s.reads.Query(ctx, "SELECT "+columns+" FROM dead_letters WHERE "+letterFilter+`
		AND id < $3 ORDER BY id DESC LIMIT $4`, string(f.Kind), f.Text, before, limit)
	if err != nil {
		return nil, failed("list dead letters", err)
	}
	letters, err := pgx.CollectRows(rows, scanLetter)
	if err != nil {
		return nil, failed("list dead letters", err)
	}
	return letters, nil
}

// CountDeadLetters implements store.Finder.
func (s *Store) CountDeadLetters(ctx context.Context, f store.LetterFilter, most int) (n int, err error) {
	err = s.reads.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM dead_letters WHERE "+letterFilter+" LIMIT $3) AS found",
		string(f.Kind), f.Text, most).Scan(&n)
	if err != nil {
		return 0, failed("count dead letters", err)
	}
	return n, nil
}

// DeadLetter implements store.Store.
func (s *Store) DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error) {
	rows, err := s.reads.Query(ctx, "SELECT "+letterColumns+" FROM dead_letters WHERE id = $1 AND "+isOpen, id)
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
		"UPDATE dead_letters SET replays = replays + 1, reason = $2 WHERE id = $1 AND "+isOpen, id, reason)
}

// DeleteDeadLetter implements store.Store.
func (s *Store) DeleteDeadLetter(ctx context.Context, id int64) error {
	return s.changeOne(ctx, "delete dead letter", "DELETE FROM dead_letters WHERE id = $1 AND "+isOpen, id)
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
