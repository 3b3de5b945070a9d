package api

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// The webhooks are served by package webhook, which says more about their answers. Here they are only
// described.
const (
	webhooksTag = "webhooks"
	smsPath     = "/webhooks/cxone/sms"
	threadsPath = "/api/webhooks/cxone-threads"
)

// textOrNumber is a field that may be written either way.
type textOrNumber string

// Schema implements huma.SchemaProvider.
func (textOrNumber) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}}}
}

// smsReceipt is what the SMS webhook reads of a receipt. It ignores any other member.
type smsReceipt struct {
	_ struct{} `additionalProperties:"true"`

	MessageID   textOrNumber `json:"messageId,omitempty" doc:"Or smppMessageId, or externalId: the first that is present. Required, unless SMPP fields have it."`
	Status      textOrNumber `json:"status,omitempty" doc:"Or deliveryStatus: the gateway's own word. Required, unless SMPP fields tell the state."`
	ErrorCode   textOrNumber `json:"errorCode,omitempty" doc:"Or smppErrorCode"`
	Carrier     textOrNumber `json:"carrier,omitempty" doc:"Or carrierCode; else UNKNOWN"`
	Timestamp   textOrNumber `json:"timestamp,omitempty" doc:"Or deliveryTime: when the status came to be; else the done date of the receipt text"`
	From        textOrNumber `json:"from,omitempty" doc:"Or sourceAddress: the sender ID"`
	To          textOrNumber `json:"to,omitempty" doc:"Or destinationAddress: the recipient"`
	Region      textOrNumber `json:"region,omitempty" doc:"ISO 3166-1 alpha-2; else that of the recipient's number"`
	Segments    textOrNumber `json:"segments,omitempty" doc:"1 to 255"`
	SubmittedAt textOrNumber `json:"submittedAt,omitempty" doc:"When the message was handed to the carrier"`
	Cost        textOrNumber `json:"cost,omitempty" doc:"Of the whole message; else the rate card says"`
	Currency    textOrNumber `json:"currency,omitempty" doc:"ISO 4217"`

	SMPP *smppFields `json:"smpp,omitempty" doc:"Fields of a deliver_sm or data_sm. They may also be next to the others, and in camelCase."`
}

// smppFields are those of a receipt that came by SMPP.
type smppFields struct {
	_ struct{} `additionalProperties:"true"`

	ShortMessage       textOrNumber `json:"short_message,omitempty" doc:"Or message_payload: the receipt text, id:… stat:… and so on"`
	ReceiptedMessageID textOrNumber `json:"receipted_message_id,omitempty"`
	MessageState       textOrNumber `json:"message_state,omitempty" doc:"Number or name"`
	NetworkErrorCode   textOrNumber `json:"network_error_code,omitempty" doc:"Number, type:number, or hexadecimal"`
	ESMClass           textOrNumber `json:"esm_class,omitempty" doc:"Must say that this is a receipt. 32 is an intermediate notification: a final state in these fields then counts as PENDING."`
	DataCoding         textOrNumber `json:"data_coding,omitempty"`
	SourceAddr         textOrNumber `json:"source_addr,omitempty"`
	DestinationAddr    textOrNumber `json:"destination_addr,omitempty"`
}

// smsEvent is a receipt in an envelope.
type smsEvent struct {
	_ struct{} `additionalProperties:"true"`

	EventType string     `json:"eventType,omitempty" example:"messaging.status.update"`
	Payload   smsReceipt `json:"payload"`
}

// threadEvent is an event of a thread.
type threadEvent struct {
	_ struct{} `additionalProperties:"true"`

	Event     string          `json:"event" enum:"THREAD_UPDATED,THREAD_MERGED,THREAD_SPLIT"`
	Timestamp *string         `json:"timestamp,omitempty" doc:"RFC 3339; used if data has no updatedAt"`
	Data      threadEventData `json:"data"`
}

