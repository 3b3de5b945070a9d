package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

type item = *thread.Item

// itemColumns are the columns of thread_items. Dirty follows from them, in the database.
var itemColumns = columns[item]{
	text("thread_id", func(i item) string { return i.ThreadID }),
	text("kind", func(i item) string { return string(i.Kind) }),
	text("item_id", func(i item) string { return i.ID }),
	number("version", func(i item) int64 { return i.Stamp.Version }),
	timeOrNull("updated_at", func(i item) time.Time { return i.Stamp.UpdatedAt }),
	hashOrNull("content_hash", func(i item) []byte { return i.Stamp.Hash[:] }),
	textOrNull("content", func(i item) string { return string(i.Content) }),
	timeOrNull("at", func(i item) time.Time { return i.At }),
	timeOrNull("listed_at", func(i item) time.Time { return i.ListedAt }),
	flag("removed", func(i item) bool { return i.Removed }),
	timeOrNull("removed_at", func(i item) time.Time { return i.RemovedAt }),
	number("rev", func(i item) int64 { return i.Rev }),
	hashOrNull("acked", func(i item) []byte { return i.Acked[:] }),
	hashOrNull("set_aside", func(i item) []byte { return i.SetAside[:] }),
	flag("theirs", func(i item) bool { return i.Theirs }),
	bytesOrNull("past", func(i item) []byte { return i.Past }),
	hashOrNull("view", func(i item) []byte { view := i.View(); return view[:] }),
}

// selectedItem is a select list of what scanItem reads, from thread_items as i.
const selectedItem = `i.thread_id, i.kind, i.item_id, i.version, i.updated_at, i.content_hash, i.content, i.at,
	i.listed_at, i.removed, i.removed_at, i.rev, i.acked, i.set_aside, i.theirs, i.past`

func scanItem(row pgx.CollectableRow) (*thread.Item, error) {
	var (
		i                            thread.Item
		updated, at, listed, removed *time.Time
		value, acked, setAside       []byte
		content                      *string
	)
	err := row.Scan(&i.ThreadID, &i.Kind, &i.ID, &i.Stamp.Version, &updated, &value, &content, &at,
		&listed, &i.Removed, &removed, &i.Rev, &acked, &setAside, &i.Theirs, &i.Past)
	if err != nil {
		return nil, err
	}
	if content != nil {
		i.Content = []byte(*content)
	}
	i.Stamp.UpdatedAt, i.At, i.ListedAt, i.RemovedAt = timeOf(updated), timeOf(at), timeOf(listed), timeOf(removed)
	copy(i.Stamp.Hash[:], value)
	copy(i.Acked[:], acked)
	copy(i.SetAside[:], setAside)
	return &i, nil
}

const itemPage = `SELECT ` + selectedItem + ` FROM thread_items i
	WHERE i.thread_id = $1 AND i.kind = $2 AND i.view IS NOT NULL
		AND (coalesce(i.at, '-infinity'), i.item_id) > ($3, $4)
	ORDER BY coalesce(i.at, '-infinity'), i.item_id LIMIT $5`

// Items implements store.ThreadReader.
func (s *Store) Items(ctx context.Context, threadID string, kind thread.ItemKind, after store.ItemPosition, limit int) ([]*thread.Item, error) {
	rows, err := s.reads.Query(ctx, itemPage, threadID, string(kind), momentOf(after.At), after.ID, limit)
	if err != nil {
		return nil, failed("list items", err)
	}
	items, err := pgx.CollectRows(rows, scanItem)
	if err != nil {
		return nil, failed("list items", err)
	}
	return items, nil
}

// momentOf is a time to compare with coalesce(at, '-infinity').
func momentOf(t time.Time) pgtype.Timestamptz {
	if t.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: t, Valid: true}
}
