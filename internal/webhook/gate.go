package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/requestid"
)

// Options are what a Gate is made of. Secrets is required.
type Options struct {
	Secrets  *Secrets
	Limits   Limits
	Failures *access.Failures      // limits wrong secrets; nil does not
	Logger   *slog.Logger          // nil logs nothing
	Registry prometheus.Registerer // nil leaves the metrics unregistered
	Traces   trace.TracerProvider  // nil traces nothing
	Now      func() time.Time      // nil is time.Now
}

// Gate is what all webhooks have in common: who may come in, how much they may send, and what is
// logged, counted and traced. Its limits hold for all webhooks together. It is safe for concurrent use.
type Gate struct {
	secrets  *Secrets
	limits   Limits
	failures *access.Failures
	logger   *slog.Logger
	metrics  *metrics
	tracer   trace.Tracer
	now      func() time.Time
	load     load
	waiting  waiting
}

// NewGate returns a Gate and registers its metrics. It panics if the registry has them already:
// there is one Gate in a program.
func NewGate(o Options) *Gate {
	g := &Gate{
		secrets: o.Secrets, limits: o.Limits.withDefaults(), failures: o.Failures,
		logger: o.Logger, tracer: newTracer(o.Traces), now: o.Now,
	}
	if g.logger == nil {
		g.logger = slog.New(slog.DiscardHandler)
	}
	if g.now == nil {
		g.now = time.Now
	}
	g.waiting.ended, g.waiting.end = context.WithCancel(context.Background())
	g.metrics = newMetrics(o.Registry, &g.load, &g.waiting)
	return g
}

// accept takes in what an authenticated request delivers, and returns the answer. An error means that
// nothing is promised, and is answered by a 503: an *ingest.BusyError, the context's error, or any
// other.
type accept func(context.Context, *delivery) (reply, error)

// delivery is the body of an authenticated request. Whatever keeps a part of it keeps all of it.
type delivery struct {
	header   http.Header
	body     []byte // as it came, but for a byte order mark
	array    bool   // the body is, or began as, an array
	items    [][]byte
	broken   error     // why an array cannot be split; fit to be shown
	received time.Time // UTC, whole microseconds
}

// isArray reports whether the events are the items.
func (d *delivery) isArray() bool { return d.array && d.broken == nil }

// route is the handler of one webhook.
type route struct {
	gate    *Gate
	name    string
	subject string // what the log calls the id of a message or thread
	accept  accept
	metrics *routeMetrics
}

func (g *Gate) handler(name, subject string, a accept) http.Handler {
	return &route{gate: g, name: name, subject: subject, accept: a, metrics: g.metrics.route(name)}
}

// visit is one request on its way through a route.
type visit struct {
	id     string
	ctx    context.Context // of the request, and of its span once the caller is known
	span   trace.Span
	start  time.Time
	ticket ticket
	unread bool // there is a body, or the rest of one, that was not read
	late   bool // and it is not to be waited for

	stranger netip.Addr    // the address of a caller who is not authenticated
	bytes    int           // of the body, once it is read
	waited   time.Duration // for the CRM
}

// ServeHTTP answers 2xx only if accept has said so, and turns a panic into a 503.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := rt.gate
	v := visit{
		id: requestid.Of(r.Header), ctx: r.Context(), span: noSpan, start: g.now(), unread: r.ContentLength != 0,
		ticket: ticket{load: &g.load, limits: &g.limits},
	}
	defer v.ticket.leave()
	rep := rt.answer(w, r, &v)
	if rep.later != nil {
		rt.await(&v, &rep)
	}
	if rep.outcome == "" {
		rep.outcome = rep.tally.outcome()
	}
	v.send(w, &rep, r.ContentLength)
	took := g.now().Sub(v.start)
	rt.metrics.observe(&rep, took-v.waited)
	rt.log(v.ctx, &v, &rep, took)
	v.endSpan(&rep, took)
}

