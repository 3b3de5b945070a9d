// Package console serves the pages through which people look into cxbridge in a browser: how delivery
// goes, which carrier is bad and why, what became of a message or a thread, and what is stuck. The pages
// are rendered on the server and work without JavaScript; with it they update while they are open.
//
//	console.go      what it needs, its routes, what every answer has in common
//	page.go         what a page is, and how it is written
//	format.go       how values are written for people
//	raw.go          how bodies that came from outside are written
//	paths.go        how ids are written in paths
//	live.go         pages that change while they are open
//	notice.go       the message about an action, on the page that follows it
//	signin.go       sessions
//	form.go         forms that are posted
//	badge.go        how states are written for people
//	windows.go      the time that a page is about
//	overview.go     throughput, latency, backlog, over time
//	attention.go    what needs attention, in plain words
//	carriers.go     rates, cost and recommendation by carrier; its charts are in carriers_charts.go
//	advice.go       what to do about a carrier, in plain words
//	drawing.go      charts in pages
//	messages.go     messages and their receipts
//	threads.go      threads, and how far they are on their way to the CRM
//	thread.go       one thread; its conversation, family and trail are in thread_*.go
//	deadletters.go  what was refused
//	simulator.go    made-up traffic
//	system.go       subscriptions, spool, database, replicas, settings
//	apipage.go      the description of the API
package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/deadletter"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/simulator"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Counter knows what this process has done since it started.
type Counter interface {
	Figures() status.Figures
}

// Health knows whether events can be accepted, and the state of each part by its name.
type Health interface {
	Ready() (ok bool, parts map[string]status.Part)
}

// Reconciler brings a thread up to date. See reconcile.Reconciler for its errors.
type Reconciler interface {
	Reconcile(ctx context.Context, id string) (reconcile.Outcome, error)
}

// Simulator posts made-up events through the intake. See simulator.Simulator for its errors.
type Simulator interface {
	SMS(ctx context.Context, ask simulator.SMS) (simulator.Posted, error)
	Story(ctx context.Context, ask simulator.Story) (simulator.Posted, error)
}

// Config is what the console needs. Every field is required unless it says otherwise.
type Config struct {
	AdminToken  string // signs an operator in, who may do everything
	ViewerToken string // signs a viewer in, who may read; optional

	Failures      *access.Failures // limits wrong tokens at sign-in; nil: no limit
	TokenFailures *access.Failures // limits wrong Bearer tokens, together with the API; nil: no limit

	Store    Store
	Delivery Delivery
	Replayer deadletter.Replayer
	Figures  Counter
	Health   Health

	HasCRM     bool       // threads go to a CRM
	Waker      Waker      // nil: a thread cannot be pushed at once
	Reconciler Reconciler // nil: CXone is not configured

	Simulator Simulator     // nil: it has no page
	Settings  []Setting     // as they may be shown
	OpenAPI   []byte        // the description of the API; nil: it has no page
	SLA       time.Duration // for receipts, from arrival until they are durable
	Policy    analytics.Policy

	Version string       // of the binary
	Log     *slog.Logger // gets the faults that no caller can fix; slog.Default when nil
}

// Setting is a setting as it may be shown. The value of a secret only says whether it is set.
type Setting struct{ Name, Value, Source string }

// Delivery answers questions about delivery. See answers.Delivery.
type Delivery interface {
	Report(ctx context.Context, q answers.Question) (*analytics.Report, error)
	Recent(ctx context.Context, q answers.Question) (*analytics.Report, error) // for pages, which are looked at again soon
}

// Store is what the console needs of a store.Store.
type Store interface {
	Message(ctx context.Context, id string) (*sms.Message, []sms.PastReceipt, error)
	DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error)
	DeleteDeadLetter(ctx context.Context, id int64) error

	store.Finder
	store.ThreadReader
	Audit(ctx context.Context, note audit.Note, now time.Time) error
	AuditEntries(ctx context.Context, subject string, before int64, limit int) ([]audit.Entry, error)

	Backlog(ctx context.Context, most int) (store.Backlog, error)
	Describe(ctx context.Context) (store.Description, error)
	Replicas(ctx context.Context) ([]store.Replica, error)
	Alarms(ctx context.Context, limit int) ([]store.Alarm, error)
}

