package api

import (
	"context"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/status"
)

// Counter knows what this process has done since it started.
type Counter interface {
	Figures() status.Figures
}

// errorRate is the share of events in error: 0 to 1, to four decimals.
func errorRate(f *status.Figures) float64 {
	if f.TotalProcessed == 0 {
		return 0
	}
	return round(float64(f.TotalErrors)/float64(f.TotalProcessed), 4)
}

func round(v float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(v*scale) / scale
}

type figures struct {
	TotalProcessed int64   `json:"totalProcessed" doc:"Events answered since the start, including those in error"`
	TotalErrors    int64   `json:"totalErrors" doc:"Events refused, or not made durable"`
	ErrorRate      float64 `json:"errorRate" doc:"totalErrors / totalProcessed, 0 to 1"`
	AvgLatencyMs   float64 `json:"avgLatencyMs" doc:"Mean time until an event is durable: in the queue and in the commit, without reading and parsing the request"`
	Duplicates     int64   `json:"duplicates" doc:"Events that were known already"`
	DeadLetters    int64   `json:"deadLetters" doc:"Events kept as dead letters since the start"`
	QueuedForRetry int64   `json:"queuedForRetry" doc:"Events that went to the spool since the start"`
	SpoolEvents    int64   `json:"spoolEvents" doc:"Events in the spool now"`
	SpoolBytes     int64   `json:"spoolBytes" doc:"Bytes of the events in the spool now; the file is somewhat larger"`
	UptimeSeconds  float64 `json:"uptimeSeconds"`

	CRM *status.CRMFigures `json:"crm,omitempty" doc:"Pushes to the CRM, if one is set"`
}

func (c *Handler) figureRoutes() {
	type output struct{ Body figures }
	register(c, access.Viewer, huma.Operation{
		OperationID: "get-metrics", Method: http.MethodGet, Path: "/api/metrics",
		Summary: "Figures of this process since it started", Tags: []string{"figures"},
	}, func(context.Context, *struct{}) (*output, error) {
		f := c.Figures.Figures()
		return &output{figures{
			TotalProcessed: f.TotalProcessed, TotalErrors: f.TotalErrors, ErrorRate: errorRate(&f),
			AvgLatencyMs: round(f.AvgLatencyMs, 3), Duplicates: f.Duplicates, DeadLetters: f.DeadLetters,
			QueuedForRetry: f.QueuedForRetry, SpoolEvents: f.SpoolEvents, SpoolBytes: f.SpoolBytes,
			UptimeSeconds: round(f.UptimeSeconds, 3), CRM: f.CRM,
		}}, nil
	})
	c.registerPlain(access.Viewer, huma.Operation{
		OperationID: "get-prometheus-metrics", Method: http.MethodGet, Path: "/metrics",
		Summary: "The same and more, for Prometheus", Tags: []string{"figures"},
		Responses: map[string]*huma.Response{"200": {
			Description: "Prometheus exposition format", Content: map[string]*huma.MediaType{"text/plain": {
				Schema: &huma.Schema{Type: huma.TypeString}, Example: "# TYPE cxbridge_build_info gauge\ncxbridge_build_info{version=\"1.0.0\"} 1\n",
			}},
		}},
	}, c.Metrics)
}