type threadEventData struct {
	_ struct{} `additionalProperties:"true"`

	ThreadID       string             `json:"threadId" minLength:"1" maxLength:"256"`
	ParentThreadID *string            `json:"parentThreadId,omitempty" maxLength:"256" doc:"The thread that it is merged into, or split from; null clears the link. Required of THREAD_MERGED."`
	Version        *int64             `json:"version,omitempty" minimum:"0" doc:"As CXone counts it, up to 2^62"`
	UpdatedAt      *string            `json:"updatedAt,omitempty" doc:"RFC 3339, of that version"`
	Participants   []eventParticipant `json:"participants,omitempty"`
	Messages       []eventMessage     `json:"messages,omitempty" doc:"Those that are new or changed; for THREAD_SPLIT, those that move to the new thread. Messages that are left out are not removed."`
}

type eventParticipant struct {
	_ struct{} `additionalProperties:"true"`

	ID         string  `json:"id" minLength:"1" maxLength:"256"`
	Role       *string `json:"role,omitempty" doc:"CUSTOMER, AGENT or SYSTEM"`
	Name       *string `json:"name,omitempty"`
	PlatformID *string `json:"platformId,omitempty"`
}

type eventMessage struct {
	_ struct{} `additionalProperties:"true"`

	ID        string  `json:"id" minLength:"1" maxLength:"256"`
	Text      *string `json:"text,omitempty" doc:"The CRM takes at most 5,000 characters"`
	Timestamp *string `json:"timestamp,omitempty" doc:"RFC 3339"`
	AuthorID  *string `json:"authorId,omitempty" doc:"Id of a participant"`
	Direction *string `json:"direction,omitempty" doc:"INBOUND, OUTBOUND or any other text, which is passed on; INBOUND if left out"`
}

// receiptAnswer answers one receipt, and receiptsAnswer an array of them.
type receiptAnswer struct {
	Acknowledged      bool   `json:"acknowledged"`
	MessageID         string `json:"messageId"`
	ValidationWarning string `json:"validationWarning,omitempty" doc:"What rule the sender ID breaks"`
	Duplicate         bool   `json:"duplicate,omitempty" doc:"The receipt was known already"`
	QueuedForRetry    bool   `json:"queuedForRetry,omitempty" doc:"The database is away; the receipt is durable in the spool"`
	Quarantined       bool   `json:"quarantined,omitempty" doc:"The receipt is kept as a dead letter, by the policy for sender IDs"`
}

type receiptsAnswer struct {
	Acknowledged   bool              `json:"acknowledged"`
	Accepted       int               `json:"accepted" doc:"New receipts"`
	Duplicates     int               `json:"duplicates" doc:"Receipts that were known already"`
	Rejected       []rejectedReceipt `json:"rejected" nullable:"false" doc:"Invalid receipts, which are kept as dead letters"`
	Flagged        int               `json:"flagged,omitempty" doc:"Accepted ones whose sender ID breaks a rule"`
	Quarantined    int               `json:"quarantined,omitempty" doc:"Accepted ones that became dead letters, by the policy for sender IDs"`
	QueuedForRetry bool              `json:"queuedForRetry,omitempty" doc:"Some are in the spool"`
}

type rejectedReceipt struct {
	Index int    `json:"index" doc:"In the array, from 0"`
	Error string `json:"error"`
}

// eventAnswer answers one event of a thread, and eventsAnswer an array of them.
type eventAnswer struct {
	Status         string `json:"status" enum:"ACCEPTED,SYNCED,IGNORED" doc:"SYNCED: the CRM has all of it. IGNORED: it was known already, or brings nothing new"`
	Reason         string `json:"reason,omitempty" enum:"NO_DELTA_OR_STALE"`
	QueuedForRetry bool   `json:"queuedForRetry,omitempty" doc:"The database is away; the event is durable in the spool"`
}

type eventsAnswer struct {
	Status         string        `json:"status" enum:"ACCEPTED,SYNCED"`
	QueuedForRetry bool          `json:"queuedForRetry,omitempty" doc:"Some are in the spool"`
	Results        []eventResult `json:"results" nullable:"false" doc:"In the order of the array"`
}

type eventResult struct {
	ThreadID       *string      `json:"threadId" doc:"null if it could not be read"`
	Status         string       `json:"status" enum:"ACCEPTED,SYNCED,IGNORED,REJECTED"`
	Reason         string       `json:"reason,omitempty" enum:"NO_DELTA_OR_STALE"`
	QueuedForRetry bool         `json:"queuedForRetry,omitempty"`
	Error          string       `json:"error,omitempty" doc:"Why it is rejected, and kept as a dead letter"`
	Fields         []fieldError `json:"fields,omitempty" nullable:"false"`
}

