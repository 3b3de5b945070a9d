package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

const crmToken = "crm-token"

// body is a delta of the thread t1. More are further members of the object.
func body(version int, parent string, added string, more ...string) string {
	return fmt.Sprintf(`{"threadId":"t1","version":%d,"updatedAt":"2026-11-22T01:44:21Z","parentThreadId":%s,"addedMessages":[%s],"addedParticipants":[]%s}`,
		version, parent, added, strings.Join(append([]string{""}, more...), ","))
}

func msg(id, text string) string {
	return fmt.Sprintf(`{"id":%q,"text":%q,"timestamp":"2026-11-22T01:44:21Z","authorId":"c1","direction":"INBOUND"}`, id, text)
}

// ask makes a request. Header is name, value, name, value.
func ask(c *sim.CRM, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+crmToken)
	r.Header.Set("Idempotency-Key", body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// newCRM returns a CRM that has the thread t1 with the messages m1 and m2, at version 3.
func newCRM(t *testing.T) *sim.CRM {
	t.Helper()
	c := sim.NewCRM(crmToken)
	wantStatus(t, ask(c, "POST", "/threads", body(3, "null", msg("m1", "one")+","+msg("m2", "two"))), 201)
	return c
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, want int) {
	t.Helper()
	if w.Code != want {
		t.Fatalf("the answer is %d %s, want %d", w.Code, w.Body, want)
	}
}

func TestCRMRequests(t *testing.T) {
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		want                     int
	}{
		{"Stranger", "GET", "/threads/t1", "", []string{"Authorization", "Bearer guess"}, 401},
		{"NoToken", "GET", "/threads/t1", "", []string{"Authorization", ""}, 401},
		{"BareToken", "GET", "/threads/t1", "", []string{"Authorization", crmToken}, 401},
		{"Get", "GET", "/threads/t1", "", nil, 200},
		{"GetUnknown", "GET", "/threads/t2", "", nil, 404},
		{"Elsewhere", "GET", "/messages/t1", "", nil, 404},
		{"Below", "GET", "/threads/t1/messages", "", nil, 404},
		{"Delete", "DELETE", "/threads/t1", "", nil, 405},
		{"NoKey", "PATCH", "/threads/t1", body(4, "null", ""), []string{"Idempotency-Key", ""}, 400},
		{"Patch", "PATCH", "/threads/t1", body(4, "null", msg("m3", "three")), nil, 200},
		{"SameVersion", "PATCH", "/threads/t1", body(3, "null", ""), nil, 409},
		{"OldVersion", "PATCH", "/threads/t1", body(2, "null", ""), nil, 409},
		{"OtherETag", "PATCH", "/threads/t1", body(4, "null", ""), []string{"If-Match", `"0"`}, 412},
		{"ETag", "PATCH", "/threads/t1", body(4, "null", ""), []string{"If-Match", `"1"`}, 200},
		{"Exists", "POST", "/threads", body(4, "null", ""), nil, 409},
		{"SameAgain", "PATCH", "/threads/t1", body(4, "null", msg("m1", "one")), nil, 200},
		{"Removed", "PATCH", "/threads/t1", body(4, "null", "", `"removedMessages":["m1","m9"]`), nil, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCRM(t)
			wantStatus(t, ask(c, tt.method, tt.path, tt.body, tt.header...), tt.want)
			if v := c.Violations(); len(v) > 0 {
				t.Errorf("violations: %q", v)
			}
		})
	}
}

