package sqlite

import (
	"context"
	"database/sql"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// The columns of thread_items in the order of scanItem.
const itemColumns = `thread_id, kind, item_id, version, updated_at, content_hash, content, at, listed_at, removed,
	removed_at, rev, acked, set_aside, theirs, past`

func scanItem(r row) (*thread.Item, error) {
	var i thread.Item
	err := r.Scan(&i.ThreadID, &i.Kind, &i.ID, &i.Stamp.Version, instant{&i.Stamp.UpdatedAt}, digest(i.Stamp.Hash[:]),
		&i.Content, instant{&i.At}, instant{&i.ListedAt}, &i.Removed, instant{&i.RemovedAt}, &i.Rev,
		digest(i.Acked[:]), digest(i.SetAside[:]), &i.Theirs, (*[]byte)(&i.Past))
	return &i, err
}

func scanItemKey(r row) (k thread.ItemKey, err error) {
	err = r.Scan(&k.ThreadID, &k.Kind, &k.ID)
	return k, err
}

func itemValues(i *thread.Item) []any {
	view := i.View()
	return []any{
		i.ThreadID, string(i.Kind), i.ID, i.Stamp.Version, timeText(i.Stamp.UpdatedAt), hash(i.Stamp.Hash[:]),
		text(string(i.Content)), timeText(i.At), timeText(i.ListedAt), i.Removed, timeText(i.RemovedAt), i.Rev,
		hash(i.Acked[:]), hash(i.SetAside[:]), i.Theirs, blob(i.Past), hash(view[:]),
	}
}

const (
	// A key is an array of three texts.
	selectItems = "SELECT " + itemColumns + ` FROM json_each(?) AS wanted CROSS JOIN thread_items
		ON thread_id = wanted.value ->> 0 AND kind = wanted.value ->> 1 AND item_id = wanted.value ->> 2`

	writeItem = "INSERT INTO thread_items (" + itemColumns + `, view)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at,
			content_hash = excluded.content_hash, content = excluded.content, at = excluded.at,
			listed_at = excluded.listed_at, removed = excluded.removed, removed_at = excluded.removed_at,
			rev = excluded.rev, acked = excluded.acked, set_aside = excluded.set_aside,
			theirs = excluded.theirs, past = excluded.past, view = excluded.view`

	noteItem = `UPDATE thread_items SET acked = ?, set_aside = ?, theirs = ?
		WHERE thread_id = ? AND kind = ? AND item_id = ?`

	// forgetItems takes thread.Retry as ?2.
	forgetItems = `UPDATE thread_items SET acked = NULL, set_aside = iif(set_aside IS NULL, NULL, ?2), theirs = FALSE
		WHERE thread_id = ?1 AND (acked IS NOT NULL OR set_aside IS NOT NULL OR theirs)`

	asideKeys = `SELECT thread_id, kind, item_id FROM thread_items
		WHERE thread_id = ? AND set_aside IS NOT NULL AND NOT theirs`

	asideKey = `SELECT thread_id, kind, item_id FROM thread_items
		WHERE thread_id = ? AND kind = ? AND item_id = ? AND set_aside IS NOT NULL AND NOT theirs`

	retryItem = "UPDATE thread_items SET set_aside = ? WHERE thread_id = ? AND kind = ? AND item_id = ?"

	selectDirty = "SELECT " + itemColumns + ` FROM thread_items WHERE thread_id = ? AND dirty
		ORDER BY rev, kind, item_id LIMIT ?`

	selectAside = `SELECT thread_id, max(rev) FROM json_each(?) AS wanted
		CROSS JOIN thread_items INDEXED BY thread_items_set_aside ON thread_id = wanted.value
		WHERE set_aside IS NOT NULL AND NOT dirty AND NOT theirs GROUP BY thread_id`

	// selectUnsure takes the revision that the CRM has for certain.
	selectUnsure = "SELECT " + itemColumns + ` FROM thread_items WHERE thread_id = ? AND rev > ?
		AND NOT dirty AND NOT theirs ORDER BY rev, kind, item_id`
)

// existingItems reads items, by key.
func (p *statements) existingItems(tx *sql.Tx, keys []thread.ItemKey) (map[thread.ItemKey]*thread.Item, error) {
	found, err := selectAll(tx.Stmt(p.selectItems), scanItem, itemTriples(keys))
	if err != nil {
		return nil, err
	}
	items := make(map[thread.ItemKey]*thread.Item, len(found))
	for _, item := range found {
		items[item.ItemKey] = item
	}
	return items, nil
}

// selectShown selects the items that one thread shows of a kind, after a position. A time that cannot
// be read comes first. The condition on the time alone is for the index, which is not asked for pairs.
const selectShown = "SELECT " + itemColumns + ` FROM thread_items
	WHERE thread_id = ?1 AND kind = ?2 AND view IS NOT NULL
		AND coalesce(at, '') >= ?3 AND (coalesce(at, ''), item_id) > (?3, ?4)
	ORDER BY coalesce(at, ''), item_id LIMIT ?5`

// Items implements store.ThreadReader.
func (s *Store) Items(ctx context.Context, threadID string, kind thread.ItemKind, after store.ItemPosition, limit int) ([]*thread.Item, error) {
	items, err := shownItems(ctx, s.readers, threadID, kind, after, limit)
	if err != nil {
		return nil, failed("list items", err)
	}
	return items, nil
}

func shownItems(ctx context.Context, q querier, threadID string, kind thread.ItemKind, after store.ItemPosition, limit int) ([]*thread.Item, error) {
	return query(ctx, q, scanItem, selectShown, threadID, string(kind), positionText(after), after.ID, limit)
}

func positionText(p store.ItemPosition) any {
	if p.At.IsZero() {
		return ""
	}
	return timeText(p.At)
}
