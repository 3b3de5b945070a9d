package sqlite

import (
	"cmp"
	"context"
	"slices"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Timeline implements store.ThreadReader. It reads a page of each thread of the family, and puts them
// together: the cost is that of pages, however long the threads are.
func (s *Store) Timeline(ctx context.Context, family []string, after store.ItemPosition, limit int) ([]*thread.Item, error) {
	tx, err := s.readers.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return nil, failed("read timeline", err)
	}
	defer tx.Rollback()
	var timeline []*thread.Item
	for more := true; more && len(timeline) < limit; {
		page, err := familyPage(ctx, tx, family, after, limit)
		if err != nil {
			return nil, failed("read timeline", err)
		}
		if more = len(page) == limit; more {
			last := page[limit-1]
			after = store.ItemPosition{At: last.At, ID: last.ID}
		}
		shown, err := withoutRepeats(ctx, tx, family, page)
		if err != nil {
			return nil, failed("read timeline", err)
		}
		timeline = append(timeline, shown...)
	}
	return timeline[:min(limit, len(timeline))], nil
}

// familyPage returns the messages of a family after a position, by time, id and place of their thread
// in the family. A message that several threads show is in it several times.
func familyPage(ctx context.Context, q querier, family []string, after store.ItemPosition, limit int) ([]*thread.Item, error) {
	var page []*thread.Item
	for _, id := range family {
		items, err := shownItems(ctx, q, id, thread.KindMessage, after, limit)
		if err != nil {
			return nil, err
		}
		page = append(page, items...)
		slices.SortStableFunc(page, func(a, b *thread.Item) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
		})
		page = page[:min(limit, len(page))]
	}
	return page, nil
}

// selectFirst finds for each message of a list the place in the family of the first thread that shows
// it.
const selectFirst = `SELECT item_id, min(family.key)
	FROM json_each(?) AS wanted CROSS JOIN json_each(?) AS family CROSS JOIN thread_items
		ON thread_id = family.value AND kind = 'message' AND item_id = wanted.value
	WHERE view IS NOT NULL GROUP BY item_id`

// withoutRepeats drops the messages of a page that an earlier thread of the family shows too, be it
// on another page.
func withoutRepeats(ctx context.Context, q querier, family []string, page []*thread.Item) ([]*thread.Item, error) {
	if len(family) < 2 || len(page) == 0 {
		return page, nil
	}
	ids := make([]string, len(page))
	for i, item := range page {
		ids[i] = item.ID
	}
	all, err := query(ctx, q, scanPlace, selectFirst, jsonList(ids), jsonList(family))
	if err != nil {
		return nil, err
	}
	first := make(map[string]string, len(all))
	for _, p := range all {
		first[p.itemID] = family[p.place]
	}
	return slices.DeleteFunc(page, func(i *thread.Item) bool { return i.ThreadID != first[i.ID] }), nil
}

type itemPlace struct {
	itemID string
	place  int
}

func scanPlace(r row) (p itemPlace, err error) {
	err = r.Scan(&p.itemID, &p.place)
	return p, err
}
