package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// hostile returns a text that would run a script, in several ways, if a page treated it as HTML.
func hostile(where string) string {
	return fmt.Sprintf(`%s'"><img src=x onerror="window.pwned=1"><script>window.pwned=2</script>{{.}}`, where)
}

// What people and networks write is shown as text, whatever it is.
func TestConsoleShowsTextsAsText(t *testing.T) {
	t.Parallel()
	w := words{
		message: hostile("id"), sender: hostile("sender"), carrier: hostile("carrier"),
		person: hostile("person"), text: hostile("text"), refused: hostile("refused"),
	}
	h := newHouse(t, w)
	b := newTab(t, h.process)
	b.allow(answered(http.StatusNotFound))
	b.signIn(adminToken, "/")
	shown := map[string][]string{
		"messages":       {w.message, w.sender, w.carrier},
		"messages-found": {w.message},
		"message":        {w.message, w.sender, w.carrier},
		"carriers":       {w.carrier},
		"thread":         {w.text, w.person, w.person + " elsewhere"},
		"dead-letters":   {w.message},
		"dead-letter":    {w.refused, w.message},
	}
	for _, p := range h.pages(w) {
		b.open(p.path)
		b.until(`document.querySelectorAll("main img, main script, main [onerror]").length === 0`)
		var isPwned bool
		if b.ask(`"pwned" in window`, &isPwned); isPwned {
			t.Errorf("%s: a script of a text ran", p.name)
		}
		var text string
		b.ask(`document.querySelector("main").textContent`, &text)
		for _, want := range shown[p.name] {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) && !strings.Contains(text, strings.Trim(script(want), `"`)) {
				t.Errorf("%s does not show %s", p.name, want)
			}
		}
		delete(shown, p.name)
	}
	for name := range shown {
		t.Errorf("there is no page %s", name)
	}

	// A notice in an address is not shown. One of ours is text, too, and is gone on the next page.
	b.open("/threads?done=Call+555&failed=Call+555")
	b.until(`document.querySelector(".notice, .warning") === null`)
	b.open("/threads/" + url.PathEscape(storyID))
	b.click(`form[action*="wake"] button`)
	b.until(`document.querySelector(".notice")?.innerText.startsWith("The thread is tried now.")`)
	b.open("/threads")
	b.until(`document.querySelector(".notice") === null`)
}
