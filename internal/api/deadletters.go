package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/deadletter"
	"github.com/cxbridge/cxbridge/internal/store"
)

// deadLetter is a dead letter as the API shows it.
type deadLetter struct {
	ID         int64     `json:"id"`
	Kind       string    `json:"kind" doc:"What the event would have been" example:"sms"`
	Subject    *string   `json:"subject" doc:"The id it is about; null if that could not be read"`
	Reason     string    `json:"reason" doc:"Why it was refused, the last time it was tried"`
	ReceivedAt time.Time `json:"receivedAt"`
	Raw        string    `json:"raw" doc:"The body as it came in. Bytes that are not UTF-8 are replaced by U+FFFD; rawBase64 then has the original."`
	RawBase64  []byte    `json:"rawBase64,omitempty" doc:"The body as it came in, if it is not UTF-8"`
	Replays    int       `json:"replays" doc:"How often it was replayed without success"`
}

func showDeadLetter(d *store.DeadLetter) deadLetter {
	shown := deadLetter{
		ID: d.ID, Kind: string(d.Kind), Subject: orNull(d.Subject), Reason: d.Reason,
		ReceivedAt: d.Received.UTC(), Raw: string(d.Raw), Replays: d.Replays,
	}
	if !utf8.Valid(d.Raw) {
		shown.Raw, shown.RawBase64 = strings.ToValidUTF8(shown.Raw, "\uFFFD"), d.Raw
	}
	return shown
}

// deadLetterID is the input of the operations on one dead letter.
type deadLetterID struct {
	ID int64 `path:"id" minimum:"1" doc:"Id of the dead letter"`
}

// matchingTimeout is how long an operation on all that match may take.
const matchingTimeout = 30 * time.Second

const matchingBounds = "An empty object, {}, matches all. One call ends after 1000 dead letters, when its time is up, or when the " +
	"database goes away. Then more is true: send the same body with next as its cursor to go on."

func (c *Handler) deadLetterRoutes() {
	tags := []string{"dead letters"}
	register(c, access.Operator, huma.Operation{
		OperationID: "list-dead-letters", Method: http.MethodGet, Path: "/api/dead-letters",
		Summary: "What was refused, newest first", Tags: tags,
		Description: "A page may hold fewer than limit items when the bodies are large. It is the last one only when next is null. " +
			"What is on its way to the CRM again after a replay is not listed.",
	}, c.listDeadLetters)
	register(c, access.Operator, huma.Operation{
		OperationID: "get-dead-letter", Method: http.MethodGet, Path: "/api/dead-letters/{id}",
		Summary: "One dead letter", Tags: tags,
	}, c.getDeadLetter)
	register(c, access.Operator, huma.Operation{
		OperationID: "replay-dead-letter", Method: http.MethodPost, Path: "/api/dead-letters/{id}/replay",
		Summary: "Read a dead letter again, as of the time it came in", Tags: tags,
		Description: "200: the event is applied and the dead letter is gone. 202: the database went away in the meantime; " +
			"the event is durable in the spool and the dead letter stays. 422: it is refused again, and stays.\n\n" +
			"A thread-item or thread-push is answered 200: its message or participant, or its thread, is pushed to the CRM " +
			"again, and nothing else that is set aside. If it is refused again, the same dead letter is back, with the new reason " +
			"and one more of replays.\n\n" +
			"404: the dead letter or its thread is gone, or it is being replayed already.",
	}, c.replayDeadLetter)
	register(c, access.Operator, huma.Operation{
		OperationID: "delete-dead-letter", Method: http.MethodDelete, Path: "/api/dead-letters/{id}",
		Summary: "Remove a dead letter for good", Tags: tags,
	}, c.deleteDeadLetter)
	registerWithin(c, access.Operator, matchingTimeout, huma.Operation{
		OperationID: "replay-dead-letters", Method: http.MethodPost, Path: "/api/dead-letters/replay",
		Summary: "Replay all dead letters that match, newest first", Tags: tags,
		Description: "Each is replayed as a single one is. " + matchingBounds,
	}, c.replayMatching)
	registerWithin(c, access.Operator, matchingTimeout, huma.Operation{
		OperationID: "delete-dead-letters", Method: http.MethodPost, Path: "/api/dead-letters/delete",
		Summary: "Remove for good all dead letters that match, newest first", Tags: tags,
		Description: "Each is removed as a single one is. " + matchingBounds,
	}, c.deleteMatching)
}

