package thread

import (
	"cmp"
	"slices"
)

// Timeline returns the messages that a thread shows: those present in it and in the threads that
// were merged into it, each id once, by time and then by id. A message whose time cannot be read
// comes first. Of two with the same id, the one of the thread that is earlier in the family is shown.
//
// The stores answer the same by a query, page by page; their suite holds them to this.
func Timeline(family []string, items []*Item) []*Item {
	rank := make(map[string]int, len(family))
	for i, id := range family {
		rank[id] = i
	}
	shown := make(map[string]*Item)
	for _, item := range items {
		r, isFamily := rank[item.ThreadID]
		if !isFamily || item.Kind != KindMessage || item.View().IsZero() {
			continue
		}
		if other := shown[item.ID]; other == nil || r < rank[other.ThreadID] {
			shown[item.ID] = item
		}
	}
	timeline := make([]*Item, 0, len(shown))
	for _, item := range shown {
		timeline = append(timeline, item)
	}
	slices.SortFunc(timeline, func(a, b *Item) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return timeline
}
