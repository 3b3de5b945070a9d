// Package api is the API through which people and their tools look into cxbridge: the state of a
// message or a thread, the dead letters, the audit log, figures and health.
//
//	api.go          what it needs, its routes, what every answer has in common
//	access.go       tokens and roles
//	problem.go      errors, as problem+json (RFC 9457)
//	cursor.go       where the next page of a list begins
//	openapi.go      the description of the API
//	webhooks.go     the webhooks in it, which are served elsewhere
//	examples.go     the examples in it, from examples.json
//	messages.go     GET /api/messages, /api/messages/{id}
//	threads.go      /api/threads
//	reconcile.go    /api/reconcile/{id}
//	audit.go        GET /api/audit
//	deadletters.go  /api/dead-letters
//	analytics.go    GET /analytics/delivery
//	alarms.go       GET /api/alarms
//	system.go       GET /api/system
//	simulator.go    /simulator
//	figures.go      GET /api/metrics, GET /metrics
//	health.go       GET /healthz, GET /readyz
package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/deadletter"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Config is what the API needs. Every field is required unless it says otherwise.
type Config struct {
	AdminToken  string // lets an operator in, who may do everything
	ViewerToken string // lets a viewer in, who may read; optional

	Failures *access.Failures // limits wrong tokens; nil: no limit

	Store    Store
	Delivery Delivery
	Replayer deadletter.Replayer
	Figures  Counter

	Reconciler Reconciler // nil: CXone is not configured
	HasCRM     bool       // threads go to a CRM
	Simulator  Simulator  // nil: its paths do not exist
	Health     Health
	Metrics    http.Handler // answers GET /metrics in the Prometheus format

	Version string       // of the binary, for the OpenAPI document; optional
	Log     *slog.Logger // gets the faults that no caller can fix; slog.Default when nil
}

// Store is what the API needs of a store.Store.
type Store interface {
	Message(ctx context.Context, id string) (*sms.Message, []sms.PastReceipt, error)
	MessagesTo(ctx context.Context, recipient string, after store.ItemPosition, limit int) ([]*sms.Message, error)
	RecentMessages(ctx context.Context, after store.ItemPosition, limit int) ([]*sms.Message, error)

	FindDeadLetters(ctx context.Context, f store.LetterFilter, before int64, limit int) ([]store.DeadLetter, error)
	DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error)
	DeleteDeadLetter(ctx context.Context, id int64) error

	store.ThreadReader
	Audit(ctx context.Context, note audit.Note, now time.Time) error
	AuditEntries(ctx context.Context, subject string, before int64, limit int) ([]audit.Entry, error)

	Backlog(ctx context.Context, most int) (store.Backlog, error)
	Describe(ctx context.Context) (store.Description, error)
	Replicas(ctx context.Context) ([]store.Replica, error)
	Alarms(ctx context.Context, limit int) ([]store.Alarm, error)
}

// answerTimeout is how long a request may wait for the database.
const answerTimeout = 10 * time.Second

// Handler answers the API. New makes it.
type Handler struct {
	Config
	mux      *http.ServeMux
	paths    *http.ServeMux // all paths, for any method
	document []byte         // of OpenAPI
	huma     huma.API
	tokens   access.Tokens
}

