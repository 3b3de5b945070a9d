package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// ThreadHead is a thread without its items, as the API shows it. It is exported because huma leaves
// unexported embedded types out of the description.
type ThreadHead struct {
	ThreadID       string     `json:"threadId"`
	Version        int64      `json:"version" doc:"As CXone counts it"`
	UpdatedAt      *time.Time `json:"updatedAt" doc:"When that version came to be; null if no event said so"`
	ParentThreadID *string    `json:"parentThreadId" doc:"The thread that it is linked to"`
	Link           *string    `json:"link" enum:"merged,split" doc:"How it is linked"`
	LinkFollowed   bool       `json:"linkFollowed" doc:"Whether timelines and the CRM use the link: not if it is the newest of a ring. A list of threads does not look for rings, and has true for every link. False without a link."`
	FirstSeenAt    time.Time  `json:"firstSeenAt" doc:"When its first event came in"`
	ChangedAt      time.Time  `json:"changedAt" doc:"When it last changed what it shows"`
	Sync           syncState  `json:"sync"`
}

// syncState is how far a thread is on its way to the CRM.
type syncState struct {
	State      string     `json:"state" enum:"synced,pending,retrying,parked,waiting" doc:"synced: the CRM has all of it, except messages and participants that are set aside. pending: the CRM is about to get it. retrying: the last attempt failed, and another follows. parked: the CRM refused the thread, which waits for an operator or a new event. waiting: it would be pushed, but no CRM is set"`
	WantRev    int64      `json:"wantRev" doc:"Revision that the CRM is to have"`
	DoneRev    int64      `json:"doneRev" doc:"Revision that the CRM has, except for what is set aside"`
	Attempts   int        `json:"attempts" doc:"Failures since the last success"`
	DueAt      *time.Time `json:"dueAt" doc:"When it is tried again; null: at once, or there is nothing to do"`
	LastStatus *int       `json:"lastStatus" doc:"HTTP status of the CRM's last answer"`
	LastError  *string    `json:"lastError" doc:"What was wrong with it"`
	AnsweredAt *time.Time `json:"answeredAt" doc:"When the CRM was last asked"`
	PendingAt  *time.Time `json:"pendingSince" doc:"Since when the CRM has lacked something"`
	CRMVersion *int64     `json:"crmVersion" doc:"The version that the CRM last acknowledged"`
}

func (c *Handler) showHead(r *store.ThreadRow, followed bool) ThreadHead {
	parent, link := r.Parent()
	shown := ThreadHead{
		ThreadID: r.ID, Version: r.Version, UpdatedAt: timeOrNull(r.UpdatedAt),
		ParentThreadID: orNull(parent), Link: orNull(string(link)), LinkFollowed: followed && parent != "",
		FirstSeenAt: r.FirstSeen.UTC(), ChangedAt: r.Changed.UTC(),
		Sync: syncState{
			State: string(r.Sync.StateWith(c.HasCRM)), WantRev: r.Sync.Want, DoneRev: r.Sync.Done, Attempts: r.Sync.Attempts,
			DueAt: timeOrNull(r.Sync.Due), LastStatus: orNull(r.Sync.LastStatus), LastError: orNull(r.Sync.LastError),
			AnsweredAt: timeOrNull(r.Sync.Answered), PendingAt: timeOrNull(r.Sync.Since),
		},
	}
	if r.CRM.Exists {
		shown.Sync.CRMVersion = &r.CRM.Version
	}
	return shown
}

// threadMessage is a message as the API shows it. What the event left out, or gave as something other than a
// string, is null.
type threadMessage struct {
	ID        string  `json:"id"`
	ThreadID  string  `json:"threadId" doc:"The thread that it belongs to: in a timeline maybe another one, which was merged into this one"`
	Text      *string `json:"text"`
	Timestamp *string `json:"timestamp" doc:"RFC 3339 in UTC; as it came if it could not be read"`
	AuthorID  *string `json:"authorId"`
	Direction *string `json:"direction"`
	Delivery  string  `json:"delivery" enum:"acknowledged,pending,set-aside,theirs" doc:"Whether the CRM has it as it is here. set-aside: the CRM would not take it; a dead letter says why. theirs: another user of the CRM has changed it there, and that change is kept."`
}

