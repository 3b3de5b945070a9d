package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/store"
)

// page is a page of the console.
type page struct {
	Name  string // of its template: templates/NAME.html defines the block "content"
	Path  string // pattern of the ServeMux, without the method
	Title string
	Menu  bool        // it is in the menu
	Need  access.Role // who may see it

	// load gathers what the template shows. It must not write anything.
	load func(ctx context.Context, r *http.Request) (any, error)

	// live are the names of the blocks that are sent again when they change. Each is inside an element
	// whose id is its name.
	live []string

	// calm are the live blocks that change slowly or are large, such as charts. They are sent less often.
	calm []string

	// loadCalm adds what only the calm blocks show to the data of load. It is called only when they are
	// rendered. nil: there is nothing to add.
	loadCalm func(ctx context.Context, r *http.Request, data any) error

	// still reports whether the page, as this request asks for it, is too costly to be looked at again
	// and again. It then does not change while it is open. nil: it always does.
	still func(r *http.Request) bool
}

// isLive reports whether the page changes while it is open.
func (p *page) isLive(r *http.Request) bool {
	return len(p.live) > 0 && (p.still == nil || !p.still(r))
}

// MenuPath is where the menu leads to.
func (p *page) MenuPath() string { return strings.TrimSuffix(p.Path, "{$}") }

// view is the data of a template.
type view struct {
	Title   string
	Name    string // of the page, if it changes while it is open; else ""
	Path    string // that was asked for, with its query
	Role    access.Role
	Menu    []*page // that the reader may see
	Version string
	Notice  *notice // of an action; nil for none
	Now     time.Time
	HasCRM  bool
	Data    any
}

// IsOperator reports whether the reader may change things.
func (v *view) IsOperator() bool { return v.Role >= access.Operator }

// IsLive reports whether the page changes while it is open.
func (v *view) IsLive() bool { return v.Name != "" }

// IsIn reports whether the reader is at a page of the menu, or at one below it.
func (v *view) IsIn(p *page) bool {
	at, _, _ := strings.Cut(v.Path, "?")
	menu := p.MenuPath()
	return at == menu || menu != "/" && strings.HasPrefix(at, strings.TrimSuffix(menu, "/")+"/")
}

// titled is implemented by data that gives its page a title of its own.
type titled interface{ PageTitle() string }

// link is a link in a choice or a row of tabs.
type link struct {
	Text, URL string
	Current   bool
	Count     int // shown in tabs; -1 for none
}

// pager holds the links through a list. A URL is "" where there is nowhere to go.
type pager struct{ First, Next string }

//go:embed templates
var templateFiles embed.FS

// templates holds the templates of every page, by the page's name. Each has the layout and the blocks that
// pages share.
var templates = parseTemplates()

func parseTemplates() map[string]*template.Template {
	shared := template.Must(template.New("layout").Funcs(formats).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // they are embedded
	}
	all := make(map[string]*template.Template)
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), path.Ext(f.Name()))
		if name != "layout" && name != "parts" {
			all[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, "templates/"+f.Name()))
		}
	}
	return all
}

// add registers a page.
func (c *Console) add(p *page) {
	c.pages = append(c.pages, p)
	c.mux.HandleFunc("GET "+p.Path, func(w http.ResponseWriter, r *http.Request) {
		if !c.allows(w, r, p.Need) {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), loadTimeout)
		defer cancel()
		v, err := c.load(ctx, p, r, true)
		if err != nil {
			c.fail(w, r, err)
			return
		}
		v.Notice = c.takeNotice(w, r)
		c.write(w, r, http.StatusOK, p.Name, v)
	})
}

// loadTimeout is how long a page may take to be gathered.
const loadTimeout = 10 * time.Second

// load gathers what a page shows: with its calm blocks only if calm is true.
func (c *Console) load(ctx context.Context, p *page, r *http.Request, calm bool) (*view, error) {
	data, err := p.load(ctx, r)
	if err == nil && calm && p.loadCalm != nil {
		err = p.loadCalm(ctx, r, data)
	}
	if err != nil {
		return nil, err
	}
	v := &view{Title: p.Title, Data: data}
	if t, ok := data.(titled); ok {
		v.Title = t.PageTitle()
	}
	if p.isLive(r) {
		v.Name = p.Name
	}
	c.complete(v, r)
	return v, nil
}