// What no correct caller does is refused, noted, and not applied.
func TestCRMViolations(t *testing.T) {
	added := `"addedParticipants":[]`
	for _, tt := range []struct{ name, body, want string }{
		{"NoJSON", "{", "no delta"},
		{"UnknownField", body(9, "null", "", `"x":1`), "no delta"},
		{"NoVersion", `{"threadId":"t1","updatedAt":"2026-11-22T01:44:21Z","parentThreadId":null,"addedMessages":[],` + added + `}`, "no version"},
		{"NoParent", `{"threadId":"t1","version":9,"updatedAt":"2026-11-22T01:44:21Z","addedMessages":[],` + added + `}`, "no parentThreadId"},
		{"NoList", `{"threadId":"t1","version":9,"updatedAt":"2026-11-22T01:44:21Z","parentThreadId":null,` + added + `}`, "lacks a list"},
		{"LocalTime", strings.Replace(body(9, "null", ""), "21Z", "21+01:00", 1), "not a time in UTC"},
		{"NoText", body(9, "null", msg("m3", "")), "has 0 characters"},
		{"LongText", body(9, "null", msg("m3", strings.Repeat("x", 5001))), "has 5001 characters"},
		{"BadTime", body(9, "null", strings.Replace(msg("m3", "three"), "2026-", "", 1)), "has no time"},
		{"BadRole", body(9, "null", "", `"updatedParticipants":[{"id":"c1","role":"BOSS"}]`), "lacks an id or a role"},
		{"OtherThread", strings.Replace(body(9, "null", ""), "t1", "t2", 1), `sent to thread "t1"`},
		{"AddedTwice", body(9, "null", msg("m1", "other")), `adds message "m1" a second time`},
		{"NamedTwice", body(9, "null", msg("m3", "a")+","+msg("m3", "b")), `names message "m3" twice`},
		{"NotThere", body(9, "null", "", `"updatedMessages":[`+msg("m9", "x")+`]`), `updates message "m9", which is not there`},
		{"OverEdit", body(9, "null", "", `"updatedMessages":[`+msg("edited", "x")+`]`), `overwrites what another writer did to message "edited"`},
		{"OverNote", body(9, "null", msg("note", "x")), `overwrites what another writer did to message "note"`},
		{"OverDeletion", body(9, "null", msg("deleted", "d")), `overwrites what another writer did to message "deleted"`},
		{"RemovedEdit", body(9, "null", "", `"removedMessages":["edited"]`), `removes message "edited"`},
		{"OverName", body(9, "null", "", `"updatedParticipants":[{"id":"c9","role":"AGENT","name":"x"}]`), `participant "c9"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCRM(t)
			wantStatus(t, ask(c, "PATCH", "/threads/t1", body(4, "null", msg("edited", "e")+","+msg("deleted", "d"))), 200)
			c.EditMessage("t1", "edited", "by another")
			c.DeleteMessage("t1", "deleted")
			c.AddMessage("t1", sim.Message{ID: "note", Text: "by another"})
			c.ChangeParticipant("t1", sim.Participant{ID: "c9", Role: "AGENT", Name: "by another"})
			before := c.Conversations()
			wantStatus(t, ask(c, "PATCH", "/threads/t1", tt.body), 422)
			if v := c.Violations(); len(v) != 1 || !strings.Contains(v[0], tt.want) {
				t.Errorf("violations: %q, want %q", v, tt.want)
			}
			if diff := cmp.Diff(before, c.Conversations()); diff != "" {
				t.Errorf("it was applied (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("OverLink", func(t *testing.T) {
		c := newCRM(t)
		c.Reparent("t1", "theirs")
		wantStatus(t, ask(c, "PATCH", "/threads/t1", body(9, `"theirs"`, "")), 200)
		wantStatus(t, ask(c, "PATCH", "/threads/t1", body(10, `"ours"`, "")), 422)
		if len(c.Violations()) != 1 {
			t.Errorf("violations: %q", c.Violations())
		}
	})
}

// Messages are in the order of their times, however exact these are, and then of their ids.
func TestCRMOrder(t *testing.T) {
	c := newCRM(t)
	timed := func(id, at string) string { return strings.Replace(msg(id, "x"), "01:44:21Z", at, 1) }
	added := []string{timed("a", "01:44:21.5Z"), timed("b", "01:44:21.05Z"), timed("c", "01:44:20.9Z")}
	wantStatus(t, ask(c, "PATCH", "/threads/t1", body(4, "null", strings.Join(added, ","))), 200)
	conv, _ := c.Conversation("t1")
	var ids []string
	for _, m := range conv.Messages {
		ids = append(ids, m.ID)
	}
	if diff := cmp.Diff([]string{"c", "m1", "m2", "b", "a"}, ids); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A key stands for one body, once that has succeeded.
func TestCRMKeys(t *testing.T) {
	c := newCRM(t)
	c.SetETags(true)
	first := ask(c, "PATCH", "/threads/t1", body(4, "null", msg("m3", "three")), "Idempotency-Key", "k")
	wantStatus(t, first, 200)
	c.DeleteMessage("t1", "m3")
	again := ask(c, "PATCH", "/threads/t1", body(4, "null", msg("m3", "three")), "Idempotency-Key", "k")
	if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("ETag") != first.Header().Get("ETag") {
		t.Errorf("the answer was %d %s, and again %d %s", first.Code, first.Body, again.Code, again.Body)
	}
	if conv, _ := c.Conversation("t1"); len(conv.Messages) != 2 || c.Counts().Replayed != 1 {
		t.Errorf("it was applied again: %v", conv.Messages)
	}
	wantStatus(t, ask(c, "PATCH", "/threads/t1", body(6, "null", ""), "Idempotency-Key", "k"), 422)
	if len(c.Violations()) != 1 {
		t.Errorf("violations: %q", c.Violations())
	}
	// A refusal leaves the key free.
	wantStatus(t, ask(c, "PATCH", "/threads/t1", body(4, "null", ""), "Idempotency-Key", "l"), 409)
	wantStatus(t, ask(c, "PATCH", "/threads/t1", body(7, "null", ""), "Idempotency-Key", "l"), 200)
	// A thread that is deleted is forgotten with its keys.
	if !c.DeleteThread("t1") || c.DeleteThread("t1") {
		t.Error("a thread can be deleted once")
	}
	wantStatus(t, ask(c, "PATCH", "/threads/t1", body(7, "null", ""), "Idempotency-Key", "l"), 404)
}

func TestCRMTells(t *testing.T) {
	c := newCRM(t)
	for tells, want := range map[sim.Tells][]string{
		sim.TellsAll:    {`"text":"one"`, `"participants":[]`, `"parentThreadId":null`},
		sim.TellsIDs:    {`"messages":[{"id":"m1"},{"id":"m2"}]`},
		sim.TellsNoList: {`"version":3`},
	} {
		c.SetTells(tells)
		got := ask(c, "GET", "/threads/t1", "").Body.String()
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s lacks %s", got, part)
			}
		}
		if tells != sim.TellsAll && strings.Contains(got, "one") || tells == sim.TellsNoList && strings.Contains(got, "messages") {
			t.Errorf("%s tells too much", got)
		}
	}
}

// Each writer raises the version and changes the ETag; none can change what is not there.
func TestCRMWriters(t *testing.T) {
	c := newCRM(t)
	c.SetETags(true)
	version, etag := int64(3), ""
	for name, write := range map[string]func(threadID, messageID string) bool{
		"Add":     func(id, m string) bool { return c.AddMessage(id, sim.Message{ID: m}) },
		"Edit":    func(id, m string) bool { return c.EditMessage(id, m, "edited") },
		"Change":  func(id, m string) bool { return c.ChangeParticipant(id, sim.Participant{ID: m}) },
		"Reparen": func(id, _ string) bool { return c.Reparent(id, "p") },
	} {
		if write("t2", "m1") {
			t.Errorf("%s: there is no such thread", name)
		}
		if !write("t1", "m1") {
			t.Errorf("%s: nothing was done", name)
		}
		version++
		w := ask(c, "GET", "/threads/t1", "")
		var told struct{ Version int64 }
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || told.Version != version || w.Header().Get("ETag") == etag {
			t.Errorf("%s: version %d, want %d; the ETag %s was %s; %v", name, told.Version, version, w.Header().Get("ETag"), etag, err)
		}
		etag = w.Header().Get("ETag")
	}
	if c.EditMessage("t1", "m9", "x") || c.DeleteMessage("t1", "m9") || !c.DeleteMessage("t1", "m1") || c.DeleteMessage("t1", "m1") {
		t.Error("a message that is not there was changed")
	}
}

// A fault may come before the request is applied, or after.
func TestCRMFaults(t *testing.T) {
	patch := body(4, "null", msg("m3", "three"))
	for _, tt := range []struct {
		name    string
		fault   sim.CRMFault
		want    int // 0: no answer
		applied bool
	}{
		{"Status", sim.CRMFault{Status: 500}, 500, false},
		{"Applied", sim.CRMFault{Applied: true}, 500, true},
		{"AppliedStatus", sim.CRMFault{Applied: true, Status: 502}, 502, true},
		{"Cut", sim.CRMFault{Cut: true}, 0, false},
		{"AppliedCut", sim.CRMFault{Cut: true, Applied: true}, 0, true},
		{"OtherMethod", sim.CRMFault{Method: "GET", Status: 500}, 200, true},
		{"Delay", sim.CRMFault{Delay: time.Nanosecond}, 200, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCRM(t)
			c.Fail(tt.fault)
			if got := askOrCut(c, "PATCH", "/threads/t1", patch); got != tt.want {
				t.Errorf("the answer is %d, want %d", got, tt.want)
			}
			if conv, _ := c.Conversation("t1"); (conv.Version == 4) != tt.applied {
				t.Errorf("the version is %d", conv.Version)
			}
			if c.Counts().Answers[tt.want] != 1 {
				t.Errorf("the answers are %v", c.Counts().Answers)
			}
		})
	}
}

// askOrCut returns the status of the answer; 0 when the connection is cut.
func askOrCut(c *sim.CRM, method, path, body string) (status int) {
	defer func() {
		if r := recover(); r != nil && r != http.ErrAbortHandler {
			panic(r)
		}
	}()
	return ask(c, method, path, body).Code
}

// A request waits for a signal.
func TestCRMWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCRM(t)
		signal, answered := make(chan struct{}), make(chan int, 1)
		c.Fail(sim.CRMFault{Until: signal})
		go func() { answered <- ask(c, "PATCH", "/threads/t1", body(4, "null", "")).Code }()
		synctest.Wait()
		if conv, _ := c.Conversation("t1"); conv.Version != 3 || len(answered) > 0 {
			t.Error("it did not wait")
		}
		close(signal)
		if status := <-answered; status != 200 {
			t.Errorf("the answer is %d", status)
		}
	})
}

// Who gives up is not answered, whether the request was applied or not.
func TestCRMStalls(t *testing.T) {
	c := newCRM(t)
	for _, applied := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c.Fail(sim.CRMFault{Stall: true, Applied: applied})
		delta := body(5, "null", "")
		r := httptest.NewRequestWithContext(ctx, "PATCH", "/threads/t1", strings.NewReader(delta))
		r.Header.Set("Authorization", "Bearer "+crmToken)
		r.Header.Set("Idempotency-Key", delta)
		if !isCut(c, r) {
			t.Errorf("a request that stalls is answered, applied %t", applied)
		}
		if conv, _ := c.Conversation("t1"); (conv.Version == 5) != applied {
			t.Errorf("the version is %d, applied %t", conv.Version, applied)
		}
	}
}

// isCut reports whether the connection of a request is cut instead of answered.
func isCut(c *sim.CRM, r *http.Request) (cut bool) {
	defer func() { cut = recover() == http.ErrAbortHandler }()
	c.ServeHTTP(httptest.NewRecorder(), r)
	return false
}

// Over the limit Retry-After comes in both forms, and who does not heed it is counted.
func TestCRMRateLimit(t *testing.T) {
	c := newCRM(t)
	c.SetRateLimit(0.001, 1)
	wantStatus(t, ask(c, "GET", "/threads/t1", ""), 200)
	forms := make(map[bool]int)
	for range 4 {
		w := ask(c, "GET", "/threads/t1", "")
		wantStatus(t, w, 429)
		_, err := http.ParseTime(w.Header().Get("Retry-After"))
		forms[err == nil]++
		if err != nil && w.Header().Get("Retry-After") != "1000" {
			t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
		}
	}
	if forms[true] != 2 || forms[false] != 2 || c.Counts().Early != 3 {
		t.Errorf("the forms are %v; %d came early", forms, c.Counts().Early)
	}
	c.SetRateLimit(0, 0)
	wantStatus(t, ask(c, "GET", "/threads/t1", ""), 200)
}

// Trouble comes as often as it is said, in all its forms, and the same for the same seed.
func TestCRMTrouble(t *testing.T) {
	trouble := sim.CRMTrouble{Throttled: 0.1, Failed: 0.1, Cut: 0.1, Stalled: 0.1, RetryAfter: time.Second}
	count := func(seed uint64) map[string]int {
		befalls, counts := trouble.Faults(rand.New(rand.NewPCG(seed, 0))), make(map[string]int)
		for range 10_000 {
			f := befalls(nil)
			if f.RetryAfter != "" && f.RetryAfter != "1" {
				f.RetryAfter = "date"
			}
			counts[fmt.Sprintf("%d %s cut=%t stall=%t applied=%t", f.Status, f.RetryAfter, f.Cut, f.Stall, f.Applied)]++
		}
		return counts
	}
	got := count(1)
	if diff := cmp.Diff(got, count(1)); diff != "" {
		t.Errorf("the same seed:\n%s", diff)
	}
	const fine = "0  cut=false stall=false applied=false"
	if n := got[fine]; n < 5800 || n > 6200 || len(got) != 13 {
		t.Errorf("%d of 10000 have no trouble, and the kinds are %v", n, got)
	}
}
