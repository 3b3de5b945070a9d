package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/ingest"
)

// reply is an answer.
type reply struct {
	status        int
	body          []byte // JSON
	header, value string // one more header; "" is none

	outcome string // in a word; "" is that of the tally
	reason  string // why it is not a 2xx; holds nothing of the payload
	subject string // id of the message or thread, where there is only one
	tally   tally

	later *later // nil when waiting would not improve the answer
}

func (rep reply) with(header, value string) reply {
	rep.header, rep.value = header, value
	return rep
}

// denial is an answer that says nothing but the reason.
func denial(status int, outcome, reason string) reply {
	body := appendText([]byte(`{"error":`), reason)
	return reply{status: status, body: append(body, '}'), outcome: outcome, reason: reason}
}

// unauthenticated answers a caller who is not authenticated. RFC 9110 wants a challenge in a 401; no
// registered scheme stands for what we accept.
func unauthenticated(err error) reply {
	return denial(http.StatusUnauthorized, "unauthorized", err.Error()).with("Www-Authenticate", `Webhook realm="cxbridge"`)
}

// limited answers a caller who has shown too many wrong secrets.
func limited(wait time.Duration) reply {
	return denial(http.StatusTooManyRequests, "limited", "too many wrong secrets or signatures from this address").
		with("Retry-After", strconv.FormatInt(access.Seconds(wait), 10))
}

// unavailable asks the caller to come again after a time: in whole seconds, rounded up, at least one.
func unavailable(outcome, reason string, after time.Duration) reply {
	return denial(http.StatusServiceUnavailable, outcome, reason).
		with("Retry-After", strconv.FormatInt(access.Seconds(after), 10))
}

// unreadable answers a body that could not be read. One that is late or breaks off gets a 503: many
// senders never repeat after a 4xx, and nothing is wrong with the event.
func unreadable(err error, l *Limits) reply {
	switch {
	case errors.Is(err, errTooLarge):
		return denial(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is larger than %d bytes", l.Body))
	case errors.Is(err, errTooMany):
		return denial(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the array has more than %d items", l.Items))
	case errors.Is(err, errNoRoom):
		return unavailable("busy", "too many bytes in flight", 0)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return unavailable("slow", fmt.Sprintf("the body did not arrive within %v", l.ReadTimeout), 0)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return unavailable("cut", "the body is shorter than announced", 0)
	}
	return unavailable("cut", "the body could not be read", 0)
}

// failed answers events that are not durable.
func failed(err error) reply {
	if busy, ok := errors.AsType[*ingest.BusyError](err); ok {
		outcome := "busy"
		if busy.Storage {
			outcome = "unstored"
		}
		return unavailable(outcome, busy.Reason, busy.RetryAfter)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable("gone", "the request was given up before the commit", 0)
	}
	rep := unavailable("error", "internal error; try again", 0)
	rep.reason = fmt.Sprintf("unexpected %T", err) // its text may hold a part of the payload
	return rep
}

// appendText appends text as a JSON string. Bytes that are not UTF-8 are replaced; the ignored error
// says no more than that.
func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

// appendCount appends a member whose value is a count.
func appendCount(b []byte, name string, n int) []byte {
	b = append(append(append(b, ',', '"'), name...), '"', ':')
	return strconv.AppendInt(b, int64(n), 10)
}
