package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// Numbers change while traffic flows, and the page is not loaded again.
func TestConsoleIsLive(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings)
	b := newTab(t, p)
	b.signIn(viewerToken, "/")
	b.until(`document.querySelector("#freshness").dataset.state === "live"`)
	b.ask(`window.loadedOnce = true`, nil)
	const note = `[...document.querySelectorAll(".tile")].find((tile) => tile.innerText.startsWith(%s)).querySelector(".tile-note").innerText`
	for round, status := range []string{"DELIVERED", "FAILED", "DELIVERED"} {
		for i := range 10 {
			p.post(t, http.StatusOK, fmt.Sprintf(`{"messageId":"live-%d-%d","status":%q,"carrier":"TMOBILE","to":"+12025550142"}`, round, i, status))
		}
		b.until(note+`.includes(%s)`, `"Delivered"`, script(fmt.Sprintf("of %d messages", 10*(round+1))))
	}
	b.until(note+`.includes("10 failed")`, `"Failed"`)
	b.until(`document.querySelectorAll("#overview-charts svg").length > 0`)
	var once bool
	if b.ask(`window.loadedOnce === true`, &once); !once {
		t.Error("the page was loaded again")
	}

	// A reader can stop the updates, and take them up again.
	b.click(`footer button`)
	b.until(`document.querySelector("#freshness").innerText.startsWith("paused")`)
	p.post(t, http.StatusOK, `{"messageId":"live-later","status":"DELIVERED","carrier":"TMOBILE","to":"+12025550142"}`)
	b.click(`footer button`)
	b.until(note+`.includes("of 31 messages")`, `"Delivered"`)
	b.until(`document.querySelector("#freshness").innerText === "live"`)

	// A page that is no longer live says why, and says so anew when the reason changes.
	b.ask(`(() => {
		window.EventSource = class { constructor() { window.stream = this; } addEventListener() {} close() {} };
		EventSource.CLOSED = 2;
		dispatchEvent(new Event("pagehide"));
		dispatchEvent(new Event("pageshow"));
		stream.onerror();
	})()`, nil)
	const freshness = `document.querySelector("#freshness").innerText.startsWith(%s)`
	b.until(freshness, `"connection lost, trying again"`)
	b.ask(`stream.readyState = EventSource.CLOSED, stream.onerror()`, nil)
	b.until(freshness, `"not live for now: reload the page"`)
}

// A message is found by its id and by its recipient, with all its receipts.
func TestConsoleFindsMessages(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings)
	receipt := func(id, status, minute, to string) string {
		return fmt.Sprintf(`{"messageId":%q,"status":%q,"timestamp":"2026-03-02T10:%s:00Z","from":"72727","to":%q,"carrier":"VERIZON"}`, id, status, minute, to)
	}
	p.post(t, http.StatusOK, receipt("find/1 & 2", "SENT", "01", "+12025550142"))
	p.post(t, http.StatusOK, receipt("find/1 & 2", "DELIVERED", "03", "+12025550142"))
	p.post(t, http.StatusOK, receipt("find/1 & 2", "QUEUED", "00", "+12025550142"))
	p.post(t, http.StatusOK, receipt("find-3", "FAILED", "02", "+12025550142"))
	p.post(t, http.StatusOK, receipt("other", "SENT", "02", "+12025550143"))

	b := newTab(t, p, emulation.SetTimezoneOverride("Asia/Tokyo"))
	b.signIn(viewerToken, "/messages")
	search := func(query string, rows int) {
		t.Helper()
		b.fill("#q", query)
		b.click(`main form[role="search"] button`)
		b.until(`document.querySelector("#q")?.value === %s && document.querySelectorAll("#message-list tbody tr").length === %d`, script(query), rows)
	}
	search("+1 (202) 555-0142", 2)
	search("nothing", 0)
	b.shows("No message has this id")
	search("find/1 & 2", 1)
	b.click("#message-list tbody th a")
	b.until(`document.querySelector("h1").innerText === "Message find/1 & 2"`)
	b.shows("+12025550142")
	b.until(`document.querySelector("#message-state .badge").innerText === "DELIVERED"`)
	var words []string
	b.ask(`[...document.querySelectorAll("#message-receipts tbody tr td:nth-child(3)")].map((td) => td.innerText)`, &words)
	if fmt.Sprint(words) != "[SENT DELIVERED QUEUED]" {
		t.Errorf("the receipts are %q", words)
	}
	// Ten in the morning in UTC is seven in the evening in Tokyo.
	b.until(`document.querySelector('time[datetime^="2026-03-02T10:03:00"]').textContent.match(/19:03:00|7:03:00\spm/i) !== null`)
	b.click("#message-receipts summary")
	b.until(`document.querySelector("#message-receipts details[open] pre").innerText.includes('"status": "SENT"')`)
	b.picture("message-history")
}
