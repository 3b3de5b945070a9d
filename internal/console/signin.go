package console

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/cxbridge/cxbridge/internal/access"
)

// sessionCookie is the name of the cookie that holds the session.
const sessionCookie = "cxbridge_session"

func (c *Console) signInRoutes() {
	c.mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		c.write(w, r, http.StatusOK, "login", &view{Title: "Sign in", Data: signIn{Next: localPath(r.URL.Query().Get("next"))}})
	})
	c.mux.HandleFunc("POST /login", c.signIn)
	c.mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, c.cookie(r, "", -1))
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	})
}

// signIn is what the page of /login shows.
type signIn struct {
	Next  string // where to go on
	Error string
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	if !c.readForm(w, r) {
		return
	}
	next := localPath(r.PostFormValue("next"))
	session, ok := c.sessions.SignIn(r.PostFormValue("token"), c.now())
	if !ok {
		c.refuseSignIn(w, r, next)
		return
	}
	http.SetCookie(w, c.cookie(r, session, int(access.SessionLength.Seconds())))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// refuseSignIn answers a wrong token with the page to sign in.
func (c *Console) refuseSignIn(w http.ResponseWriter, r *http.Request, next string) {
	refused := c.wrongToken(w, r, c.Failures)
	c.write(w, r, refused.status, "login", &view{Title: "Sign in", Data: signIn{Next: next, Error: refused.message}})
}

// wrongToken counts a wrong token among failures, and returns what to answer. Only wrong tokens are limited:
// see access.Failures.
func (c *Console) wrongToken(w http.ResponseWriter, r *http.Request, failures *access.Failures) *visitorError {
	if wait := failures.Failed(r, c.now()); wait > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(access.Seconds(wait), 10))
		return &visitorError{http.StatusTooManyRequests, "There were too many wrong tokens from your address, and this one is wrong, too. Wait a few seconds and try again."}
	}
	c.Log.LogAttrs(r.Context(), slog.LevelWarn, "console: wrong token", slog.String("client", access.AddressOf(r).String()))
	return &visitorError{http.StatusUnauthorized, "This token is not known here. Use the value of ADMIN_TOKEN or VIEWER_TOKEN."}
}

// cookie returns the cookie of a session. It is SameSite=Lax, so that somebody who follows a link from a
// chat or an alert is still signed in. Every change is a POST, and a POST from another site carries no
// cookie. X-Forwarded-Proto can be trusted here: access.Proxies has removed it from strangers' requests.
func (c *Console) cookie(r *http.Request, session string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: session, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

// roleOf returns what the sender of a request may do. A session comes first: a proxy that signs people in may
// add a token of its own to what their browsers send.
func (c *Console) roleOf(r *http.Request) access.Role {
	role := c.sessions.RoleOf(sessionOf(r), c.now())
	if role == access.Anyone && showsToken(r) {
		role = c.tokens.RoleOfBearer(r.Header.Get("Authorization"))
	}
	return role
}

// showsToken reports whether a request to read has a Bearer token, as a tool sends it. What changes something
// needs a session, or goes through the API.
func showsToken(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return reads(r) && strings.EqualFold(scheme, "Bearer")
}

// fromBrowser reports whether a browser asks for a page, or for what changes in it: each asks by name for what
// it can show, as no tool does. A token in such a request is a proxy's, unless we know it: the person in front
// of the browser is asked to sign in, and has not shown a wrong token.
func fromBrowser(r *http.Request) bool {
	accept := strings.ToLower(r.Header.Get("Accept"))
	return strings.Contains(accept, "text/html") || strings.Contains(accept, "text/event-stream")
}

// reads reports whether a request only asks for something.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// localPath returns the path if it is one of ours, and "/" if it leads elsewhere.
func localPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