// webhookError is the answer to a request of which nothing was accepted. Those below answer events that are
// kept as dead letters.
type webhookError struct {
	Error string `json:"error" doc:"What is wrong"`
}

type fieldError struct {
	Path  string `json:"path" doc:"JSON Pointer to the bad field"`
	Error string `json:"error" doc:"What is wrong with it"`
}

type receiptRefused struct {
	Error     string       `json:"error" doc:"What is wrong"`
	MessageID string       `json:"messageId,omitempty" doc:"If it could be read"`
	Fields    []fieldError `json:"fields,omitempty" nullable:"false"`
}

type receiptsRefused struct {
	Error        string            `json:"error"`
	Acknowledged bool              `json:"acknowledged" enum:"false"`
	Accepted     int               `json:"accepted"`
	Duplicates   int               `json:"duplicates"`
	Rejected     []rejectedReceipt `json:"rejected" nullable:"false"`
}

type eventRefused struct {
	Error    string       `json:"error" doc:"What is wrong"`
	ThreadID string       `json:"threadId,omitempty" doc:"If it could be read"`
	Fields   []fieldError `json:"fields,omitempty" nullable:"false"`
}

type eventsRefused struct {
	Error   string        `json:"error"`
	Status  string        `json:"status" enum:"REJECTED"`
	Results []eventResult `json:"results" nullable:"false"`
}

// webhookSchemes are the ways in which a caller authenticates itself to a webhook.
var webhookSchemes = map[string]*huma.SecurityScheme{
	"webhookSecret": {Type: "apiKey", In: "header", Name: "X-Webhook-Secret", Description: "One of the secrets in WEBHOOK_SECRET, as it is"},
	"webhookSignature": {Type: "apiKey", In: "header", Name: "webhook-signature",
		Description: "Standard Webhooks: v1, and the base64 of the HMAC-SHA256 over id.timestamp.body, with one of the secrets in WEBHOOK_SECRET. What follows whsec_ in a secret is base64"},
	"webhookID":        {Type: "apiKey", In: "header", Name: "webhook-id", Description: "Standard Webhooks: id of the delivery, without full stops"},
	"webhookTimestamp": {Type: "apiKey", In: "header", Name: "webhook-timestamp", Description: "Standard Webhooks: Unix seconds, at most 5 minutes from the clock of cxbridge"},
	"requestSignature": {Type: "apiKey", In: "header", Name: "X-Request-Signature", Description: "Base64 of the HMAC-SHA256 over the raw body, with one of the secrets in WEBHOOK_SECRET"},
}

// webhookSecurity lists them: any one is enough.
var webhookSecurity = []map[string][]string{
	{"webhookSecret": {}}, {"webhookSignature": {}, "webhookID": {}, "webhookTimestamp": {}}, {"requestSignature": {}},
}

// maxEvents is how many events an array may have.
const maxEvents = 5000

