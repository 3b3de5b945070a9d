package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
)

// Rows of the list of dead letters.
const letterRows = `document.querySelectorAll("#dead-letter-list tbody tr").length`

// An operator replays a dead letter in vain, mends the cause, replays it again and sees it go. What is
// past help is deleted, alone and all at once.
func TestConsoleDeadLetters(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	p := serve(t, s.settings.with(settings{"SENDER_ID_POLICY": "quarantine"}))
	for i := range 2 {
		p.post(t, http.StatusOK, fmt.Sprintf(`{"messageId":"held-%d","status":"DELIVERED","from":"ACMEDEALS","to":"+12025550142"}`, i))
	}
	for i := range 4 {
		p.post(t, http.StatusUnprocessableEntity, fmt.Sprintf(`{"messageId":"stateless-%d"}`, i))
	}
	held := p.deadLetters(t)[5]

	b := newTab(t, p)
	b.signIn(adminToken, "/dead-letters")
	b.until(letterRows + ` === 6`)
	b.click(fmt.Sprintf(`a[href="%s"]`, letterPath(held.ID)))
	b.isAt(letterPath(held.ID))
	b.shows(held.Reason)
	b.until(`document.querySelector("pre.raw").innerText.includes('"messageId": "held-0"')`)
	b.click(`form[action*="replay"] button`)
	b.shows("It is still refused: " + held.Reason)
	b.until(`document.querySelector("dl.facts").innerText.replace(/\s+/g, " ").includes("Failed replays 1")`)

	// The operator changes the policy.
	b.leave()
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p = serve(t, s.settings)
	watching := newTab(t, p)
	b = newTab(t, p)
	watching.signIn(adminToken, "/dead-letters")
	watching.until(letterRows + ` === 6`)
	b.signIn(adminToken, letterPath(held.ID))
	b.click(`form[action*="replay"] button`)
	b.isAt("/dead-letters")
	b.shows(fmt.Sprintf("Dead letter %d is gone: its event about held-0 is stored, with a warning: ", held.ID))
	b.until(letterRows + ` === 5`)
	watching.until(letterRows + ` === 5`)
	if m, found := p.message(t, "held-0"); !found || m.Status != "DELIVERED" {
		t.Errorf("the message is %+v", m)
	}

	b.click("#dead-letter-list tbody tr:first-child th a")
	b.shows("Why it was refused")
	b.click(`summary:has(+ form[action*="delete"])`)
	b.click(`form[action*="delete"] button`)
	b.isAt("/dead-letters")
	b.until(letterRows + ` === 4`)

	b.fill("#text", "stateless")
	b.click(`form[role="search"] button`)
	b.until(letterRows + ` === 3`)
	b.click(`a[href^="/dead-letters/delete-all"]`)
	b.isAt("/dead-letters/delete-all")
	b.until(`document.querySelector("dl.facts").innerText.replace(/\s+/g, " ") === "Dead letters 3 Kind any With the text stateless"`)
	b.click("main button.danger")
	b.isAt("/dead-letters")
	b.shows("3 deleted")
	b.open("/dead-letters")
	b.click(`a[href^="/dead-letters/replay-all"]`)
	b.isAt("/dead-letters/replay-all")
	b.click("main form button")
	b.isAt("/dead-letters")
	b.shows("No dead letters: nothing is waiting for you.")
	watching.shows("No dead letters: nothing is waiting for you.")
	if left := p.deadLetters(t); len(left) != 0 {
		t.Errorf("dead letters %+v", left)
	}
	wantAuditVerified(t, s.settings)
}
