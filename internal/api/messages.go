package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// MessageHead is a message without its receipts, as the API shows it. What no receipt has named is null.
// It is exported because huma leaves unexported embedded types out of the description.
type MessageHead struct {
	MessageID        string     `json:"messageId" doc:"As the receipts name it"`
	Status           string     `json:"status" enum:"PENDING,UNKNOWN,DELIVERED,FAILED,REJECTED,EXPIRED"`
	RawStatus        string     `json:"rawStatus" doc:"The gateway's own word for the status"`
	StatusAt         *time.Time `json:"statusAt" doc:"When the status came to be, as the receipt says"`
	Carrier          string     `json:"carrier" doc:"UNKNOWN until a receipt names it"`
	ErrorCode        *string    `json:"errorCode"`
	SenderID         *string    `json:"senderId"`
	Recipient        *string    `json:"recipient"`
	Region           *string    `json:"region" doc:"ISO 3166-1 alpha-2"`
	RegionSource     *string    `json:"regionSource" enum:"payload,recipient,default"`
	Compliance       string     `json:"compliance" enum:"compliant,violation,unchecked" doc:"Whether the sender ID obeys the rules of the region"`
	ComplianceReason *string    `json:"complianceReason" doc:"What rule the sender ID breaks"`
	Segments         *int       `json:"segments"`
	SubmittedAt      *time.Time `json:"submittedAt" doc:"When the message was handed to the carrier"`
	Cost             *string    `json:"cost" doc:"Decimal number for the whole message"`
	Currency         *string    `json:"currency" doc:"ISO 4217"`
	FirstSeenAt      time.Time  `json:"firstSeenAt" doc:"When its first receipt came in"`
	UpdatedAt        time.Time  `json:"updatedAt" doc:"When a receipt last changed it"`
}

// message is a message as the API shows it.
type message struct {
	MessageHead
	Receipts []receipt `json:"receipts" nullable:"false" doc:"Every receipt, in the order they came in"`
}

// receipt is one receipt of a message as the API shows it.
type receipt struct {
	Status     string     `json:"status" enum:"PENDING,UNKNOWN,DELIVERED,FAILED,REJECTED,EXPIRED"`
	RawStatus  string     `json:"rawStatus" doc:"The gateway's own word for the status"`
	At         *time.Time `json:"at" doc:"When the status came to be, as the receipt says"`
	ReceivedAt time.Time  `json:"receivedAt"`
	Raw        rawJSON    `json:"raw"`
}

// rawJSON is JSON as it is stored, such as the body of a receipt, shown as the value it is.
type rawJSON []byte

// MarshalJSON writes the value itself. A text that is not JSON becomes a string, so that it does not break
// the whole answer.
func (b rawJSON) MarshalJSON() ([]byte, error) {
	if json.Valid(b) && utf8.Valid(b) {
		return b, nil
	}
	return json.Marshal(string(b))
}

// Schema says that any JSON value is possible.
func (rawJSON) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "The body as it came in: any JSON value"}
}

func (c *Handler) messageRoutes() {
	register(c, access.Viewer, huma.Operation{
		OperationID: "list-messages", Method: http.MethodGet, Path: "/api/messages",
		Summary: "Messages, all or those to a number, newest first", Tags: []string{"messages"},
		Description: "The order is that of firstSeenAt and then messageId, both descending. With the embedded database it is that in " +
			"which messages were stored, where a dead letter that was replayed may be in front of messages that are newer.",
	}, c.listMessages)
	register(c, access.Viewer, huma.Operation{
		OperationID: "get-message", Method: http.MethodGet, Path: "/api/messages/{id}",
		Summary: "State of a message, and every receipt it is made of", Tags: []string{"messages"},
	}, c.getMessage)
}

type messagePage struct {
	Body struct {
		Items []MessageHead `json:"items" nullable:"false"`
		Next  *string       `json:"next" doc:"Cursor of the next page; null when this is the last one"`
	}
}

func (c *Handler) listMessages(ctx context.Context, in *struct {
	Recipient string `query:"recipient" maxLength:"256" doc:"Only messages to this number, with or without a plus in front" example:"+4915112345678"`
	Limit     int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Maximum number of items"`
	Cursor    string `query:"cursor" maxLength:"500" doc:"next of the previous page"`
}) (*messagePage, error) {
	after, err := smsCursor.parsePosition(in.Cursor)
	if err != nil {
		return nil, badCursor(in.Cursor, err)
	}
	page := &messagePage{}
	page.Body.Items = []MessageHead{}
	if !store.IsAskable(in.Recipient) {
		return page, nil
	}
	var messages []*sms.Message
	// A plus that was not percent-encoded arrives as a space.
	if recipient := strings.TrimSpace(in.Recipient); recipient != "" {
		messages, err = c.Store.MessagesTo(ctx, recipient, after, in.Limit+1)
	} else {
		messages, err = c.Store.RecentMessages(ctx, after, in.Limit+1)
	}
	if len(messages) > in.Limit {
		messages = messages[:in.Limit]
		last := messages[in.Limit-1]
		page.Body.Next = orNull(smsCursor.makePosition(store.ItemPosition{At: last.FirstSeen, ID: last.ID}))
	}
	for _, m := range messages {
		page.Body.Items = append(page.Body.Items, showMessageHead(m))
	}
	return page, err
}

type oneMessage struct{ Body message }

func (c *Handler) getMessage(ctx context.Context, in *struct {
	ID string `path:"id" doc:"Message id, percent-encoded"`
}) (*oneMessage, error) {
	if !store.IsAskable(in.ID) {
		return nil, store.ErrNotFound
	}
	m, receipts, err := c.Store.Message(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &oneMessage{showMessage(m, receipts)}, nil
}

func showMessageHead(m *sms.Message) MessageHead {
	return MessageHead{
		MessageID: m.ID, Status: m.Status.String(), RawStatus: m.RawStatus, StatusAt: timeOrNull(m.StatusAt),
		Carrier: m.Carrier, ErrorCode: orNull(m.ErrorCode), SenderID: orNull(m.SenderID), Recipient: orNull(m.Recipient),
		Region: orNull(m.Region), RegionSource: orNull(string(m.RegionSource)),
		Compliance: string(m.Compliance), ComplianceReason: orNull(m.ComplianceReason),
		Segments: orNull(m.Segments), SubmittedAt: timeOrNull(m.Submitted),
		Cost: orNull(m.Cost), Currency: orNull(m.Currency),
		FirstSeenAt: m.FirstSeen.UTC(), UpdatedAt: m.Updated.UTC(),
	}
}

func showMessage(m *sms.Message, past []sms.PastReceipt) message {
	shown := message{MessageHead: showMessageHead(m), Receipts: make([]receipt, len(past))}
	for i, p := range past {
		shown.Receipts[i] = receipt{
			Status: p.Status.String(), RawStatus: p.RawStatus,
			At: timeOrNull(p.At), ReceivedAt: p.Received.UTC(), Raw: p.Raw,
		}
	}
	return shown
}

// orNull returns nil for the zero value, which stands for "not named" in package sms.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return orNull(t.UTC())
}
