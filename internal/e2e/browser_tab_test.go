package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a tab of the browser that looks at one cxbridge, with cookies of its own. A test fails if
// anything happens in it that must not: an error of a script, a violation of the Content Security
// Policy, a request to another origin, a file that does not load.
type tab struct {
	t      *testing.T
	ctx    context.Context
	origin string // of the cxbridge

	mu      sync.Mutex
	allowed []string // parts of what the console of the browser may say
	wrong   []string
}

// watchPolicy makes a violation of the policy an error in the console of the browser, and a script
// that got into a page through a text would set pwned.
const watchPolicy = `addEventListener("securitypolicyviolation", (e) => console.error("CSP", e.violatedDirective, e.blockedURI))`

// newTab opens a tab.
func newTab(t *testing.T, p *process, settings ...chromedp.Action) *tab {
	t.Helper()
	b := &tab{t: t, ctx: newWindow(t, theBrowser(t)), origin: p.address}
	chromedp.ListenTarget(b.ctx, b.watch)
	t.Cleanup(func() {
		if t.Failed() {
			b.picture("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, wrong := range b.wrong {
			if !slices.ContainsFunc(b.allowed, func(part string) bool { return strings.Contains(wrong, part) }) {
				t.Errorf("in the browser: %s", wrong)
			}
		}
	})
	// A tab is as one in a window of its own that is looked at, however many there are.
	first := append([]chromedp.Action{
		emulation.SetFocusEmulationEnabled(true),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := cdppage.AddScriptToEvaluateOnNewDocument(watchPolicy).Do(ctx)
			return err
		}),
	}, settings...)
	// The first run must not have a deadline: the tab would end with it.
	if err := chromedp.Run(b.ctx, first...); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return b
}

// watch notes what must not happen.
func (b *tab) watch(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.note("exception: %v", e.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning || e.Type == runtime.APITypeAssert {
			said, _ := json.Marshal(e.Args) // as it came from JSON
			b.note("console %s: %s", e.Type, said)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			b.note("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.origin+"/") && e.Request.URL != "about:blank" {
			b.note("request to %s", e.Request.URL)
		}
	case *network.EventLoadingFailed:
		// What a page still loads when it is left is canceled.
		if !e.Canceled || e.BlockedReason != "" {
			b.note("a %s does not load: %s %s", e.Type, e.ErrorText, e.BlockedReason)
		}
	}
}

func (b *tab) note(format string, values ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, fmt.Sprintf(format, values...))
}

// allow says that something in the console of the browser is not wrong: the browser reports every answer
// of 400 and above there, also those that the test wants.
func (b *tab) allow(parts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = append(b.allowed, parts...)
}

// answered is what the browser says of an answer that has a status.
func answered(status int) string { return fmt.Sprintf("responded with a status of %d", status) }

// do carries actions out.
func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("in the browser: %v", err)
	}
}

// open goes to a path.
func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.origin + path))
}

// leave goes away from the cxbridge, which may then end.
func (b *tab) leave() {
	b.t.Helper()
	b.do(chromedp.Navigate("about:blank"))
}

// ask evaluates an expression in the page.
func (b *tab) ask(expression string, out any) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, out))
}

// until waits until the page is loaded and an expression is true. Meanwhile, the tab may go to another
// page.
func (b *tab) until(expression string, values ...any) {
	b.t.Helper()
	expression = `document.readyState === "complete" && (` + fmt.Sprintf(expression, values...) + `)`
	eventually(b.t, expression, func() (is bool) {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		defer cancel()
		return chromedp.Run(ctx, chromedp.Evaluate(expression, &is)) == nil && is
	})
}

// shows waits until the text of the page has something.
func (b *tab) shows(text string) {
	b.t.Helper()
	b.until(`document.querySelector("main")?.innerText.includes(%s)`, script(text))
}

// isAt waits until the path of the page is one.
func (b *tab) isAt(path string) {
	b.t.Helper()
	b.until(`location.pathname === %s`, script(path))
}

// click clicks at the first element of a selector, as a mouse does. What changes while the page is
// open may take an element away just then, so it is tried again.
func (b *tab) click(selector string) {
	b.t.Helper()
	eventually(b.t, "there is a "+selector+" to click at", func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, patience/2)
		defer cancel()
		return chromedp.Run(ctx, chromedp.Click(selector, chromedp.ByQuery)) == nil
	})
}

// fill types a text into a field, instead of what is in it.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Clear(selector, chromedp.ByQuery), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// signIn signs in with a token, and waits for a page.
func (b *tab) signIn(token, path string) {
	b.t.Helper()
	b.open("/login?next=" + url.QueryEscape(path))
	b.fill("#token", token)
	b.click("main button")
	b.until(`location.href === %s`, script(b.origin+path))
}

// picture takes a picture of the whole page, for people to look at. It never fails a test.
func (b *tab) picture(name string) {
	b.t.Helper()
	var png []byte
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err != nil {
		b.t.Logf("no picture %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(pictures, name+".png"), png, 0o644); err != nil {
		b.t.Log(err)
	}
}

// script writes a text as JavaScript does.
func script(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The schemes of colours, as a reader's system has them.
func scheme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}})
}

// width is how wide the window is, in CSS pixels.
func width(pixels int64) chromedp.Action {
	return emulation.SetDeviceMetricsOverride(pixels, 900, 1, false)
}

// awaited makes an expression that is a promise be what it is kept with.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// letterPath is the page of a dead letter.
func letterPath(id int64) string { return fmt.Sprintf("/dead-letters/%d", id) }
