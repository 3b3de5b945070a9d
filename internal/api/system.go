package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

// backlogMost bounds the counts of the backlog.
const backlogMost = 10_000

// system is the process and what it works with, as the API shows it.
type system struct {
	Version       string                 `json:"version" doc:"Of the program that answers"`
	UptimeSeconds float64                `json:"uptimeSeconds" doc:"Of the process that answers"`
	Status        string                 `json:"status" enum:"ready,unready" doc:"As in /readyz"`
	Parts         map[string]status.Part `json:"parts" doc:"As in /readyz"`
	Database      *database              `json:"database" doc:"null while the database is away"`
	Replicas      []replica              `json:"replicas" nullable:"false" doc:"The processes that work on the database, and those that did in the last 24 hours, in the order of their start"`
	Backlog       *backlog               `json:"backlog" doc:"What waits for the CRM; null while the database is away"`
}

// TransformSchema says that what comes from the database is null while it is away.
func (system) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, name := range []string{"database", "backlog"} {
		s.Properties[name] = objectOrNull(s.Properties[name])
	}
	return s
}

type database struct {
	Engine  string `json:"engine" example:"PostgreSQL"`
	Version string `json:"version" doc:"Of the engine"`
	Schema  int    `json:"schema" doc:"Number of the newest migration that it has"`
	Bytes   int64  `json:"bytes" doc:"Size on the disk"`
}

type replica struct {
	ID        string    `json:"id" doc:"Drawn at random at each start"`
	Host      string    `json:"host"`
	Version   string    `json:"version" doc:"Of the program"`
	StartedAt time.Time `json:"startedAt"`
	SeenAt    time.Time `json:"seenAt" doc:"When it last reported. It does so every 10 seconds."`
}

type backlog struct {
	Pending  int        `json:"pending" doc:"Threads that the CRM lacks something of"`
	Retrying int        `json:"retrying" doc:"Of them, those whose last attempt failed"`
	Parked   int        `json:"parked" doc:"Threads that wait for an operator or a new event"`
	OldestAt *time.Time `json:"oldestAt" doc:"Since when the CRM has lacked something of the pending thread that waits longest"`
	Most     int        `json:"most" doc:"Where counting ends: a count of this means as many or more. Once pending has reached it, retrying counts only among the threads that wait longest."`
}

func (c *Handler) systemRoutes() {
	register(c, access.Viewer, huma.Operation{
		OperationID: "get-system", Method: http.MethodGet, Path: "/api/system",
		Summary: "The program, its database, its replicas and what waits for the CRM", Tags: []string{"system"},
	}, c.getSystem)
}

type systemOutput struct{ Body system }

func (c *Handler) getSystem(ctx context.Context, _ *struct{}) (*systemOutput, error) {
	out := &systemOutput{system{
		Version: cmp.Or(c.Version, "dev"), UptimeSeconds: round(c.Figures.Figures().UptimeSeconds, 3),
		Status: "ready", Replicas: []replica{},
	}}
	var ok bool
	if ok, out.Body.Parts = c.Health.Ready(); !ok {
		out.Body.Status = "unready"
	}
	// While the database is away the parts say so, and that is when an operator asks.
	if err := c.readSystem(ctx, &out.Body); err != nil && !errors.Is(err, store.ErrUnavailable) {
		return nil, err
	}
	return out, nil
}

// readSystem adds what comes from the database: all of it or nothing.
func (c *Handler) readSystem(ctx context.Context, s *system) error {
	d, err := c.Store.Describe(ctx)
	if err != nil {
		return err
	}
	b, err := c.Store.Backlog(ctx, backlogMost)
	if err != nil {
		return err
	}
	replicas, err := c.Store.Replicas(ctx)
	if err != nil {
		return err
	}
	s.Database = &database{Engine: d.Engine, Version: d.Version, Schema: d.Schema, Bytes: d.Bytes}
	s.Backlog = &backlog{
		Pending: b.Pending, Retrying: b.Retrying, Parked: b.Parked, OldestAt: timeOrNull(b.Oldest), Most: backlogMost,
	}
	for _, r := range replicas {
		s.Replicas = append(s.Replicas, replica{
			ID: r.ID, Host: r.Host, Version: r.Version, StartedAt: r.Started.UTC(), SeenAt: r.Seen.UTC(),
		})
	}
	return nil
}
