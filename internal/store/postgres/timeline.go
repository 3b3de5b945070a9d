package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Each thread of the family gives its own page, in order, from its index. What an earlier thread of
// the family shows is left out of it, and the pages are merged.
const timelinePage = `SELECT ` + selectedItem + `
	FROM unnest($1::text[]) WITH ORDINALITY AS f (thread_id, rank)
	CROSS JOIN LATERAL (
		SELECT * FROM thread_items own
		WHERE own.thread_id = f.thread_id AND own.kind = 'message' AND own.view IS NOT NULL
			AND (coalesce(own.at, '-infinity'), own.item_id) > ($2, $3)
			AND NOT EXISTS (SELECT FROM thread_items earlier
				WHERE earlier.thread_id = ANY(($1::text[])[:f.rank - 1]) AND earlier.kind = 'message'
					AND earlier.item_id = own.item_id AND earlier.view IS NOT NULL)
		ORDER BY coalesce(own.at, '-infinity'), own.item_id LIMIT $4
	) AS i
	ORDER BY coalesce(i.at, '-infinity'), i.item_id LIMIT $4`

// Timeline implements store.ThreadReader.
func (s *Store) Timeline(ctx context.Context, family []string, after store.ItemPosition, limit int) ([]*thread.Item, error) {
	rows, err := s.reads.Query(ctx, timelinePage, family, momentOf(after.At), after.ID, limit)
	if err != nil {
		return nil, failed("read timeline", err)
	}
	items, err := pgx.CollectRows(rows, scanItem)
	if err != nil {
		return nil, failed("read timeline", err)
	}
	return items, nil
}