type deadLetterPage struct {
	Body struct {
		Items []deadLetter `json:"items" nullable:"false"`
		Next  *string      `json:"next" doc:"Cursor of the next page; null when this is the last one"`
	}
}

func (c *Handler) listDeadLetters(ctx context.Context, in *struct {
	Kind   string `query:"kind" enum:"sms,thread,thread-item,thread-push" doc:"Only dead letters of this kind"`
	Text   string `query:"text" maxLength:"256" doc:"Only dead letters whose subject or reason contains this text; the case of ASCII letters does not matter"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Maximum number of items"`
	Cursor string `query:"cursor" maxLength:"100" doc:"next of the previous page"`
}) (*deadLetterPage, error) {
	before, err := deadLetterCursor.parseBefore(in.Cursor)
	if err != nil {
		return nil, badCursor(in.Cursor, err)
	}
	var page deadLetterPage
	page.Body.Items = []deadLetter{}
	if !store.IsAskable(in.Text) {
		return &page, nil
	}
	letters, below, err := c.page(ctx, store.LetterFilter{Kind: store.Kind(in.Kind), Text: in.Text}, before, in.Limit)
	if err != nil {
		return nil, err
	}
	for i := range letters {
		page.Body.Items = append(page.Body.Items, showDeadLetter(&letters[i]))
	}
	if below != 0 {
		page.Body.Next = orNull(deadLetterCursor.makeBefore(below))
	}
	return &page, nil
}

// pageBytes bounds the bodies of a page together. A single larger one still gets a page.
const pageBytes = 4 << 20

