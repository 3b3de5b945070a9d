package console

import (
	"net/http"

	"github.com/cxbridge/cxbridge/internal/access"
)

const (
	// noticeCookie is the name of the cookie that carries a notice to the page that shows it.
	noticeCookie = "cxbridge_notice"

	// noticeBytes bounds its text: a browser keeps no cookie of more than 4 KiB.
	noticeBytes = 1000
)

// notice is the message about an action, on the page that follows it. It travels in a signed cookie and not
// in the URL, so that no link can put words into our mouth, and no log holds it.
type notice struct {
	Text  string
	IsBad bool // the action failed
}

// warning is the error of an action that failed. The visitor goes on to a page that says why.
type warning struct{ next, message string }

func (w *warning) Error() string { return w.message }

const goodNotice, badNotice = "+", "-"

// leaveNotice gives a notice to the browser.
func (c *Console) leaveNotice(w http.ResponseWriter, r *http.Request, n notice) {
	text, isCut := cutText(n.Text, noticeBytes)
	if isCut {
		text += "…"
	}
	mark := goodNotice
	if n.IsBad {
		mark = badNotice
	}
	sealed := c.sessions.SealNotice(sessionOf(r), mark+text, c.now())
	cookie := c.cookie(r, sealed, int(access.NoticeLength.Seconds()))
	cookie.Name = noticeCookie
	http.SetCookie(w, cookie)
}

// takeNotice returns the notice in the browser's cookie, or nil for none, and removes the cookie.
func (c *Console) takeNotice(w http.ResponseWriter, r *http.Request) *notice {
	brought, err := r.Cookie(noticeCookie)
	if err != nil {
		return nil
	}
	cookie := c.cookie(r, "", -1)
	cookie.Name = noticeCookie
	http.SetCookie(w, cookie)
	text, ok := c.sessions.OpenNotice(sessionOf(r), brought.Value, c.now())
	if !ok || text == "" {
		return nil
	}
	return &notice{Text: text[1:], IsBad: text[:1] == badNotice}
}

// sessionOf returns the session cookie of a request; "" for none.
func sessionOf(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}
