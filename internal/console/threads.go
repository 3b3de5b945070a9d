package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func (c *Console) threadPages() {
	c.add(&page{
		Name: "threads", Path: threadsPath, Title: "Threads", Menu: true, Need: access.Viewer,
		load: c.loadThreads, live: []string{"thread-list"}, still: isThreadSearch,
	})
	c.add(&page{
		Name: "thread", Path: threadsPath + "/{id...}", Title: "Thread", Need: access.Viewer,
		load: c.loadThread, live: []string{"thread-sync", "thread-family", "thread-conversation", "thread-trail", "thread-events"},
		calm: []string{"thread-events"}, loadCalm: c.loadEvents,
	})
	c.action(threadsPath+"/wake", c.wakeThread)
	c.action(threadsPath+"/reconcile", c.reconcileThread)
}

const (
	threadsPath = "/threads"

	// threadsShown is how many threads a page of the list has.
	threadsShown = 50

	// countedThreads bounds the counts of the tabs.
	countedThreads = 10_000

	// longText bounds the text of a search, in bytes. The longest id has 256 characters.
	longText = 256 * utf8.UTFMax
)

// threadList is what the page of threads shows.
type threadList struct {
	Tabs    []link
	State   store.SyncState // "" is any
	Text    string
	Threads []threadRow
	Pager   pager
}

// threadRow is a thread in the list.
type threadRow struct {
	store.ThreadRow
	State store.SyncState
}

// Path leads to the page of the thread.
func (t *threadRow) Path() string { return pathOf(threadsPath, t.ID) }

// ParentID returns the thread that it is linked to; "" for none.
func (t *threadRow) ParentID() string { return t.Link().Parent }

// ParentPath leads to the thread that it is linked to.
func (t *threadRow) ParentPath() string { return pathOf(threadsPath, t.ParentID()) }

// LinkKind returns how it is linked.
func (t *threadRow) LinkKind() thread.LinkKind { return t.Link().Kind }

// isThreadSearch reports whether the list can only be found by looking at all threads. The list of all, and
// that of parked ones, come from an index.
func isThreadSearch(r *http.Request) bool {
	query := r.URL.Query()
	state := store.SyncState(query.Get("state"))
	return query.Get("text") != "" || state != "" && state != store.StateParked
}

func (c *Console) loadThreads(ctx context.Context, r *http.Request) (any, error) {
	query := r.URL.Query()
	list := &threadList{State: store.SyncState(query.Get("state")), Text: query.Get("text")}
	switch isOpen := list.State == store.StatePending || list.State == store.StateRetrying; { // a URL may be older than the setting
	case isOpen && !c.HasCRM:
		list.State = store.StateWaiting
	case list.State == store.StateWaiting && c.HasCRM:
		list.State = store.StatePending
	}
	after := query.Get("after")
	backlog, err := c.Store.Backlog(ctx, countedThreads)
	if err != nil {
		return nil, err
	}
	list.Tabs = c.threadTabs(list, backlog)
	if !store.IsAskable(list.Text) || !store.IsAskable(after) || len(list.Text) > longText {
		return list, nil
	}
	rows, err := c.Store.Threads(ctx, store.ThreadQuery{State: list.State, Text: list.Text, After: after, Limit: threadsShown + 1})
	if err != nil {
		return nil, err
	}
	if after != "" {
		list.Pager.First = list.url(list.State, "")
	}
	if len(rows) > threadsShown {
		rows = rows[:threadsShown]
		list.Pager.Next = list.url(list.State, rows[threadsShown-1].ID)
	}
	for i := range rows {
		list.Threads = append(list.Threads, threadRow{rows[i], rows[i].Sync.StateWith(c.HasCRM)})
	}
	return list, nil
}

// url leads to the list in a state, after a thread id unless that is "".
func (l *threadList) url(state store.SyncState, after string) string {
	return withQuery(threadsPath, map[string]string{"state": string(state), "text": l.Text, "after": after})
}

// threadTabs returns the states to choose from, with the counts that are cheap to get. Where counting has
// ended at countedThreads, those of the threads that wait are lower bounds.
func (c *Console) threadTabs(l *threadList, b store.Backlog) []link {
	tab := func(state store.SyncState, text string, count int, isBound bool) link {
		if isBound {
			text, count = fmt.Sprintf("%s (%s or more)", text, number(count)), -1
		}
		return link{Text: text, URL: l.url(state, ""), Current: state == l.State, Count: count}
	}
	isBound := b.Pending >= countedThreads
	queued := []link{tab(store.StateWaiting, "Waiting", b.Pending, isBound)}
	if c.HasCRM {
		queued = []link{
			tab(store.StatePending, "Pending", max(0, b.Pending-b.Retrying), isBound),
			tab(store.StateRetrying, "Retrying", b.Retrying, isBound),
		}
	}
	return slices.Concat([]link{tab("", "All", -1, false)}, queued, []link{
		tab(store.StateParked, "Parked", b.Parked, b.Parked >= countedThreads),
		tab(store.StateSynced, "Synced", -1, false),
	})
}