// answer turns a panic into a 503: whatever went wrong, the sender keeps the event.
func (rt *route) answer(w http.ResponseWriter, r *http.Request, v *visit) (rep reply) {
	defer func() {
		if p := recover(); p != nil {
			rt.logPanic(v.ctx, v, p)
			rep = unavailable("panic", "internal error; try again", 0)
		}
	}()
	g := rt.gate
	if r.Method != http.MethodPost {
		return denial(http.StatusMethodNotAllowed, "method", "use POST").with("Allow", http.MethodPost)
	}
	known, claims, err := g.secrets.examine(r.Header, v.start)
	if err != nil {
		return g.stranger(r, v, err)
	}
	if !plain(r.Header) {
		return denial(http.StatusUnsupportedMediaType, "encoding",
			"send the body as it is: Content-Encoding is not supported").with("Accept-Encoding", "identity")
	}
	if known {
		rt.welcome(v, r.Header)
	}
	if !v.ticket.enter() {
		return unavailable("busy", "too many requests in flight", 0)
	}
	body, err := v.read(w, r)
	if err != nil {
		return unreadable(err, &g.limits)
	}
	if !known {
		if err := verify(claims, body); err != nil {
			return g.stranger(r, v, err)
		}
		rt.welcome(v, r.Header)
	}
	return rt.deliver(r, v, body)
}

// stranger answers a caller who is not authenticated. A caller without a credential guesses nothing, and
// is not counted as one who does.
func (g *Gate) stranger(r *http.Request, v *visit, err error) reply {
	v.stranger = access.AddressOf(r)
	if err != errNoCredential {
		if wait := g.failures.Failed(r, v.start); wait > 0 {
			return limited(wait)
		}
	}
	return unauthenticated(err)
}

// welcome notes that the caller is one of ours.
func (rt *route) welcome(v *visit, h http.Header) {
	v.ticket.known = true
	rt.beginSpan(v, h)
}

// deliver hands the body of an authenticated request to the webhook.
func (rt *route) deliver(r *http.Request, v *visit, body []byte) reply {
	d := &delivery{
		header: r.Header, body: withoutMark(body),
		received: v.start.UTC().Truncate(time.Microsecond),
	}
	if d.array = isArray(d.body); d.array {
		limits := &rt.gate.limits
		d.items, d.broken = split(d.body, limits.Items)
		if d.broken == errTooMany {
			return unreadable(errTooMany, limits)
		}
		if !v.ticket.reserve(int64(len(d.items)) * itemCost) {
			return unreadable(errNoRoom, limits)
		}
	}
	rep, err := rt.accept(v.ctx, d)
	if err != nil {
		return failed(err)
	}
	return rep
}

// read reads the body within the limits of size, memory and time.
func (v *visit) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if !v.unread {
		return nil, nil
	}
	// A ResponseWriter without deadlines does not come from net/http's server.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(v.ticket.limits.ReadTimeout))
	body, err := readBody(r.Body, r.ContentLength, &v.ticket)
	if err != nil {
		v.late = err != errNoRoom && err != errTooLarge
		return nil, err
	}
	// If it stayed, the deadline would cancel the request while it waits for its commit.
	_ = control.SetReadDeadline(time.Time{})
	v.unread, v.bytes = false, len(body)
	return body, nil
}

// linger is how long the rest of a body that nobody reads may take to arrive, so that the sender gets
// to read the answer. lingerBytes is how long a body may be for this wait.
const (
	linger      = time.Second
	lingerBytes = 64 << 10
)

// send writes the answer. A sender who has gone does not get it, and repeats the request.
func (v *visit) send(w http.ResponseWriter, rep *reply, length int64) {
	h := w.Header()
	h["Content-Type"] = contentType
	h[requestid.Header] = []string{v.id}
	if rep.header != "" {
		h.Set(rep.header, rep.value)
	}
	if v.unread {
		// net/http drains a body before it answers, to keep the connection. A small one has probably
		// arrived by now; else the connection is given up, and the answer goes out at once.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(linger))
		if v.late || length < 0 || length > lingerBytes {
			h.Set("Connection", "close")
		}
	}
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.body)
}

var contentType = []string{"application/json"}

// plain reports whether the body comes without a content coding.
func plain(h http.Header) bool {
	for _, value := range h["Content-Encoding"] {
		if value != "" && !strings.EqualFold(value, "identity") {
			return false
		}
	}
	return true
}

// withoutMark drops the byte order mark that some gateways put before their JSON.
func withoutMark(body []byte) []byte {
	if len(body) >= 3 && string(body[:3]) == "\xef\xbb\xbf" {
		return body[3:]
	}
	return body
}
