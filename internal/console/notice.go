package console

import (
	"net/http"

	"github.com/cxbridge/cxbridge/internal/access"
)

const (
	// noticeCookie is the name of the cookie that brings a notice to the page that shows it.
	noticeCookie = "cxbridge_notice"

	// noticeBytes bounds its text: a browser keeps no cookie of more than 4 KiB.
	noticeBytes = 1000
)

// notice is what is told of an action, on the page that follows it. It travels in a cookie that we have
// signed, and not in the address: so no link makes us say what others wrote, and no log has it.
type notice struct {
	Text  string
	IsBad bool // the action did not come off
}

// warning is the error of an action that did not come off, and after which its visitor goes on at a page
// that tells why.
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

// takeNotice returns the notice that the browser brings, and lets it forget it. It is nil for none.
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

// sessionOf returns the session that a request shows; "" for none.
func sessionOf(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}
