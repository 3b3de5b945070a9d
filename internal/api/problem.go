package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/simulator"
	"github.com/cxbridge/cxbridge/internal/store"
)

// retryAfter is how long a client should wait while the database is away.
const retryAfter = 5 * time.Second

// problem turns the error of a handler into what the client sees. It is the one place that decides on the
// status of an error. An error that it does not know is a fault of ours or of the database: the client may
// try again, and the operator finds the cause in the log.
func (c *Handler) problem(ctx context.Context, operation string, err error) error {
	_, isStatus := errors.AsType[huma.StatusError](err)
	refused, isRefused := errors.AsType[*ingest.StillRefusedError](err)
	busy, isBusy := errors.AsType[*ingest.BusyError](err)
	simulation, isSimulation := errors.AsType[*simulator.BusyError](err)
	question, isQuestion := errors.AsType[*answers.QuestionError](err)
	upstream, isUpstream := errors.AsType[*reconcile.UpstreamError](err)
	switch {
	case isStatus:
		return err
	case errors.Is(err, store.ErrNotFound):
		return huma.Error404NotFound("there is nothing by this id")
	case isRefused:
		return huma.Error422UnprocessableEntity(refused.Error())
	case isBusy:
		return unavailable(busy.Reason, busy.RetryAfter)
	case isSimulation:
		return unavailable(simulation.Error(), simulation.RetryAfter)
	case isQuestion:
		return huma.Error422UnprocessableEntity(question.Error())
	case errors.Is(err, answers.ErrSlow):
		c.Log.LogAttrs(ctx, slog.LevelWarn, "api: a question was not answered in time",
			slog.String("operation", operation), slog.Any("error", err))
		return unavailable(answers.ErrSlow.Error(), retryAfter)
	case isUpstream:
		failed := huma.Error502BadGateway(upstream.Error())
		if upstream.RetryAfter == 0 {
			return failed
		}
		return comeBack(failed, upstream.RetryAfter)
	case !errors.Is(err, store.ErrUnavailable) && ctx.Err() == nil:
		c.Log.LogAttrs(ctx, slog.LevelError, "api: request failed",
			slog.String("operation", operation), slog.Any("error", err))
	}
	return unavailable(store.ErrUnavailable.Error(), retryAfter)
}

// unavailable returns a 503 that says when to come back.
func unavailable(detail string, after time.Duration) error {
	return comeBack(huma.Error503ServiceUnavailable(detail), after)
}

// comeBack adds to an error when to come back: in whole seconds, at least one.
func comeBack(err error, after time.Duration) error {
	seconds := max(1, int64((after+time.Second-1)/time.Second))
	return huma.ErrorWithHeaders(err, http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}})
}

// writeProblem answers with problem+json, outside of an operation of huma.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// The client may be gone. Then there is nobody to answer.
	_ = json.NewEncoder(w).Encode(huma.NewError(status, detail))
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, http.StatusNotFound, "there is nothing at this path")
}

func methodNotAllowed(methods []string) http.HandlerFunc {
	allow := strings.Join(methods, ", ")
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allow)
		writeProblem(w, http.StatusMethodNotAllowed, "this path only knows the methods "+allow)
	}
}
