package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/simulator"
)

// Simulator posts made-up events through the intake. See simulator.Simulator for its errors.
type Simulator interface {
	SMS(ctx context.Context, ask simulator.SMS) (simulator.Posted, error)
	Story(ctx context.Context, ask simulator.Story) (simulator.Posted, error)
}

// simulateTimeout is how long the intake may take for all events of one call.
const simulateTimeout = 30 * time.Second

// simulatorRoutes adds nothing without a simulator: what is off answers as if it did not exist.
func (c *Handler) simulatorRoutes() {
	if c.Simulator == nil {
		return
	}
	tags := []string{"simulator"}
	registerWithin(c, access.Operator, simulateTimeout, huma.Operation{
		OperationID: "simulate-sms", Method: http.MethodPost, Path: "/simulator/sms",
		Summary: "Make up SMS receipts, and post them to the webhook", Tags: tags,
		Description: "Each is a receipt of a new message. What the body leaves out or empty is drawn at random. 200: all are durable. " +
			"503: the intake is busy; the receipts that it has taken are kept.",
	}, c.simulateSMS)
	registerWithin(c, access.Operator, simulateTimeout, huma.Operation{
		OperationID: "simulate-threads", Method: http.MethodPost, Path: "/simulator/threads",
		Summary: "Make up a story about threads, and post its events to the webhook", Tags: tags,
		Description: "conversation: a customer and an agent write to each other. merge: a customer has two conversations, " +
			"and the second goes into the first. split: half of a conversation becomes one of its own. storm: many changes " +
			"of a few threads, out of order and some of them repeated. 200: all events are durable. 503: the intake is busy; " +
			"the events that it has taken are kept.",
	}, c.simulateThreads)
}

type simulateSMSBody struct {
	Status  string `json:"status,omitempty" maxLength:"64" pattern:"^([!-~]([ -~]*[!-~])?)?$" patternDescription:"printable ASCII" doc:"Whatever a gateway may say, in any case" example:"UNDELIV"`
	Carrier string `json:"carrier,omitempty" maxLength:"64" pattern:"^([!-~]([ -~]*[!-~])?)?$" patternDescription:"printable ASCII" example:"VODAFONE"`
	Region  string `json:"region,omitempty" maxLength:"32" doc:"Of the recipient: ISO 3166-1 alpha-2, or UK, in any case" example:"GB"`
	Count   int    `json:"count,omitempty" default:"1" minimum:"1" maximum:"1000" doc:"How many messages"`
}

type simulateSMSOutput struct {
	Body struct {
		Success             bool     `json:"success"`
		SimulatedMessageID  string   `json:"simulatedMessageId" doc:"Of the first message"`
		Count               int      `json:"count,omitempty" doc:"How many messages, if more than one"`
		SimulatedMessageIDs []string `json:"simulatedMessageIds,omitempty" doc:"Of all messages, if there is more than one"`
		QueuedForRetry      bool     `json:"queuedForRetry,omitempty" doc:"The database is away, and some receipts wait in the spool"`
		Quarantined         int      `json:"quarantined,omitempty" doc:"Receipts that became dead letters, by the policy for sender IDs"`
	}
}

func (c *Handler) simulateSMS(ctx context.Context, in *struct {
	Body *simulateSMSBody
}) (*simulateSMSOutput, error) {
	ask := simulator.SMS{Count: 1}
	if b := in.Body; b != nil {
		ask = simulator.SMS{Status: b.Status, Carrier: b.Carrier, Region: b.Region, Count: b.Count}
	}
	if ask.Region != "" && !simulator.Reaches(ask.Region) {
		return nil, huma.Error422UnprocessableEntity("validation failed",
			&huma.ErrorDetail{Message: "this is no region with phones", Location: "body.region", Value: ask.Region})
	}
	posted, err := c.Simulator.SMS(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &simulateSMSOutput{}
	out.Body.Success = true
	out.Body.SimulatedMessageID = posted.IDs[0]
	if len(posted.IDs) > 1 {
		out.Body.Count, out.Body.SimulatedMessageIDs = posted.Events, posted.IDs
	}
	out.Body.QueuedForRetry, out.Body.Quarantined = posted.Spooled > 0, posted.Quarantined
	return out, nil
}

type simulateThreadsBody struct {
	Scenario string `json:"scenario" enum:"conversation,merge,split,storm"`
	Seed     uint64 `json:"seed,omitempty" maximum:"9007199254740991" doc:"The same seed repeats a story, with the same ids and texts; 0 draws a new one"`
	Size     int    `json:"size,omitempty" minimum:"2" maximum:"500" doc:"Number of messages, 6 when left out; for a storm, of changes, 100 when left out"`
}

type simulateThreadsOutput struct {
	Body struct {
		Success        bool     `json:"success"`
		ThreadIDs      []string `json:"threadIds" nullable:"false"`
		Events         int      `json:"events"`
		Seed           uint64   `json:"seed" doc:"Repeats this story"`
		QueuedForRetry bool     `json:"queuedForRetry,omitempty" doc:"The database is away, and some events wait in the spool"`
	}
}

func (c *Handler) simulateThreads(ctx context.Context, in *struct{ Body simulateThreadsBody }) (*simulateThreadsOutput, error) {
	ask := simulator.NewStory(simulator.Scenario(in.Body.Scenario), in.Body.Seed, in.Body.Size)
	posted, err := c.Simulator.Story(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &simulateThreadsOutput{}
	out.Body.Success = true
	out.Body.ThreadIDs, out.Body.Events, out.Body.Seed = posted.IDs, posted.Events, ask.Seed
	out.Body.QueuedForRetry = posted.Spooled > 0
	return out, nil
}