//go:embed static
var staticFiles embed.FS

// Console is the handler of the pages.
type Console struct {
	Config
	mux      *routes
	sessions *access.Sessions
	tokens   access.Tokens
	foreign  *http.CrossOriginProtection
	pages    []*page
	now      func() time.Time
	open     context.Context // ends when no page may update itself any more
	end      context.CancelFunc
	streams  chan struct{} // holds a token for each open stream
	looks    chan struct{} // holds a token for each stream that is looking
}

// New returns the console.
func New(cfg Config) (*Console, error) {
	if cfg.AdminToken == "" {
		return nil, errors.New("console: the admin token is empty: nobody could sign in")
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	c := &Console{
		Config: cfg, mux: new(routes), sessions: access.NewSessions(cfg.AdminToken, cfg.ViewerToken),
		tokens: access.NewTokens(cfg.AdminToken, cfg.ViewerToken), foreign: http.NewCrossOriginProtection(), now: time.Now,
		streams: make(chan struct{}, liveStreams), looks: make(chan struct{}, liveLooks),
	}
	c.open, c.end = context.WithCancel(context.Background())
	if err := c.staticRoutes(); err != nil {
		return nil, err
	}
	c.signInRoutes()
	c.liveRoute()
	c.overviewPage()
	c.carriersPage()
	c.messagePages()
	c.threadPages()
	c.deadLetterPages()
	c.simulatorPage()
	c.systemPage()
	if err := c.apiPage(); err != nil {
		return nil, err
	}
	return c, nil
}

// routes is a ServeMux that remembers its patterns.
type routes struct {
	http.ServeMux
	patterns []string
}

// HandleFunc adds a route.
func (r *routes) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	r.patterns = append(r.patterns, pattern)
	r.ServeMux.HandleFunc(pattern, handler)
}

// Routes returns the patterns that the console serves, with their methods. It is for tests that go
// through all of them.
func (c *Console) Routes() []string { return slices.Clone(c.mux.patterns) }

// Serves reports whether the path of a request is one of the console, whatever its method.
func (c *Console) Serves(r *http.Request) bool { return len(c.methods(r)) > 0 }

// methods returns the methods that the path of a request has.
func (c *Console) methods(r *http.Request) []string {
	var all []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		asked := *r
		asked.Method = method
		if _, pattern := c.mux.Handler(&asked); pattern != "" {
			all = append(all, method)
		}
	}
	return all
}

// Stop ends the streams of live pages, so that a server can shut down.
func (c *Console) Stop() { c.end() }

// contentSecurityPolicy lets a page load only our own files. Inline scripts and styles do not run, and no
// site may frame the page.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// ServeHTTP answers a request, with an error page where the console has no page.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if err := c.foreign.Check(r); err != nil {
		c.fail(w, r, &visitorError{http.StatusForbidden, "This request came from another site, so nothing was done."})
		return
	}
	switch methods := c.methods(r); {
	case len(methods) == 0:
		c.fail(w, r, &visitorError{http.StatusNotFound, "There is no page at this address."})
		return
	case !slices.Contains(methods, r.Method):
		h.Set("Allow", strings.Join(methods, ", "))
		c.fail(w, r, &visitorError{http.StatusMethodNotAllowed, "This address does not take " + r.Method + " requests."})
		return
	}
	c.mux.ServeHTTP(w, r)
}

// staticRoutes serves the files that pages load. A browser may cache them, but must ask whether they have
// changed.
func (c *Console) staticRoutes() error {
	files, err := staticFiles.ReadDir("static")
	if err != nil {
		return err
	}
	for _, f := range files {
		content, err := staticFiles.ReadFile("static/" + f.Name())
		if err != nil {
			return err
		}
		tag := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(content)))
		c.mux.HandleFunc("GET /static/"+f.Name(), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("ETag", tag)
			http.ServeContent(w, r, f.Name(), time.Time{}, bytes.NewReader(content))
		})
	}
	return nil
}
