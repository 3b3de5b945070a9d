package console

import (
	"net/http"
	"strings"

	"github.com/cxbridge/cxbridge/internal/access"
)

// sessionCookie is the name of the cookie that holds the session.
const sessionCookie = "cxbridge_session"

// maxForm bounds the body of a form, in bytes.
const maxForm = 64 << 10

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
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	next := localPath(r.PostFormValue("next"))
	session, ok := c.sessions.SignIn(r.PostFormValue("token"), c.now())
	if !ok {
		c.write(w, r, http.StatusUnauthorized, "login", &view{Title: "Sign in", Data: signIn{
			Next: next, Error: "This token is not known here. It is that of ADMIN_TOKEN or VIEWER_TOKEN.",
		}})
		return
	}
	http.SetCookie(w, c.cookie(r, session, int(access.SessionLength.Seconds())))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// cookie returns that of a session. It is Lax, so that who follows a link from a chat or an alert is
// still signed in. What changes something is posted, and a post from another site has no cookie.
func (c *Console) cookie(r *http.Request, session string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: session, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

// roleOf returns what the sender of a request may do.
func (c *Console) roleOf(r *http.Request) access.Role {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return access.Anyone
	}
	return c.sessions.RoleOf(cookie.Value, c.now())
}

// localPath returns a path of ours, and "/" for whatever leads elsewhere.
func localPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
