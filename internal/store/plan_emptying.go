package store

import (
	"bytes"
	"slices"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// Emptying is what the expiry of threads does to the database: it marks Threads as not their own, so
// that they are not found any more, and deletes Items and the dead letters of Letters. The rows of
// the threads stay, with the links, the versions and the end of the audit chain, but nothing that was
// said: an event that comes again is known by its key and finds the row, and a new event goes on from it.
type Emptying struct {
	Threads []string
	Items   []thread.ItemKey
	Letters [][32]byte // sorted
	Done    int        // how many of Threads, the first ones, have no more items
}

// Next returns the cursor of the expiry after the plan: ">" and the thread after which to go on, or ""
// at the end. The page is all threads that were looked at, in the order of their ids: limit of them
// unless they were the last ones. They came after one.
func (e *Emptying) Next(page []string, after string, limit int) string {
	switch {
	case e.Done < len(e.Threads): // the last one has more items
		if i := slices.Index(page, e.Threads[e.Done]); i > 0 {
			after = page[i-1]
		}
		return ">" + after
	case len(page) == limit:
		return ">" + page[limit-1]
	}
	return ""
}

// PlanEmptying plans the expiry of threads, in the order of their ids. It is given their first items,
// in the order of their keys: one more than may be deleted, if there are so many.
func PlanEmptying(threads []string, items []thread.ItemKey, most int) *Emptying {
	e := &Emptying{Threads: threads, Items: items, Done: len(threads)}
	if len(items) > most {
		e.Done = slices.Index(threads, items[most].ThreadID)
		e.Threads, e.Items = threads[:e.Done+1], items[:most]
	}
	for _, id := range e.Threads {
		e.Letters = append(e.Letters, PushLetter(id).Digest())
	}
	for _, key := range e.Items {
		e.Letters = append(e.Letters, ItemLetter(key).Digest())
	}
	slices.SortFunc(e.Letters, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return e
}