type threadParticipant struct {
	ID         string  `json:"id"`
	Role       *string `json:"role"`
	Name       *string `json:"name"`
	PlatformID *string `json:"platformId"`
	Delivery   string  `json:"delivery" enum:"acknowledged,pending,set-aside,theirs"`
}

func showMessages(items []*thread.Item) ([]threadMessage, error) {
	shown := make([]threadMessage, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item.Content, &shown[i]); err != nil {
			return nil, err
		}
		shown[i].ThreadID, shown[i].Delivery = item.ThreadID, string(item.Delivery())
	}
	return shown, nil
}

func showParticipants(items []*thread.Item) ([]threadParticipant, error) {
	shown := make([]threadParticipant, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item.Content, &shown[i]); err != nil {
			return nil, err
		}
		shown[i].Delivery = string(item.Delivery())
	}
	return shown, nil
}

func (c *Handler) threadRoutes() {
	tags := []string{"threads"}
	register(c, access.Viewer, huma.Operation{
		OperationID: "list-threads", Method: http.MethodGet, Path: "/api/threads",
		Summary: "Threads in the order of their ids, and how far each is on its way to the CRM", Tags: tags,
	}, c.listThreads)
	register(c, access.Viewer, huma.Operation{
		OperationID: "get-thread", Method: http.MethodGet, Path: "/api/threads/{id}",
		Summary: "A thread, with its own participants and messages", Tags: tags,
		Description: "Messages are in the order of time and then id, a page at a time. Participants are in the order of id, at most " +
			"5,000 at a time. messagesNext and participantsNext are the cursors of their next pages. Each page has the thread as it is now.",
	}, c.getThread)
	register(c, access.Viewer, huma.Operation{
		OperationID: "get-timeline", Method: http.MethodGet, Path: "/api/threads/{id}/timeline",
		Summary: "What a thread shows: its messages and those of the threads that were merged into it", Tags: tags,
	}, c.getTimeline)
}

type threadPage struct {
	Body struct {
		Items []ThreadHead `json:"items" nullable:"false"`
		Next  *string      `json:"next" doc:"Cursor of the next page; null when this is the last one"`
	}
}

