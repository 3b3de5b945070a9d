package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Waker makes a thread due to be pushed at once. See ingest.Replayer for its errors.
type Waker interface {
	WakeThread(ctx context.Context, threadID string) error
}

const (
	// messagesOnPage is how many messages of a conversation a page has.
	messagesOnPage = 100

	// membersNamed bounds the threads of a conversation whose participants are read.
	membersNamed = 20

	// peopleShown bounds the participants of a thread that are shown.
	peopleShown = 200

	// eventsShown is how many events of the journal a page has, and eventBytes how much of each.
	eventsShown = 10
	eventBytes  = 64 << 10
)

// threadView is what the page of a thread shows.
type threadView struct {
	threadRow
	Breaker      string    // state of the CRM's circuit breaker; "" without a CRM
	Condition    string    // how the CRM does: up, paused or failing; "" without one
	Next         time.Time // when the next push is due, if that lies ahead
	CanWake      bool
	CanReconcile bool

	Family       *branch
	IsCut        bool // its link is the newest of a ring
	Conversation []stretch
	People       []person
	MorePeople   bool // there are more than are shown
	Pager        pager
	Trail        []trailEntry
	Events       []journalEntry
}

// journalEntry is an event in the journal.
type journalEntry struct{ store.ThreadEvent }

// Body returns as much of the event as is shown, written for people.
func (e *journalEntry) Body() string { return rawOf(e.Raw, e.Size, eventBytes) }

// PageTitle names the thread.
func (v *threadView) PageTitle() string { return "Thread " + v.ID }

// WakePath and ReconcilePath are the paths of the actions, LettersPath that of its dead letters.
func (v *threadView) WakePath() string      { return actionPath("wake", v.ID) }
func (v *threadView) ReconcilePath() string { return actionPath("reconcile", v.ID) }
func (v *threadView) LettersPath() string {
	return withQuery(deadLettersPath, map[string]string{"text": v.ID})
}

func actionPath(action, id string) string {
	return threadsPath + "/" + action + "?id=" + url.QueryEscape(id)
}

// HasFamily reports whether the thread is linked to others.
func (v *threadView) HasFamily() bool { return len(v.Family.Children) > 0 || v.ParentID() != "" }

// Meaning says what the state means, and what to do about it.
func (v *threadView) Meaning() string {
	switch v.State {
	case store.StateSynced:
		return "The CRM has all of it, except what is marked as set aside."
	case store.StatePending:
		switch {
		case v.Condition == "paused":
			return "The CRM is left alone for a while, as it answered 429 or 503."
		case v.Condition == "failing":
			return "The CRM fails at the moment. It gets the thread when it is back."
		case !v.Next.IsZero():
			return "The CRM has not got all of it yet."
		}
		return "The CRM is about to get it."
	case store.StateRetrying:
		return "The last push failed. It is retried automatically."
	case store.StateParked:
		return "The CRM refused it. It waits for an operator: fix the cause, then replay its dead letter. A new event wakes it, too."
	}
	return "No CRM is set. It is kept until there is one."
}

func (c *Console) loadThread(ctx context.Context, r *http.Request) (any, error) {
	id := idOf(r)
	if !store.IsAskable(id) {
		return nil, store.ErrNotFound
	}
	row, err := c.Store.Thread(ctx, id)
	if err != nil {
		return nil, err
	}
	links, err := c.Store.Links(ctx, id)
	if err != nil {
		return nil, err
	}
	v := &threadView{
		threadRow: threadRow{*row, row.Sync.StateWith(c.HasCRM)}, Family: familyTree(id, links), IsCut: thread.IsCut(id, links),
		CanWake: c.HasCRM && c.Waker != nil, CanReconcile: c.Reconciler != nil,
	}
	if crm := c.Figures.Figures().CRM; crm != nil {
		v.Breaker, v.Condition, v.Next = crm.Breaker, crm.State, nextPush(&row.Sync, crm.PausedUntil, c.now())
	}
	if v.Trail, err = c.loadTrail(ctx, id); err != nil {
		return nil, err
	}
	return v, c.loadConversation(ctx, r, v, links)
}

// nextPush returns when a thread is pushed next, if it waits for a time ahead: its own, or the end of a pause.
func nextPush(s *store.Sync, pausedUntil, now time.Time) time.Time {
	next := s.Due
	if pausedUntil.After(next) {
		next = pausedUntil
	}
	waits := s.State() == store.StatePending || s.State() == store.StateRetrying
	if !waits || s.LeaseUntil.After(now) || !next.After(now) {
		return time.Time{}
	}
	return next
}

// loadEvents adds the newest events of the journal to a threadView.
func (c *Console) loadEvents(ctx context.Context, _ *http.Request, data any) error {
	v := data.(*threadView)
	// With one byte more than is shown, cutText sees a character that is cut in two, and leaves it out.
	events, err := c.Store.Events(ctx, v.ID, eventsShown, eventBytes+1)
	for _, e := range events {
		v.Events = append(v.Events, journalEntry{e})
	}
	return err
}

