package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func (c *Console) messagePages() {
	c.add(&page{
		Name: "messages", Path: messagesPath, Title: "Messages", Menu: true, Need: access.Viewer,
		load: c.loadMessages, live: []string{"message-list"},
	})
	c.add(&page{
		Name: "message", Path: messagesPath + "/{id...}", Title: "Message", Need: access.Viewer,
		load: c.loadMessage, live: []string{"message-state", "message-receipts"},
	})
}

const (
	messagesPath = "/messages"

	// messagesShown is how many messages the list has at most.
	messagesShown = 50
)

// messageList is what the page of messages shows: those that were searched for, or the latest.
type messageList struct {
	Query    string
	Messages []messageRow
	IsCut    bool // there are more than are shown
}

type messageRow struct{ *sms.Message }

// Path leads to the page of the message.
func (m messageRow) Path() string { return pathOf(messagesPath, m.ID) }

func (c *Console) loadMessages(ctx context.Context, r *http.Request) (any, error) {
	list := &messageList{Query: r.URL.Query().Get("q")}
	var found []*sms.Message
	var err error
	switch {
	case list.Query == "":
		found, err = c.Store.RecentMessages(ctx, store.ItemPosition{}, messagesShown)
	case store.IsAskable(list.Query):
		found, err = c.findMessages(ctx, list.Query)
	}
	if err != nil {
		return nil, err
	}
	list.IsCut = list.Query != "" && len(found) > messagesShown
	for _, m := range found[:min(len(found), messagesShown)] {
		list.Messages = append(list.Messages, messageRow{m})
	}
	return list, nil
}

// findMessages returns the message with an id and the messages to a number: more than messagesShown if there
// are more.
func (c *Console) findMessages(ctx context.Context, query string) ([]*sms.Message, error) {
	pasted := strings.TrimSpace(query) // spaces may belong to an id, but more often come from pasting
	byID, _, err := c.Store.Message(ctx, query)
	if errors.Is(err, store.ErrNotFound) && pasted != query {
		byID, _, err = c.Store.Message(ctx, pasted)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	found, err := c.Store.MessagesTo(ctx, dialled(pasted), store.ItemPosition{}, messagesShown+1)
	if err != nil || byID == nil {
		return found, err
	}
	found = slices.DeleteFunc(found, func(m *sms.Message) bool { return m.ID == byID.ID })
	return slices.Insert(found, 0, byID), nil
}

// dialled returns a number without the characters that people write into it to make it easier to read. It
// returns a text that is not a number as it is.
func dialled(text string) string {
	number := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -./()\u00a0\u2011", r) {
			return -1
		}
		return r
	}, text)
	if digits := strings.TrimPrefix(number, "+"); digits == "" || strings.Trim(digits, "0123456789") != "" {
		return text
	}
	return number
}

// messageView is what the page of a message shows.
type messageView struct {
	*sms.Message
	Receipts []receiptRow
}

// PageTitle names the message.
func (m *messageView) PageTitle() string { return "Message " + m.ID }

// Took returns the time from submission to the final status; 0 if it is not known.
func (m *messageView) Took() time.Duration {
	if m.Submitted.IsZero() || m.StatusAt.Before(m.Submitted) || !m.Status.Final() {
		return 0
	}
	return m.StatusAt.Sub(m.Submitted)
}

// receiptRow is a receipt of the message.
type receiptRow struct {
	sms.PastReceipt
	Decides bool // it is the one that decides the state of the message
}

func (c *Console) loadMessage(ctx context.Context, r *http.Request) (any, error) {
	id := idOf(r)
	if !store.IsAskable(id) {
		return nil, store.ErrNotFound
	}
	m, receipts, err := c.Store.Message(ctx, id)
	if err != nil {
		return nil, err
	}
	shown := &messageView{Message: m}
	for _, p := range receipts {
		shown.Receipts = append(shown.Receipts, receiptRow{p, p.Key == m.Key})
	}
	return shown, nil
}