// page reads dead letters that match, with an id below before unless that is 0. The next page has those below
// next; there is none if next is 0. The page ends before the first one that does not fit. Bodies are read one by
// one: each may be as large as the intake allows, and ten of them would be too much to hold. A dead letter that
// is gone in the meantime is skipped.
func (c *Handler) page(ctx context.Context, f store.LetterFilter, before int64, limit int) (letters []store.DeadLetter, next int64, err error) {
	listed, err := c.Store.FindDeadLetters(ctx, f, before, limit+1)
	if err != nil {
		return nil, 0, err
	}
	if len(listed) > limit {
		listed, next = listed[:limit], listed[limit-1].ID
	}
	size := 0
	for i := range listed {
		letter, err := c.Store.DeadLetter(ctx, listed[i].ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if size += len(letter.Raw); size > pageBytes && len(letters) > 0 {
			return letters, listed[i-1].ID, nil
		}
		letters = append(letters, *letter)
	}
	return letters, next, nil
}

type oneDeadLetter struct{ Body deadLetter }

func (c *Handler) getDeadLetter(ctx context.Context, in *deadLetterID) (*oneDeadLetter, error) {
	letter, err := c.Store.DeadLetter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &oneDeadLetter{showDeadLetter(letter)}, nil
}

type replayAnswer struct {
	Status int
	Body   struct {
		Replayed          bool   `json:"replayed" doc:"The dead letter is gone: the event is applied, or what the CRM had refused is pushed to it again"`
		MessageID         string `json:"messageId,omitempty" doc:"The message, for a receipt"`
		ThreadID          string `json:"threadId,omitempty" doc:"The thread, for every other kind: it is pushed to the CRM again"`
		Duplicate         bool   `json:"duplicate" doc:"The event had come again in the meantime"`
		QueuedForRetry    bool   `json:"queuedForRetry,omitempty" doc:"The event waits in the spool, and the dead letter stays"`
		ValidationWarning string `json:"validationWarning,omitempty" doc:"What rule the sender ID breaks"`
	}
}

func (c *Handler) replayDeadLetter(ctx context.Context, in *deadLetterID) (*replayAnswer, error) {
	replayed, err := c.Replayer.Replay(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	answer := &replayAnswer{Status: http.StatusOK}
	answer.Body.Replayed = true
	if replayed.Spooled {
		answer.Status = http.StatusAccepted
		answer.Body.Replayed, answer.Body.QueuedForRetry = false, true
	}
	answer.Body.Duplicate = replayed.Duplicate
	if replayed.Kind == store.KindSMS {
		answer.Body.MessageID = replayed.Subject
	} else {
		answer.Body.ThreadID = replayed.Subject
	}
	answer.Body.ValidationWarning = replayed.Warning
	return answer, nil
}

func (c *Handler) deleteDeadLetter(ctx context.Context, in *deadLetterID) (*struct{}, error) {
	return nil, c.letters().Delete(ctx, in.ID)
}

// letters returns the office that works on dead letters.
func (c *Handler) letters() *deadletter.Office {
	return &deadletter.Office{Store: c.Store, Replayer: c.Replayer}
}

// matching is the input of the operations on all dead letters that match a filter.
type matching struct {
	Body struct {
		Kind   string `json:"kind,omitempty" enum:"sms,thread,thread-item,thread-push" doc:"Only dead letters of this kind"`
		Text   string `json:"text,omitempty" maxLength:"256" doc:"Only dead letters whose subject or reason contains this text; the case of ASCII letters does not matter"`
		Cursor string `json:"cursor,omitempty" maxLength:"100" doc:"next of the previous answer"`
	}
}

type matchingAnswer struct {
	Body struct {
		Replayed       int     `json:"replayed" doc:"The dead letters are gone: the events are applied, or what the CRM had refused is pushed to it again"`
		Refused        int     `json:"refused" doc:"The events are refused again, and the dead letters stay"`
		QueuedForRetry int     `json:"queuedForRetry,omitempty" doc:"The events wait in the spool, and the dead letters stay"`
		Deleted        int     `json:"deleted"`
		More           bool    `json:"more" doc:"There are more that match, which were not looked at"`
		Next           *string `json:"next" doc:"Cursor to go on with those; null when there are none"`
	}
}

func (c *Handler) replayMatching(ctx context.Context, in *matching) (*matchingAnswer, error) {
	return workOnAll(ctx, in, c.letters().ReplayAll)
}

func (c *Handler) deleteMatching(ctx context.Context, in *matching) (*matchingAnswer, error) {
	return workOnAll(ctx, in, c.letters().DeleteAll)
}

// workOnAll returns what was done. It returns an error only when nothing was done: otherwise the next call
// meets the error, if it lasts.
func workOnAll(ctx context.Context, in *matching, work func(context.Context, store.LetterFilter, int64) (deadletter.Result, error)) (*matchingAnswer, error) {
	before, err := deadLetterCursor.parseBefore(in.Body.Cursor)
	if err != nil {
		return nil, huma.Error422UnprocessableEntity("validation failed",
			&huma.ErrorDetail{Message: err.Error(), Location: "body.cursor", Value: in.Body.Cursor})
	}
	answer := &matchingAnswer{}
	if !store.IsAskable(in.Body.Text) {
		return answer, nil
	}
	done, err := work(ctx, store.LetterFilter{Kind: store.Kind(in.Body.Kind), Text: in.Body.Text}, before)
	if err != nil && done.Replayed+done.Spooled+done.Refused+done.Deleted == 0 {
		return nil, err
	}
	body := &answer.Body
	body.Replayed, body.Refused, body.QueuedForRetry, body.Deleted = done.Replayed, done.Refused, done.Spooled, done.Deleted
	if body.More = done.Next != 0; body.More {
		body.Next = orNull(deadLetterCursor.makeBefore(done.Next))
	}
	return answer, nil
}
