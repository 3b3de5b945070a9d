package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// UNION takes each thread once, so a ring of links ends.
const (
	linksAbove = `WITH RECURSIVE above AS (
			SELECT thread_id, parent_id, link, linked_at FROM threads WHERE thread_id = ANY($1)
			UNION SELECT t.thread_id, t.parent_id, t.link, t.linked_at
				FROM above JOIN threads t ON t.thread_id = above.parent_id
		)
		SELECT * FROM above WHERE parent_id IS NOT NULL`

	// A parent, and the thread itself, may have children and no row.
	linksAround = `WITH RECURSIVE above (id) AS (
			SELECT $1::text COLLATE "C"
			UNION SELECT t.parent_id FROM above JOIN threads t ON t.thread_id = above.id WHERE t.parent_id IS NOT NULL
		), family (id) AS (
			SELECT id FROM above
			UNION SELECT t.thread_id FROM family JOIN threads t ON t.parent_id = family.id
		)
		SELECT t.thread_id, t.parent_id, t.link, t.linked_at
		FROM family JOIN threads t ON t.thread_id = family.id WHERE t.parent_id IS NOT NULL`
)

// Links implements store.ThreadReader.
func (s *Store) Links(ctx context.Context, threadID string) (map[string]thread.Link, error) {
	links := make(map[string]thread.Link)
	rows, err := s.reads.Query(ctx, linksAround, threadID)
	if err == nil {
		err = scanLinks(rows, links)
	}
	if err != nil {
		return nil, failed("read links", err)
	}
	return links, nil
}

// scanLinks reads links by the ids of their threads.
func scanLinks(rows pgx.Rows, links map[string]thread.Link) error {
	var (
		id     string
		link   thread.Link
		linked *time.Time
	)
	_, err := pgx.ForEachRow(rows, []any{&id, &link.Parent, &link.Kind, &linked}, func() error {
		link.UpdatedAt = timeOf(linked)
		links[id] = link
		return nil
	})
	return err
}