// describeWebhooks adds the webhooks to the description.
func (c *Handler) describeWebhooks() {
	doc := c.huma.OpenAPI()
	for name, scheme := range webhookSchemes {
		doc.Components.SecuritySchemes[name] = scheme
	}
	d := webhookDescriber{doc.Components.Schemas}
	doc.AddOperation(&huma.Operation{
		OperationID: "receive-receipts", Method: http.MethodPost, Path: smsPath,
		Summary: "Take in SMS delivery receipts: one, or an array of them", Tags: []string{webhooksTag},
		Description: "A receipt comes with or without an envelope. A repeated one changes nothing, and one that comes late never " +
			"undoes a newer state. What is invalid, or not even JSON, is kept as a dead letter. At most 5,000 items and 8 MiB.",
		Security:    webhookSecurity,
		RequestBody: d.body(receiptSamples, d.ref(reflect.TypeFor[smsReceipt]()), d.ref(reflect.TypeFor[smsEvent]())),
		Responses: d.responses(
			d.oneOf("Durable", receiptAnswers, d.ref(reflect.TypeFor[receiptAnswer]()), d.ref(reflect.TypeFor[receiptsAnswer]())),
			d.oneOf("Invalid, and kept as dead letters", receiptRefusals, d.ref(reflect.TypeFor[receiptRefused]()), d.ref(reflect.TypeFor[receiptsRefused]()))),
	})
	accepted := d.oneOf("Durable", eventAnswers, d.ref(reflect.TypeFor[eventAnswer]()), d.ref(reflect.TypeFor[eventsAnswer]()))
	accepted.Headers = map[string]*huma.Param{"Preference-Applied": {
		Description: "The wait that was applied", Schema: &huma.Schema{Type: huma.TypeString}, Example: "wait=5",
	}}
	doc.AddOperation(&huma.Operation{
		OperationID: "receive-thread-events", Method: http.MethodPost, Path: threadsPath,
		Summary: "Take in events of social threads: one, or an array of them", Tags: []string{webhooksTag},
		Description: "The order of events does not matter, and a repeated one changes nothing. What is invalid, or not even JSON, " +
			"is kept as a dead letter. At most 5,000 items and 8 MiB.",
		Security: webhookSecurity,
		Parameters: []*huma.Param{{
			Name: "Prefer", In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Example: "wait=5",
			Description: "RFC 7240: with wait=N the answer waits until the CRM has everything, for at most N seconds and never more than 30",
		}},
		RequestBody: d.body(eventSamples, d.ref(reflect.TypeFor[threadEvent]())),
		Responses: d.responses(accepted,
			d.oneOf("Invalid, and kept as dead letters", eventRefusals, d.ref(reflect.TypeFor[eventRefused]()), d.ref(reflect.TypeFor[eventsRefused]()))),
	})
}

// webhookDescriber describes what the webhooks read and answer.
type webhookDescriber struct{ schemas huma.Registry }

func (d webhookDescriber) ref(t reflect.Type) *huma.Schema { return d.schemas.Schema(t, true, "") }

// body describes a body that is one of the items, or an array of them.
func (d webhookDescriber) body(samples map[string]*huma.Example, items ...*huma.Schema) *huma.RequestBody {
	item, most := items[0], maxEvents
	if len(items) > 1 {
		item = &huma.Schema{AnyOf: items}
	}
	array := &huma.Schema{Type: huma.TypeArray, Items: item, MaxItems: &most}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		jsonType: {Schema: &huma.Schema{AnyOf: append(items[:len(items):len(items)], array)}, Examples: samples},
	}}
}

func (d webhookDescriber) oneOf(description string, samples map[string]*huma.Example, schemas ...*huma.Schema) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		jsonType: {Schema: &huma.Schema{OneOf: schemas}, Examples: samples},
	}}
}

// responses returns the responses of a webhook: two of its own, and those that both have in common.
func (d webhookDescriber) responses(accepted, refused *huma.Response) map[string]*huma.Response {
	plain := func(description, sample string, header *namedHeader) *huma.Response {
		r := &huma.Response{Description: description, Content: map[string]*huma.MediaType{
			jsonType: {Schema: d.ref(reflect.TypeFor[webhookError]()), Example: webhookError{sample}},
		}}
		header.addTo(r)
		return r
	}
	return map[string]*huma.Response{
		"200": accepted,
		"400": plain("Not JSON, and kept as a dead letter", "there is no value", nil),
		"401": plain("No secret and no signature, or wrong ones", "no credential: send X-Webhook-Secret, or sign the body",
			&namedHeader{name: "WWW-Authenticate", description: "How to authenticate", example: `Webhook realm="cxbridge"`}),
		"413": plain("More than 8 MiB or 5,000 items", "the body is larger than 8388608 bytes", nil),
		"415": plain("Compressed", "send the body as it is: Content-Encoding is not supported",
			&namedHeader{name: "Accept-Encoding", description: "What may be sent", example: "identity"}),
		"422": refused,
		"429": plain("The secret or signature is wrong, as were too many before it from this address: 40 at once, then one every two seconds. A correct one is never limited",
			"too many wrong secrets or signatures from this address", retryAfterHeader),
		"503": plain("Nothing was accepted: send it again", "too many requests in flight", retryAfterHeader),
	}
}

func sample(summary, value string) *huma.Example {
	return &huma.Example{Summary: summary, Value: json.RawMessage(value)}
}
