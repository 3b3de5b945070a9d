package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/status"
)

// Health knows whether events can be accepted.
type Health interface {
	// Ready reports whether an event that came in now would be made durable, in the database or
	// in the spool, and the state of each part by its name. It reports false once the process
	// stops. It answers within seconds, whatever hangs.
	Ready() (ok bool, parts map[string]status.Part)
}

type readiness struct {
	Status     int
	RetryAfter string `header:"Retry-After"`
	Body       struct {
		Status string                 `json:"status" enum:"ready,unready"`
		Parts  map[string]status.Part `json:"parts"`
	}
}

func (c *Handler) healthRoutes() {
	type alive struct {
		Body struct {
			Status string `json:"status" enum:"ok"`
		}
	}
	register(c, access.Anyone, huma.Operation{
		OperationID: "get-health", Method: http.MethodGet, Path: "/healthz",
		Summary: "Whether the process is alive", Tags: []string{"health"},
	}, func(context.Context, *struct{}) (*alive, error) {
		var a alive
		a.Body.Status = "ok"
		return &a, nil
	})
	register(c, access.Anyone, huma.Operation{
		OperationID: "get-readiness", Method: http.MethodGet, Path: "/readyz",
		Summary: "Whether events can be accepted durably, and the state of each part", Tags: []string{"health"},
		Description: "503, with the same body, when neither the database nor the spool can take events, and while the process stops. The other parts, such as the CRM, are reported only: events are accepted whatever their state is.",
	}, func(context.Context, *struct{}) (*readiness, error) {
		ok, parts := c.Health.Ready()
		r := &readiness{Status: http.StatusOK}
		r.Body.Status, r.Body.Parts = "ready", parts
		if !ok {
			r.Status, r.RetryAfter, r.Body.Status = http.StatusServiceUnavailable, "5", "unready"
		}
		return r, nil
	})
}
