// Package status is what a process tells of itself: the state of its parts, and what it has done since it
// started.
package status

import "time"

// Part is the state of one part of the process. Anyone may read it: it must not name a host, an
// account or a secret.
type Part struct {
	State  string    `json:"state" example:"up" doc:"In one word"`
	Until  time.Time `json:"until,omitzero" doc:"Until when it is left alone, if it is"`
	Detail string    `json:"detail,omitempty" doc:"What an operator should know or do about it"`
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