func (c *Handler) listThreads(ctx context.Context, in *struct {
	State  string    `query:"state" enum:"synced,pending,retrying,parked,waiting" doc:"Only threads in this sync state"`
	Text   string    `query:"text" maxLength:"256" doc:"Only threads whose id contains this text; the case of ASCII letters does not matter"`
	Since  time.Time `query:"since" doc:"Only threads that changed at this time or later"`
	Limit  int       `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Maximum number of items"`
	Cursor string    `query:"cursor" maxLength:"1500" doc:"next of the previous page"`
}) (*threadPage, error) {
	after, err := threadCursor.parse(in.Cursor)
	if err != nil {
		return nil, badCursor(in.Cursor, err)
	}
	var page threadPage
	page.Body.Items = []ThreadHead{}
	q := store.ThreadQuery{State: store.SyncState(in.State), Text: in.Text, Since: in.Since.UTC(), After: after, Limit: in.Limit + 1}
	if !c.shows(q.State) || !store.IsAskable(in.Text) {
		return &page, nil
	}
	rows, err := c.Store.Threads(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(rows) > in.Limit {
		rows = rows[:in.Limit]
		page.Body.Next = orNull(threadCursor.make(rows[in.Limit-1].ID))
	}
	for i := range rows {
		page.Body.Items = append(page.Body.Items, c.showHead(&rows[i], true))
	}
	return &page, nil
}

// shows reports whether any thread can be shown in a state. See store.Sync.StateWith.
func (c *Handler) shows(state store.SyncState) bool {
	switch state {
	case store.StatePending, store.StateRetrying:
		return c.HasCRM
	case store.StateWaiting:
		return !c.HasCRM
	}
	return true
}

type threadOutput struct {
	Body struct {
		ThreadHead
		Participants     []threadParticipant `json:"participants" nullable:"false"`
		ParticipantsNext *string             `json:"participantsNext" doc:"Cursor of the next page of participants; null when this is the last one"`
		Messages         []threadMessage     `json:"messages" nullable:"false"`
		MessagesNext     *string             `json:"messagesNext" doc:"Cursor of the next page of messages; null when this is the last one"`
	}
}

// participantPage bounds the participants of an answer.
const participantPage = 5000

func (c *Handler) getThread(ctx context.Context, in *struct {
	ID                 string `path:"id" doc:"Thread id, percent-encoded"`
	Limit              int    `query:"limit" default:"1000" minimum:"1" maximum:"5000" doc:"Maximum number of messages"`
	Cursor             string `query:"cursor" maxLength:"1500" doc:"messagesNext of the previous page"`
	ParticipantsCursor string `query:"participantsCursor" maxLength:"1500" doc:"participantsNext of the previous page"`
}) (*threadOutput, error) {
	after, err := messageCursor.parsePosition(in.Cursor)
	if err != nil {
		return nil, badCursor(in.Cursor, err)
	}
	participantsAfter, err := participantCursor.parsePosition(in.ParticipantsCursor)
	if err != nil {
		return nil, badCursorIn("participantsCursor", in.ParticipantsCursor, err)
	}
	row, links, err := c.thread(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	messages, err := c.Store.Items(ctx, in.ID, thread.KindMessage, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	participants, err := c.Store.Items(ctx, in.ID, thread.KindParticipant, participantsAfter, participantPage+1)
	if err != nil {
		return nil, err
	}
	out := &threadOutput{}
	out.Body.ThreadHead = c.showHead(row, !thread.IsCut(in.ID, links))
	messages, out.Body.MessagesNext = cutPage(messages, in.Limit, messageCursor)
	if out.Body.Messages, err = showMessages(messages); err != nil {
		return nil, err
	}
	participants, out.Body.ParticipantsNext = cutPage(participants, participantPage, participantCursor)
	out.Body.Participants, err = showParticipants(participants)
	return out, err
}

// thread reads a thread and the links around it.
func (c *Handler) thread(ctx context.Context, id string) (*store.ThreadRow, map[string]thread.Link, error) {
	if !store.IsAskable(id) {
		return nil, nil, store.ErrNotFound
	}
	row, err := c.Store.Thread(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	links, err := c.Store.Links(ctx, id)
	return row, links, err
}

type timelineOutput struct {
	Body struct {
		ThreadID string          `json:"threadId"`
		Threads  []string        `json:"threads" nullable:"false" doc:"The thread, and those that were merged into it"`
		Items    []threadMessage `json:"items" nullable:"false" doc:"In the order of time and then id; those whose time cannot be read come first"`
		Next     *string         `json:"next" doc:"Cursor of the next page; null when this is the last one"`
	}
}

func (c *Handler) getTimeline(ctx context.Context, in *struct {
	ID     string `path:"id" doc:"Thread id, percent-encoded"`
	Limit  int    `query:"limit" default:"1000" minimum:"1" maximum:"5000" doc:"Maximum number of messages"`
	Cursor string `query:"cursor" maxLength:"1500" doc:"next of the previous page"`
}) (*timelineOutput, error) {
	after, err := messageCursor.parsePosition(in.Cursor)
	if err != nil {
		return nil, badCursor(in.Cursor, err)
	}
	_, links, err := c.thread(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	family := thread.Family(in.ID, links)
	items, err := c.Store.Timeline(ctx, family, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &timelineOutput{}
	out.Body.ThreadID, out.Body.Threads = in.ID, family
	items, out.Body.Next = cutPage(items, in.Limit, messageCursor)
	out.Body.Items, err = showMessages(items)
	return out, err
}

// cutPage cuts off the item that was read only to learn whether there are more, and returns the cursor of the
// next page; nil when there is none.
func cutPage(items []*thread.Item, limit int, kind cursorKind) (page []*thread.Item, next *string) {
	if len(items) <= limit {
		return items, nil
	}
	last := items[limit-1]
	return items[:limit], orNull(kind.makePosition(store.ItemPosition{At: last.At, ID: last.ID}))
}
