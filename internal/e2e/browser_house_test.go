package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// house is a cxbridge in which every page of the console has something to show.
type house struct {
	*process
	letter int64 // a dead letter
}

// words are the texts that people and networks choose, as the pages show them.
type words struct{ message, sender, carrier, person, text, refused string }

var plainWords = words{"msg-1", "72727", "TMOBILE", "Ada", "Where is my parcel?", "no status"}

// newHouse starts a cxbridge, and posts messages, threads that are merged and split, and events that are
// refused. The CRM refuses the thread "parked".
func newHouse(t *testing.T, w words) *house {
	t.Helper()
	crm, withCRM := newCRM(t)
	crm.SetFaults(func(r *http.Request) sim.CRMFault {
		if r.URL.Path == "/threads/parked" {
			return sim.CRMFault{Status: http.StatusUnprocessableEntity, Body: `{"message":"not today"}`}
		}
		return sim.CRMFault{}
	})
	h := &house{process: serve(t, onSQLite(t).settings.with(withCRM).with(settings{"SIMULATOR": "true"}))}
	for i := range 60 {
		status := "DELIVERED"
		if i%3 == 0 {
			status = "FAILED"
		}
		h.post(t, http.StatusOK, asJSON(object{"messageId": fmt.Sprint("bad-", i), "status": status, "carrier": "BADROUTE", "to": "+12025550142"}))
		h.post(t, http.StatusOK, asJSON(object{"messageId": fmt.Sprint("good-", i), "status": "DELIVERED", "carrier": "GOODROUTE", "to": "+12025550142"}))
	}
	for i, status := range []string{"SENT", "DELIVERED"} {
		h.post(t, http.StatusOK, asJSON(object{
			"messageId": w.message, "status": status, "timestamp": minute(i), "from": w.sender, "to": "+12025550142", "carrier": w.carrier,
		}))
	}
	h.post(t, http.StatusBadRequest, `{"messageId":"cut off","status":`)
	h.post(t, http.StatusUnprocessableEntity, asJSON(object{"messageId": w.message, "note": w.refused}))
	h.letter = h.deadLetters(t)[0].ID
	h.tellStory(t, w)
	h.postThread(t, http.StatusOK, event(updated, "parked", 1, saying(line("m-1", w.text, 1))))
	h.awaitState(t, "parked", "parked")
	for _, id := range []string{storyID, "chat", "bill"} {
		h.awaitState(t, id, "synced")
	}
	return h
}

// storyID is the thread of a customer into which another was merged, and of which messages were split
// off. It holds what has a meaning in URLs.
const storyID = "case/1?x#y"

func (h *house) tellStory(t *testing.T, w words) {
	t.Helper()
	ada := sim.Participant{ID: "c-1", Role: "CUSTOMER", Name: w.person, PlatformID: "x:" + w.person}
	grace := sim.Participant{ID: "a-1", Role: "AGENT", Name: "Grace"}
	answer := sim.Message{ID: "p-2", Text: "I look for it.", Timestamp: minute(3), AuthorID: "a-1", Direction: "OUTBOUND"}
	bill, again := line("p-3", "And where is my bill?", 6), line("p-4", "It is of May.", 7)
	elsewhere := ada
	elsewhere.Name = w.person + " elsewhere"
	for _, e := range []string{
		event(updated, storyID, 8, saying(line("p-1", w.text, 1), answer, bill, again, line("p-5", "Thank you!", 8)), among(ada, grace)),
		event(updated, "chat", 2, saying(line("d-1", "Anybody there?", 2)), among(elsewhere)),
		event(merged, "chat", 4, under(storyID)),
		event(split, "bill", 9, under(storyID), saying(bill, again), among(ada)),
	} {
		h.postThread(t, http.StatusOK, e)
	}
}

// asJSON writes an object.
func asJSON(o object) string {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // texts and numbers
	}
	return string(b)
}

// consolePage is a page to look at.
type consolePage struct {
	name, path string
}

// pages are all pages of the console, as an operator sees them.
func (h *house) pages(w words) []consolePage {
	letter := letterPath(h.letter)
	thread := "/threads/" + url.PathEscape(storyID)
	return []consolePage{
		{"overview", "/"},
		{"carriers", "/carriers"},
		{"messages", "/messages"},
		{"messages-found", "/messages?q=" + url.QueryEscape(w.message)},
		{"messages-none", "/messages?q=nothing"},
		{"message", "/messages/" + url.PathEscape(w.message)},
		{"threads", "/threads"},
		{"threads-parked", "/threads?state=parked"},
		{"thread", thread},
		{"thread-merged", "/threads/chat"},
		{"thread-split", "/threads/bill"},
		{"thread-parked", "/threads/parked"},
		{"dead-letters", "/dead-letters"},
		{"dead-letter", letter},
		{"dead-letters-delete", "/dead-letters/delete-all"},
		{"dead-letters-replay", "/dead-letters/replay-all?text=cut"},
		{"simulator", "/simulator"},
		{"system", "/system"},
		{"api", "/docs/api"},
		{"not-found", "/messages/no-such-message"},
	}
}
