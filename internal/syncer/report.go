package syncer

import (
	"context"
	"log/slog"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// outcome says in a word how a push ended.
type outcome string

const (
	outcomeAcknowledged outcome = "acknowledged" // the CRM has it
	outcomeUnchanged    outcome = "unchanged"    // the CRM had it already; nothing was sent
	outcomeForgotten    outcome = "forgotten"    // the CRM has lost the thread: all of it is pushed again
	outcomeConflict     outcome = "conflict"     // other writers were quicker, several times
	outcomeThrottled    outcome = "throttled"    // the CRM wants to be left alone
	outcomeFailed       outcome = "failed"
	outcomeParked       outcome = "parked"
	outcomeAborted      outcome = "aborted" // by us
)

var outcomes = []outcome{
	outcomeAcknowledged, outcomeUnchanged, outcomeForgotten, outcomeConflict, outcomeThrottled,
	outcomeFailed, outcomeParked, outcomeAborted,
}

// report is what the log, the metrics and the audit log say about a push. It holds no text of a
// message.
type report struct {
	threadID     string
	requestID    string // sent to the CRM
	traceID      string // "" when the push is not traced
	outcome      outcome
	reason       string // why it failed
	status       int    // HTTP status of the CRM's last answer; 0 when there was none
	version      int64  // sent last
	requests     int
	unsuccessful [crm.ClassPermanent + 1]int // of the requests, by class
	cutOff       int                         // of the requests, by us
	bytes        int                         // of the bodies sent
	conflicts    int                         // answers that another writer was quicker
	kept         int                         // changes of other writers that stay
	setAsides    int
	added        int // items that the CRM acknowledged
	updated      int
	removed      int
	failedBefore bool // the thread's last attempt failed
	since        time.Time
	begun        time.Time
	took         time.Duration
	retryAfter   time.Duration // how long the CRM wants to be left alone
}

func newReport(work *store.Work) report {
	return report{
		threadID: work.ThreadID, since: work.Row.Sync.Since, begun: time.Now(),
		failedBefore: work.Row.Sync.Attempts > 0,
	}
}

// count notes what a delta brings to the CRM. It is called before the items are acknowledged.
func (r *report) count(d *thread.Delta) {
	lists := d.Lists()
	r.added += len(lists["addedMessages"]) + len(lists["addedParticipants"])
	r.updated += len(lists["updatedMessages"]) + len(lists["updatedParticipants"])
	r.removed += len(lists["removedMessages"])
}

// health returns what the push says about the CRM.
func (r *report) health() health {
	switch {
	case r.requests == 0 || r.outcome == outcomeAborted:
		return unknown
	case r.outcome == outcomeFailed:
		return ailing
	}
	return healthy
}

// note adds a note to the audit log.
func (a *attempt) note(action audit.Action, outcome string, detail audit.Detail) {
	a.push.Notes = append(a.push.Notes, audit.Note{Subject: a.thread.ID, Action: action, Outcome: outcome, Detail: detail})
}

// notePush notes how the push ended, if anything was sent.
func (a *attempt) notePush() {
	if a.requests == 0 {
		return
	}
	detail := audit.Detail{
		"version": a.version, "status": a.status, "requests": a.requests, "bytes": a.bytes,
		"added": a.added, "updated": a.updated, "removed": a.removed,
		"ms": time.Since(a.begun).Milliseconds(),
	}
	if a.reason != "" {
		detail["reason"] = a.reason
	}
	a.note(audit.ActionPush, string(a.outcome), detail)
}

// logTo writes the one log line of a push.
func (r *report) logTo(log *slog.Logger) {
	level := slog.LevelInfo
	if r.reason != "" {
		level = slog.LevelWarn
	}
	if !log.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 18)
	attrs = append(attrs, slog.String("thread_id", r.threadID), slog.String("outcome", string(r.outcome)),
		slog.String("request_id", r.requestID),
		slog.Int64("version", r.version), slog.Int("status", r.status), slog.Int64("duration_us", r.took.Microseconds()))
	// What did not happen is left out.
	for _, c := range [...]struct {
		name string
		n    int
	}{
		{"requests", r.requests}, {"bytes", r.bytes}, {"added", r.added}, {"updated", r.updated},
		{"removed", r.removed}, {"conflicts", r.conflicts}, {"kept", r.kept}, {"set_aside", r.setAsides},
	} {
		if c.n > 0 {
			attrs = append(attrs, slog.Int(c.name, c.n))
		}
	}
	if r.reason != "" {
		attrs = append(attrs, slog.String("reason", r.reason))
	}
	if r.traceID != "" {
		attrs = append(attrs, slog.String("trace_id", r.traceID))
	}
	log.LogAttrs(context.Background(), level, "push", attrs...)
}
