package e2e_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// A conversation is read in its order, with what was merged into it, and what was split off.
func TestConsoleThread(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainWords)
	b := newTab(t, h.process)
	b.signIn(viewerToken, "/threads")
	b.fill("#text", "case")
	b.click(`main form[role="search"] button`)
	b.until(`document.querySelectorAll("#thread-list tbody tr").length === 1`)
	b.click("#thread-list tbody th a")
	b.isAt("/threads/" + url.PathEscape(storyID))
	wantTalk(t, b, []string{
		"customer Ada: Where is my parcel?",
		"customer Ada elsewhere: Anybody there? (from chat)",
		"agent Grace: I look for it.",
		"merged: chat was merged in",
		"customer Ada: Thank you!",
		"moved: 2 messages moved to bill (split)",
	})
	b.until(`[...document.querySelectorAll("#thread-family .family a")].map((a) => a.innerText).join() === "chat,bill"`)
	b.until(`document.querySelector("#thread-sync .badge").innerText === "synced"`)
	b.until(`document.querySelector("#thread-trail").innerText.includes("Pushed to the CRM")`)

	// Both ways lead on, and back.
	b.click(`.mark.moved a`)
	b.isAt("/threads/bill")
	wantTalk(t, b, []string{
		"customer Ada: And where is my bill?",
		"customer Ada: It is of May.",
		"begun: 2 messages came from " + storyID + " (split)",
	})
	b.click(`.notice-line a`)
	b.isAt("/threads/" + url.PathEscape(storyID))
	b.click(`.stretch.merged h3 a`)
	b.isAt("/threads/chat")
	b.shows("This thread was merged into " + storyID)

	// What comes in shows while the page is open.
	h.postThread(t, http.StatusOK, event(updated, "chat", 10, saying(line("d-2", "Still here.", 10))))
	b.shows("Still here.")
}

// wantTalk compares the conversation of the page, and the marks in it.
func wantTalk(t *testing.T, b *tab, want []string) {
	t.Helper()
	var got []string
	b.ask(`(() => {
		const text = (e) => e.innerText.replace(/\s+/g, " ").trim();
		return [...document.querySelectorAll(".conversation .said, .conversation .mark")].map((e) => {
			const kind = e.classList[1];
			if (e.classList.contains("mark")) {
				const copy = e.cloneNode(true);
				copy.querySelector(".when")?.remove();
				return kind + ": " + copy.textContent.replace(/\s+/g, " ").trim();
			}
			const from = e.closest(".merged")?.querySelector("h3");
			return kind + " " + text(e.querySelector(".name")) + ": " + text(e.querySelector(".text")) + (from ? " (" + text(from) + ")" : "");
		});
	})()`, &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the conversation (-want +got):\n%s", diff)
	}
}

// A thread that the CRM has refused is tried again by replaying its dead letter.
func TestConsoleReplaysParkedThread(t *testing.T) {
	t.Parallel()
	crm, withCRM := newCRM(t)
	crm.Fail(sim.CRMFault{Status: http.StatusUnprocessableEntity, Body: `{"message":"not today"}`, Method: http.MethodPost})
	p := serve(t, onSQLite(t).settings.with(withCRM))
	p.postThread(t, http.StatusOK, event(updated, "t-1", 1, saying(line("m-1", "Hello", 1))))
	p.awaitState(t, "t-1", "parked")

	b, watching := newTab(t, p), newTab(t, p)
	watching.signIn(viewerToken, "/threads/t-1")
	watching.until(`document.querySelector("#thread-sync .badge").innerText === "parked"`)
	watching.shows("not today")
	b.signIn(adminToken, "/threads/t-1")
	b.click("#thread-sync a")
	b.isAt("/dead-letters")
	b.until(`document.querySelectorAll("#dead-letter-list tbody tr").length === 1`)
	b.click("#dead-letter-list tbody button")
	b.until(`document.querySelector(".notice")?.innerText.includes("the thread t-1 is on its way to the CRM again")`)
	b.until(`document.querySelectorAll("#dead-letter-list tbody tr").length === 0`)
	watching.until(`document.querySelector("#thread-sync .badge").innerText === "synced"`)
	wantEqual(t, crm, []sim.Conversation{conversation("t-1", 1, "", line("m-1", "Hello", 1))})
}
