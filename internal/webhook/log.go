package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/cxbridge/cxbridge/internal/fault"
)

// log writes the one line that a request gets. It holds ids, counts and durations: nothing of the
// payload but the id of the message or thread, and nothing of the credentials.
func (rt *route) log(ctx context.Context, v *visit, rep *reply, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case rep.status == http.StatusTooManyRequests:
		level = slog.LevelDebug // a flood of guesses is not to flood the log, too
	case rep.status >= http.StatusBadRequest:
		level = slog.LevelWarn
	}
	if !rt.gate.logger.Enabled(ctx, level) {
		return
	}
	t := &rep.tally
	attrs := make([]slog.Attr, 0, 22)
	attrs = append(attrs,
		slog.String("route", rt.name),
		slog.Int("status", rep.status),
		slog.String("outcome", rep.outcome),
		slog.String("request_id", v.id),
		slog.Int("bytes", v.bytes),
		slog.Int64("duration_us", took.Microseconds()),
		slog.Int("items", t.items),
	)
	// Counts of 0 are left out: most lines are about one event that was accepted.
	for _, c := range [...]struct {
		name string
		n    int
	}{
		{"accepted", t.accepted}, {"duplicates", t.duplicates}, {"refused", t.refused},
		{"flagged", t.flagged}, {"quarantined", t.quarantined}, {"spooled", t.spooled},
		{"stale", t.stale}, {"synced", t.synced},
	} {
		if c.n > 0 {
			attrs = append(attrs, slog.Int(c.name, c.n))
		}
	}
	if rep.subject != "" {
		attrs = append(attrs, slog.String(rt.subject, rep.subject))
	}
	if v.waited > 0 {
		attrs = append(attrs, slog.Int64("waited_us", v.waited.Microseconds()))
	}
	if v.stranger.IsValid() {
		attrs = append(attrs, slog.String("client", v.stranger.String()))
	}
	if rep.reason != "" {
		attrs = append(attrs, slog.String("reason", rep.reason))
	}
	if v.span.SpanContext().IsSampled() {
		attrs = append(attrs, slog.String("trace_id", v.span.SpanContext().TraceID().String()))
	}
	// The handler is called as the logger would call it, but without the place in the code, which is
	// always this one and costs more to find out than the line to write.
	record := slog.NewRecord(v.start.Add(took), level, "webhook", 0)
	record.AddAttrs(attrs...)
	// A log that cannot be written has no place to say so.
	_ = rt.gate.logger.Handler().Handle(ctx, record)
}

// logPanic logs where the program went wrong.
func (rt *route) logPanic(ctx context.Context, v *visit, p any) {
	rt.gate.logger.LogAttrs(ctx, slog.LevelError, "webhook panic",
		slog.String("route", rt.name), slog.String("request_id", v.id),
		slog.String("panic", fault.Text(p)), slog.String("stack", string(debug.Stack())))
}
