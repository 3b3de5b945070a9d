package e2e_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/network"

	"github.com/chromedp/chromedp"
)

// A user who signs in gets to the page he asked for, and to none after he has signed out.
func TestConsoleSignIn(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings)
	b := newTab(t, p)
	b.allow(answered(http.StatusUnauthorized))

	b.open("/messages?q=some-id")
	b.isAt("/login")
	b.until(`document.activeElement.id === "token"`)
	b.picture("login")
	b.fill("#token", "wrong")
	b.click("main button")
	b.shows("This token is not known here.")
	b.until(`document.querySelector('[role="alert"]') !== null`)
	b.fill("#token", adminToken)
	b.click("main button")
	b.isAt("/messages")
	b.until(`document.querySelector("#q").value === "some-id"`)
	b.until(`document.querySelector(".top .role").textContent === "operator"`)

	var cookies []*network.Cookie
	b.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		cookies, err = network.GetCookies().Do(ctx)
		return err
	}))
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	// Lax, so that a link from a chat finds its reader signed in. What changes anything is posted.
	if c := cookies[0]; !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax || c.Session {
		t.Errorf("the cookie is %+v", c)
	}
	var seen string
	if b.ask("document.cookie", &seen); seen != "" {
		t.Errorf("scripts see the cookies %q", seen)
	}

	b.click(".sign-out button")
	b.isAt("/login")
	b.open("/messages")
	b.isAt("/login")
}

// A viewer reads what he may. What he may not do is not offered to him, and is refused.
func TestConsoleViewer(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings.with(settings{"SIMULATOR": "true"}))
	p.post(t, http.StatusUnprocessableEntity, `{"messageId":"v-1"}`)
	p.postThread(t, http.StatusOK, event(updated, "v-thread", 1, saying(line("m-1", "Hello", 1))))
	letter := p.deadLetters(t)[0]
	operators := []string{"/dead-letters", letterPath(letter.ID), "/dead-letters/delete-all", "/simulator"}

	b := newTab(t, p)
	b.allow(answered(http.StatusForbidden))
	b.signIn(viewerToken, "/")
	b.until(`document.querySelector(".top .role").textContent === "viewer"`)
	var menu []string
	b.ask(`[...document.querySelectorAll(".top nav a")].map((a) => a.getAttribute("href"))`, &menu)
	for _, path := range menu {
		b.open(path)
		b.until(`document.querySelectorAll('form[method="post"]:not(.sign-out)').length === 0`)
		b.until(`document.querySelectorAll('a[href^="/dead-letters"], a[href^="/simulator"]').length === 0`)
	}
	b.open("/threads/v-thread")
	b.shows("Hello")
	b.until(`document.querySelectorAll('form[method="post"]:not(.sign-out)').length === 0`)
	for _, path := range operators {
		b.open(path)
		b.shows("You are signed in as a viewer.")
	}
	for _, path := range []string{"/replay", "/delete"} {
		var status int
		b.do(chromedp.Evaluate(`fetch(`+script(letterPath(letter.ID)+path)+`, {method: "POST"}).then((r) => r.status)`, &status, awaited))
		if status != http.StatusForbidden {
			t.Errorf("POST %s: status %d", path, status)
		}
	}
	if left := p.deadLetters(t); len(left) != 1 || left[0].Replays != 0 {
		t.Errorf("dead letters %+v", left)
	}

	operator := newTab(t, p)
	operator.signIn(adminToken, "/")
	for _, path := range operators {
		operator.open(path)
		operator.until(`document.querySelectorAll('main form').length > 0`)
	}
}
