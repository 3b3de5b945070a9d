package sqlite

import (
	"context"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// threadLink is the link of a thread that has one.
type threadLink struct {
	id string
	thread.Link
}

func scanLink(r row) (l threadLink, err error) {
	err = r.Scan(&l.id, &l.Parent, &l.Kind, instant{&l.UpdatedAt})
	return l, err
}

func linksByID(all []threadLink) map[string]thread.Link {
	links := make(map[string]thread.Link, len(all))
	for _, l := range all {
		links[l.id] = l.Link
	}
	return links
}

// linksAbove finds the links of the threads in a list and of all above them.
const linksAbove = `WITH RECURSIVE above (id) AS (
		SELECT value FROM json_each(?)
		UNION SELECT parent_id FROM above CROSS JOIN threads ON thread_id = id WHERE parent_id IS NOT NULL
	)
	SELECT thread_id, parent_id, link, linked_at
	FROM above CROSS JOIN threads ON thread_id = id WHERE parent_id IS NOT NULL`

// Links implements store.ThreadReader.
func (s *Store) Links(ctx context.Context, threadID string) (map[string]thread.Link, error) {
	links, err := query(ctx, s.readers, scanLink, `WITH RECURSIVE above (id) AS (
			VALUES (?)
			UNION SELECT parent_id FROM above CROSS JOIN threads ON thread_id = id WHERE parent_id IS NOT NULL
		), tree (id) AS (
			SELECT id FROM above
			UNION SELECT thread_id FROM tree CROSS JOIN threads ON parent_id = id
		)
		SELECT thread_id, parent_id, link, linked_at
		FROM tree CROSS JOIN threads ON thread_id = id WHERE parent_id IS NOT NULL`, threadID)
	if err != nil {
		return nil, failed("read links", err)
	}
	return linksByID(links), nil
}
