package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The tab notices a bad page: otherwise the tests of the console would prove nothing. The policy prevents
// a script that got into a page from running, and from asking another origin.
func TestTabFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings)
	b := newTab(t, p)
	b.open("/login")
	b.ask(`{
		const bad = document.createElement("script");
		bad.textContent = "window.pwned = 1";
		document.body.append(bad);
		new Image().src = "http://127.0.0.2:9/picture";
		fetch("http://127.0.0.2:9/told").catch(() => {});
		console.error("something is wrong");
		setTimeout(() => { throw new Error("a script failed"); }, 0);
	}`, nil)
	signs := []string{"script-src", "img-src", "connect-src", "something is wrong", "a script failed"}
	eventually(t, "all of it is found", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return !slices.ContainsFunc(signs, func(sign string) bool {
			return !slices.ContainsFunc(b.wrong, func(wrong string) bool { return strings.Contains(wrong, sign) })
		})
	})
	b.until(`!("pwned" in window)`)
	b.allow("") // all of it was wanted

	b.ask(`{
		document.querySelector("main").insertAdjacentHTML("beforeend",
			'<h1>Two</h1><input id="bare"><img src="/static/icon.svg"><p id="pale">Pale</p><button></button>');
		document.querySelector("#pale").style.color = "#aaa";
		document.querySelector("#bare").style.outline = "none";
	}`, nil)
	var complaints []string
	b.ask(accessibilityScript, &complaints)
	all := strings.Join(complaints, "\n")
	for _, want := range []string{"there are 2 h1", "a field without a label", "an image without a text", "a text has a contrast of 2.", "it has no name"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %s", want, all)
		}
	}
	var wrong string
	b.do(chromedp.Evaluate(keyboardScript, nil), chromedp.Focus("main .primary", chromedp.ByQuery), chromedp.KeyEvent(kb.Tab),
		chromedp.Evaluate(`focused()`, &wrong))
	if !strings.Contains(wrong, "the focus does not show") {
		t.Errorf("of the focus it says %q", wrong)
	}
}
