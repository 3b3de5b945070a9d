package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// deadLetter is a dead letter as the API shows it.
type deadLetter struct {
	ID         int64     `json:"id"`
	Kind       string    `json:"kind" doc:"What the event would have been" example:"sms"`
	Subject    *string   `json:"subject" doc:"The id it is about, where it could be read"`
	Reason     string    `json:"reason" doc:"Why it was refused, the last time it was read"`
	ReceivedAt time.Time `json:"receivedAt"`
	Raw        string    `json:"raw" doc:"The body as it came in. Bytes that are not UTF-8 are replaced by U+FFFD; rawBase64 has them then."`
	RawBase64  []byte    `json:"rawBase64,omitempty" doc:"The body as it came in, where it is not UTF-8"`
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
	ID int64 `path:"id" minimum:"1"`
}

func (c *handler) deadLetterRoutes() {
	tags := []string{"dead letters"}
	register(c, access.Operator, huma.Operation{
		OperationID: "list-dead-letters", Method: http.MethodGet, Path: "/api/dead-letters",
		Summary: "What was refused, newest first", Tags: tags,
		Description: "A page may hold fewer than limit when the bodies are large. It is the last one when next is null.",
	}, c.listDeadLetters)
	register(c, access.Operator, huma.Operation{
		OperationID: "get-dead-letter", Method: http.MethodGet, Path: "/api/dead-letters/{id}",
		Summary: "One dead letter", Tags: tags,
	}, c.getDeadLetter)
	register(c, access.Operator, huma.Operation{
		OperationID: "replay-dead-letter", Method: http.MethodPost, Path: "/api/dead-letters/{id}/replay",
		Summary: "Read a dead letter again, as of the time it came in", Tags: tags,
		Description: "200: the event is applied and the dead letter is gone. 202: the database went away meanwhile; " +
			"the event is durable in the spool and the dead letter stays. 422: it is refused again, and stays.",
	}, c.replayDeadLetter)
	register(c, access.Operator, huma.Operation{
		OperationID: "delete-dead-letter", Method: http.MethodDelete, Path: "/api/dead-letters/{id}",
		Summary: "Remove a dead letter for good", Tags: tags,
	}, c.deleteDeadLetter)
}

type deadLetterPage struct {
	Body struct {
		Items []deadLetter `json:"items" nullable:"false"`
		Next  *string      `json:"next" doc:"Cursor of the next page; null when this is the last one"`
	}
}

func (c *handler) listDeadLetters(ctx context.Context, in *struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Most items in the answer"`
	Cursor string `query:"cursor" maxLength:"100" doc:"next of the page before"`
}) (*deadLetterPage, error) {
	before, err := deadLetterCursor.parseBefore(in.Cursor)
	if err != nil {
		return nil, badCursor(in.Cursor, err)
	}
	letters, more, err := c.page(ctx, before, in.Limit)
	if err != nil {
		return nil, err
	}
	var page deadLetterPage
	page.Body.Items = make([]deadLetter, len(letters))
	for i := range letters {
		page.Body.Items[i] = showDeadLetter(&letters[i])
	}
	if more {
		next := deadLetterCursor.makeBefore(letters[len(letters)-1].ID)
		page.Body.Next = &next
	}
	return &page, nil
}

// pageBytes bounds the bodies of a page, except that a single one may be larger.
const pageBytes = 4 << 20

// page reads dead letters with an id below before, and whether there are more: it ends at the first
// that does not fit. They are read one by one, because each may be as large as the intake allows,
// and ten of them would be too much to hold.
func (c *handler) page(ctx context.Context, before int64, limit int) (letters []store.DeadLetter, more bool, err error) {
	size := 0
	for {
		next, err := c.Store.DeadLetters(ctx, before, 1)
		if err != nil || len(next) == 0 {
			return letters, false, err
		}
		letter := next[0]
		size += len(letter.Raw)
		if len(letters) == limit || size > pageBytes && len(letters) > 0 {
			return letters, true, nil
		}
		letters, before = append(letters, letter), letter.ID
	}
}

type oneDeadLetter struct{ Body deadLetter }

func (c *handler) getDeadLetter(ctx context.Context, in *deadLetterID) (*oneDeadLetter, error) {
	letter, err := c.Store.DeadLetter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &oneDeadLetter{showDeadLetter(letter)}, nil
}

type replayAnswer struct {
	Status int
	Body   struct {
		Replayed          bool   `json:"replayed" doc:"The event is applied and the dead letter is gone"`
		MessageID         string `json:"messageId,omitempty" doc:"The message, for a receipt"`
		ThreadID          string `json:"threadId,omitempty" doc:"The thread, for everything else: it goes to the CRM again"`
		Duplicate         bool   `json:"duplicate" doc:"The event had come again in the meantime"`
		QueuedForRetry    bool   `json:"queuedForRetry,omitempty" doc:"The event waits in the spool, and the dead letter stays"`
		ValidationWarning string `json:"validationWarning,omitempty" doc:"What rule the sender ID breaks"`
	}
}

func (c *handler) replayDeadLetter(ctx context.Context, in *deadLetterID) (*replayAnswer, error) {
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

func (c *handler) deleteDeadLetter(ctx context.Context, in *deadLetterID) (*struct{}, error) {
	letter, err := c.Store.DeadLetter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	// What is noted and then not done is better than what is done and not noted.
	note := audit.Note{
		Subject: fmt.Sprintf("dead-letter:%d", in.ID), Action: audit.ActionDelete, Outcome: "deleted",
		Detail: audit.Detail{"kind": letter.Kind, "about": letter.Subject, "reason": letter.Reason},
	}
	if err := c.Store.Audit(ctx, note, time.Now().UTC().Truncate(time.Microsecond)); err != nil {
		return nil, err
	}
	return nil, c.Store.DeleteDeadLetter(ctx, in.ID)
}