// complete fills in what every page shows.
func (c *Console) complete(v *view, r *http.Request) {
	v.Role, v.Path, v.Version, v.Now, v.HasCRM = c.roleOf(r), r.URL.RequestURI(), c.Version, c.now(), c.HasCRM
	for _, p := range c.pages {
		if p.Menu && v.Role >= p.Need && v.Role > access.Anyone {
			v.Menu = append(v.Menu, p)
		}
	}
}

// action registers a form that an operator may post. Do returns the path to go on to, and the notice to
// show there. A *warning also leads to a page.
func (c *Console) action(path string, do func(ctx context.Context, r *http.Request) (next, notice string, err error)) {
	c.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		if !c.allows(w, r, access.Operator) {
			return
		}
		if !c.readForm(w, r) {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
		defer cancel()
		next, told, err := do(ctx, r)
		warned, isWarning := errors.AsType[*warning](err)
		if isWarning {
			next, told = warned.next, warned.message
		} else if err != nil {
			c.fail(w, r, err)
			return
		}
		if told != "" {
			c.leaveNotice(w, r, notice{Text: told, IsBad: isWarning})
		}
		http.Redirect(w, r, localPath(next), http.StatusSeeOther)
	})
}

// actionTimeout is how long an action may take.
const actionTimeout = 30 * time.Second

// allows reports whether the sender of a request has a role. If not, it has answered.
func (c *Console) allows(w http.ResponseWriter, r *http.Request, need access.Role) bool {
	switch role := c.roleOf(r); {
	case role >= need:
		return true
	case role == access.Anyone && showsToken(r) && !fromBrowser(r):
		w.Header().Set("WWW-Authenticate", "Bearer")
		c.fail(w, r, c.wrongToken(w, r, c.TokenFailures))
	case role == access.Anyone && reads(r):
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	case role == access.Anyone:
		c.fail(w, r, &visitorError{http.StatusUnauthorized, "There is no session, or it is over, so nothing was done. Sign in and try again."})
	default:
		c.fail(w, r, &visitorError{http.StatusForbidden, "This needs the operator's token. You are signed in as a viewer."})
	}
	return false
}

// visitorError is an error whose message is meant for the visitor.
type visitorError struct {
	status  int
	message string
}

// failedRetry is when a page that failed may be asked for again.
const failedRetry = 5 * time.Second

func (e *visitorError) Error() string { return e.message }

// fail answers with an error page. It is the one place that decides on the status of an error.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	visitor, isVisitors := errors.AsType[*visitorError](err)
	question, isQuestions := errors.AsType[*answers.QuestionError](err)
	status, message := http.StatusServiceUnavailable, "The database does not answer. Events are still accepted as long as /readyz answers 200. Try again in a moment."
	isAway := errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || r.Context().Err() != nil
	switch {
	case isVisitors:
		status, message = visitor.status, visitor.message
	case isQuestions:
		status, message = http.StatusUnprocessableEntity, sentence(question.Error())
	case errors.Is(err, store.ErrNotFound):
		status, message = http.StatusNotFound, "There is nothing with this id. It may have been deleted or resolved in the meantime."
	case errors.Is(err, answers.ErrSlow):
		message = sentence(answers.ErrSlow.Error())
	case !isAway:
		status, message = http.StatusInternalServerError, "This page failed. The log says why."
		c.Log.LogAttrs(r.Context(), slog.LevelError, "console: page failed", slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.FormatInt(access.Seconds(failedRetry), 10))
	}
	c.write(w, r, status, "error", &view{Title: "Error", Data: message})
}

// sentence writes the text of an error as one.
func sentence(text string) string { return capital(text) + "." }

// capital writes the first letter of a text as a capital.
func capital(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// write answers with a page. It renders the page in memory first, so that a template that fails does not
// leave half a page.
func (c *Console) write(w http.ResponseWriter, r *http.Request, status int, name string, v *view) {
	if v.Now.IsZero() {
		c.complete(v, r)
	}
	var b bytes.Buffer
	if err := templates[name].ExecuteTemplate(&b, "layout", v); err != nil {
		c.Log.LogAttrs(r.Context(), slog.LevelError, "console: template failed", slog.String("template", name), slog.Any("error", err))
		http.Error(w, "This page cannot be shown. The log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the reader may be gone
}
