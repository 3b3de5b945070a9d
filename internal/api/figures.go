package api

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
)

// Counter knows what this process has done since it started.
type Counter interface {
	Figures() Figures
}

// Figures counts what this process has done since it started, and what waits now.
type Figures struct {
	TotalProcessed int64   // events that were judged and answered, including those in error
	TotalErrors    int64   // events that were refused, or could not be made durable
	AvgLatencyMs   float64 // mean time from when events are queued until they are durable; 0 before the first
	Duplicates     int64   // events that were known already
	DeadLetters    int64   // events that were kept as dead letters
	QueuedForRetry int64   // events that went to the spool
	SpoolEvents    int64   // events in the spool now
	SpoolBytes     int64   // bytes of the events in the spool now; the file is somewhat larger
	UptimeSeconds  float64

	CRM *CRMFigures // nil: no CRM is set
}

// CRMFigures counts what this process has done to keep the CRM equal.
type CRMFigures struct {
	Pushes    int64   `json:"pushes" doc:"Deltas that the CRM acknowledged"`
	Failures  int64   `json:"failures" doc:"Pushes that failed or were throttled, and are tried again"`
	Conflicts int64   `json:"conflicts" doc:"Pushes that met a change of another writer"`
	Kept      int64   `json:"kept" doc:"Changes of other writers that are left as they are"`
	SetAside  int64   `json:"setAside" doc:"Messages and participants that the CRM would not take"`
	Parked    int64   `json:"parked" doc:"Pushes that the CRM refused for good"`
	InFlight  int64   `json:"inFlight" doc:"Threads that are being pushed now"`
	AvgLagMs  float64 `json:"avgLagMs" doc:"Mean time from when the CRM began to lack something until it had it"`
	Breaker   string  `json:"breaker" enum:"closed,open,half-open" doc:"State of the circuit breaker"`

	State       string    `json:"state" enum:"up,paused,failing" doc:"State of the CRM, as in /readyz: paused while it is left alone after a 429 or 503, failing when it has served none of the last pushes"`
	PausedUntil time.Time `json:"pausedUntil,omitzero" doc:"When the next push is due, while there is a pause"`
}

// errorRate is the share of events in error: 0 to 1, to four decimals.
func (f *Figures) errorRate() float64 {
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

	CRM *CRMFigures `json:"crm,omitempty" doc:"Pushes to the CRM, if one is set"`
}

func (c *Handler) figureRoutes() {
	type output struct{ Body figures }
	register(c, access.Viewer, huma.Operation{
		OperationID: "get-metrics", Method: http.MethodGet, Path: "/api/metrics",
		Summary: "Figures of this process since it started", Tags: []string{"figures"},
	}, func(context.Context, *struct{}) (*output, error) {
		f := c.Figures.Figures()
		return &output{figures{
			TotalProcessed: f.TotalProcessed, TotalErrors: f.TotalErrors, ErrorRate: f.errorRate(),
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
