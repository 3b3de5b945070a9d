package e2e_test

import (
	_ "embed"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

//go:embed testdata/accessibility.js
var accessibilityScript string

//go:embed testdata/keyboard.js
var keyboardScript string

// wide and narrow are windows as people have them, in CSS pixels.
const wide, narrow = 1280, 360

// Every page can be read by everybody: on a wide screen and a narrow one, in light and dark, with a
// screen reader. Nothing is wider than the window.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainWords)
	for _, colours := range []string{"light", "dark"} {
		t.Run(colours, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, h.process, scheme(colours))
			b.allow(answered(http.StatusNotFound))
			b.open("/login")
			b.inspect("login-" + colours)
			b.signIn(adminToken, "/")
			for _, p := range h.pages(plainWords) {
				b.open(p.path)
				b.inspect(p.name + "-" + colours)
			}
		})
	}
}

// inspect looks at a page in windows of several widths.
func (b *tab) inspect(name string) {
	b.t.Helper()
	for _, pixels := range []int64{wide, narrow} {
		b.do(width(pixels))
		var complaints []string
		b.ask(accessibilityScript, &complaints)
		for _, complaint := range complaints {
			b.t.Errorf("%s at %d px: %s", name, pixels, complaint)
		}
		var isOf int64
		if b.ask(`document.documentElement.scrollWidth`, &isOf); isOf > pixels {
			var widest string
			b.ask(widestScript, &widest)
			b.t.Errorf("%s is %d px wide in a window of %d: %s", name, isOf, pixels, widest)
		}
		if pixels == narrow {
			b.picture(name + "-narrow")
		} else {
			b.picture(name)
		}
	}
}

// widestScript finds what stands out of the window, at the right.
const widestScript = `[...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth &&
	!e.closest(".table-scroll, .chart-scroll, pre")).map((e) => e.outerHTML.slice(0, 100)).slice(0, 3).join("\n")`

// The keyboard reaches all that a mouse does, in a place that can be seen.
func TestConsoleByKeyboard(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainWords)
	b := newTab(t, h.process)
	b.allow(answered(http.StatusNotFound))
	b.signIn(adminToken, "/")
	for _, p := range h.pages(plainWords) {
		b.open(p.path)
		b.tabThrough(p.name)
	}

	// The first stop leads past the menu.
	b.open("/messages")
	eventually(t, "the link past the menu has the focus", func() (is bool) {
		var nowhere bool
		b.ask(`document.activeElement === document.body`, &nowhere)
		if nowhere { // the page is new, and loses a key that comes before it listens
			b.do(chromedp.KeyEvent(kb.Tab))
		}
		b.ask(`document.activeElement.className === "skip" && document.activeElement.getBoundingClientRect().top >= 0`, &is)
		return is
	})
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.id === "content"`)
	b.do(chromedp.KeyEvent(kb.Tab))
	b.until(`document.activeElement.id === "q"`)
	b.do(chromedp.KeyEvent("bad-1"), chromedp.KeyEvent(kb.Enter))
	b.until(`location.search === "?q=bad-1"`)
	b.shows("BADROUTE")
}

// tabThrough presses Tab until the keyboard has been everywhere.
func (b *tab) tabThrough(name string) {
	b.t.Helper()
	b.do(chromedp.Evaluate(keyboardScript, nil))
	var count int
	b.ask(`usableCount()`, &count)
	for range count + 3 { // what scrolls may be reached, too
		var wrong string
		b.do(chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`focused()`, &wrong))
		if wrong != "" {
			b.t.Errorf("%s: %s", name, wrong)
		}
	}
	var unreached []string
	b.ask(`unreached()`, &unreached)
	if len(unreached) > 0 {
		b.t.Errorf("%s: of %d the keyboard does not reach\n%s", name, count, strings.Join(unreached, "\n"))
	}
}

// Without JavaScript the pages show the same, and their forms work.
func TestConsoleWithoutScripts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainWords)
	with, without := newTab(t, h.process), newTab(t, h.process, emulation.SetScriptExecutionDisabled(true))
	for _, b := range []*tab{with, without} {
		b.allow(answered(http.StatusNotFound))
		b.signIn(adminToken, "/")
	}
	for _, p := range h.pages(plainWords) {
		with.open(p.path)
		without.open(p.path)
		if diff := cmp.Diff(with.outline(), without.outline()); diff != "" {
			t.Errorf("%s (-with +without scripts):\n%s", p.name, diff)
		}
	}
	without.open("/messages")
	without.fill("#q", "bad-1")
	without.click(`main form[role="search"] button`)
	without.until(`location.search === "?q=bad-1" && document.querySelectorAll("#message-list tbody tr").length === 1`)
	without.open(letterPath(h.letter))
	without.click(`form[action*="replay"] button`)
	without.shows("It is still refused")
	without.open("/dead-letters/delete-all?text=status")
	without.click("main button.danger")
	without.isAt("/dead-letters")
	without.until(`document.querySelector(".notice").innerText.includes("deleted")`)
	without.click(".sign-out button")
	without.isAt("/login")
}

// outline is the text of a page, line by line, without what depends on the time and the reader's zone.
func (b *tab) outline() (lines []string) {
	b.t.Helper()
	b.ask(`(() => {
		const page = document.querySelector("main").cloneNode(true);
		page.querySelectorAll("time, [data-zone], [data-time], noscript").forEach((e) => e.remove());
		return page.textContent.split("\n").map((line) => line.trim().replace(/[0-9][0-9.,]*/g, "#")
			.replace(/# (ms|s|min|h|sec|second|minute)\w*/g, "# TIME").replace(/# TIME( # TIME)+/g, "# TIME")).filter(Boolean);
	})()`, &lines)
	return lines
}