// loadConversation reads a page of what the thread and those merged into it show.
func (c *Console) loadConversation(ctx context.Context, r *http.Request, v *threadView, links map[string]thread.Link) error {
	after, err := parsePlace(r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	family := thread.Family(v.ID, links)
	items, err := c.Store.Timeline(ctx, family, after, messagesOnPage+1)
	if err != nil {
		return err
	}
	span := span{after: after}
	if after != (store.ItemPosition{}) {
		v.Pager.First = v.Path()
	}
	if len(items) > messagesOnPage {
		items = items[:messagesOnPage]
		last := items[len(items)-1]
		span.until = store.ItemPosition{At: last.At, ID: last.ID}
		v.Pager.Next = withQuery(v.Path(), map[string]string{"after": placeOf(span.until)})
	}
	people, err := c.loadPeople(ctx, v, items)
	if err != nil {
		return err
	}
	marks, err := c.loadMarks(ctx, v, family, links, span)
	if err != nil {
		return err
	}
	messages, err := c.saidIn(items, people)
	if err != nil {
		return err
	}
	v.Conversation = conversationOf(v.ID, messages, marks)
	return nil
}

// placeOf writes the position after which a page begins, for a query.
func placeOf(p store.ItemPosition) string {
	return strconv.FormatInt(p.At.UnixMicro(), 10) + "." + p.ID
}

// parsePlace reads what placeOf wrote. "" is the beginning.
func parsePlace(text string) (p store.ItemPosition, err error) {
	if text == "" {
		return p, nil
	}
	micros, id, isPlace := strings.Cut(text, ".")
	at, err := strconv.ParseInt(micros, 10, 64)
	p = store.ItemPosition{At: time.UnixMicro(at).UTC(), ID: id}
	if err != nil || !isPlace || !store.IsAskable(id) || p.At.Year() < 0 || p.At.Year() > 9999 {
		return store.ItemPosition{}, &visitorError{http.StatusNotFound, "This page of the conversation does not exist."}
	}
	return p, nil
}

// loadPeople reads the participants of the thread into the view, and returns those of the threads whose
// messages are shown, by thread and id.
func (c *Console) loadPeople(ctx context.Context, v *threadView, items []*thread.Item) (map[thread.ItemKey]person, error) {
	members := []string{v.ID}
	seen := map[string]bool{v.ID: true}
	for _, item := range items {
		if !seen[item.ThreadID] && len(members) < membersNamed {
			seen[item.ThreadID] = true
			members = append(members, item.ThreadID)
		}
	}
	people := make(map[thread.ItemKey]person)
	for _, id := range members {
		participants, err := c.Store.Items(ctx, id, thread.KindParticipant, store.ItemPosition{}, peopleShown+1)
		if err != nil {
			return nil, err
		}
		if len(participants) > peopleShown {
			participants = participants[:peopleShown]
			v.MorePeople = v.MorePeople || id == v.ID
		}
		for _, item := range participants {
			p, err := personOf(item, c.deliveryOf(item))
			if err != nil {
				return nil, err
			}
			people[item.ItemKey] = p
			if id == v.ID {
				v.People = append(v.People, p)
			}
		}
	}
	return people, nil
}

// wakeThread makes a thread due to be pushed at once.
func (c *Console) wakeThread(ctx context.Context, r *http.Request) (next, notice string, err error) {
	id := idOf(r)
	if c.Waker == nil || !c.HasCRM {
		return "", "", &visitorError{http.StatusConflict, "No CRM is set, so there is nowhere to push the thread to."}
	}
	if !store.IsAskable(id) {
		return "", "", store.ErrNotFound
	}
	if err := c.Waker.WakeThread(ctx, id); err != nil {
		return "", "", err
	}
	notice = "The thread is tried now. This page shows the outcome."
	if crm := c.Figures.Figures().CRM; crm != nil && crm.PausedUntil.After(c.now()) {
		notice = "The CRM is left alone for a while, as it answered 429 or 503. The thread is tried when that is over."
	}
	return pathOf(threadsPath, id), notice, nil
}

// reconcileThread compares a thread with CXone.
func (c *Console) reconcileThread(ctx context.Context, r *http.Request) (next, notice string, err error) {
	id := idOf(r)
	if c.Reconciler == nil {
		return "", "", &visitorError{http.StatusConflict, "CXone is not configured, so there is nothing to compare the thread with."}
	}
	if !store.IsAskable(id) {
		return "", "", store.ErrNotFound
	}
	outcome, err := c.Reconciler.Reconcile(ctx, id)
	if upstream, isUpstream := errors.AsType[*reconcile.UpstreamError](err); isUpstream {
		return "", "", &visitorError{http.StatusBadGateway, sentence(upstream.Error())}
	}
	if errors.Is(err, store.ErrNotFound) {
		return "", "", &visitorError{http.StatusNotFound, "CXone does not know this thread."}
	}
	if err != nil {
		return "", "", busy(err)
	}
	notice = "Nothing was missing: we and the CRM have all that CXone has."
	switch outcome.Status {
	case reconcile.Reconciled:
		notice = fmt.Sprintf("Something was missing. Now we and the CRM have version %d.", outcome.Version)
	case reconcile.SetAside:
		notice = "We have all that CXone has, and so has the CRM, except what is set aside: the dead letters say why."
		if outcome.Version != 0 {
			notice = fmt.Sprintf("Something was missing. Now we have version %d, and so has the CRM, except what is set aside: the dead letters say why.", outcome.Version)
		}
	case reconcile.Stored:
		notice = "We have all that CXone has. It was not pushed to the CRM: none is set, or the database is away."
	}
	return pathOf(threadsPath, id), notice, nil
}