// New returns the handler of the API. It answers every path it is asked for, with a 404 where
// there is nothing. It is best mounted at "/", next to the webhooks.
//
// Message ids are taken from the path as it was sent, so that "a%2Fb" is the id "a/b". A
// ServeMux in front does not change this. The one id that cannot be asked for is a lone "/", which
// a ServeMux treats as the end of the path.
func New(cfg Config) (*Handler, error) {
	if cfg.AdminToken == "" {
		return nil, errors.New("api: the admin token is empty: nobody could sign in")
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	c := &Handler{
		Config: cfg,
		mux:    http.NewServeMux(),
		tokens: access.NewTokens(cfg.AdminToken, cfg.ViewerToken),
	}
	c.huma = humago.New(c.mux, apiConfig(cfg.Version))
	c.messageRoutes()
	c.threadRoutes()
	c.reconcileRoutes()
	c.auditRoutes()
	c.deadLetterRoutes()
	c.analyticsRoutes()
	c.alarmRoutes()
	c.systemRoutes()
	c.simulatorRoutes()
	c.figureRoutes()
	c.healthRoutes()
	c.openAPIRoute()
	c.refuseTheRest()
	return c, c.describe()
}

// apiConfig returns the configuration of huma. It serves no page that loads scripts from elsewhere, and
// puts no link to a schema into answers: such a link would be built from the Host header.
func apiConfig(version string) huma.Config {
	config := huma.DefaultConfig("cxbridge", cmp.Or(version, "dev"))
	config.Info.Description = aboutAPI
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearerScheme: {
			Type: "http", Scheme: "bearer",
			Description: "ADMIN_TOKEN lets an operator in, VIEWER_TOKEN a viewer. An operator may do all that a viewer may.",
		},
	}
	return config
}

// ServeHTTP answers a request. A ServeMux would redirect a path that is not clean. Here it gets a 404:
// an answer that is not problem+json would surprise a client of the API.
func (c *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if !isClean(r) {
		notFound(w, r)
		return
	}
	c.mux.ServeHTTP(w, r)
}

func isClean(r *http.Request) bool {
	escaped := r.URL.EscapedPath()
	return escaped == path.Clean(escaped)
}

// Serves reports whether the path of a request is one of the API, whatever its method.
func (c *Handler) Serves(r *http.Request) bool {
	_, pattern := c.paths.Handler(r)
	return isClean(r) && pattern != "/"
}

// OpenAPI returns the description of the API, in OpenAPI 3.1. It must not be changed.
func (c *Handler) OpenAPI() []byte { return c.document }

// register adds an operation that only callers of a role may use. Errors of the handler become
// problems in one place, see problem.
func register[I, O any](c *Handler, need access.Role, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	registerWithin(c, need, answerTimeout, op, handle)
}

// registerWithin is register for an operation with a time limit of its own.
func registerWithin[I, O any](c *Handler, need access.Role, limit time.Duration, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op.Security = security(need)
	op.Middlewares = append(op.Middlewares, c.admit(need), jsonOnly)
	huma.Register(c.huma, op, func(ctx context.Context, in *I) (*O, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		out, err := handle(ctx, in)
		if err != nil {
			return nil, c.problem(ctx, op.OperationID, err)
		}
		return out, nil
	})
}

// registerPlain adds a plain handler, and documents it.
func (c *Handler) registerPlain(need access.Role, op huma.Operation, next http.Handler) {
	op.Security = security(need)
	c.huma.OpenAPI().AddOperation(&op)
	c.mux.Handle(op.Method+" "+op.Path, c.guard(need, next))
}

// jsonOnly answers in JSON, whatever the client prefers. There is no other format, and the negotiation of
// huma panics on some malformed Accept headers.
func jsonOnly(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	r.Header.Del("Accept")
	next(ctx)
}

// refuseTheRest answers 405 on every path of the API for the methods it does not know, and 404 on every
// other path. The paths have a mux of their own: next to "GET /a/{id}", "/a/b" would be ambiguous.
func (c *Handler) refuseTheRest() {
	c.paths = http.NewServeMux()
	for route, item := range c.huma.OpenAPI().Paths {
		c.paths.HandleFunc(route, methodNotAllowed(methodsOf(item)))
	}
	c.paths.HandleFunc("/", notFound)
	c.mux.Handle("/", c.paths)
}

func methodsOf(item *huma.PathItem) []string {
	var methods []string
	if item.Get != nil {
		methods = append(methods, http.MethodGet, http.MethodHead)
	}
	if item.Post != nil {
		methods = append(methods, http.MethodPost)
	}
	if item.Delete != nil {
		methods = append(methods, http.MethodDelete)
	}
	return methods
}
