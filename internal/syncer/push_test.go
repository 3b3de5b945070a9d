package syncer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// script is a CRM that answers as it is told, and refuses any other request.
type script struct {
	t       *testing.T
	answers []answer
	sent    []crm.Request
}

type answer struct {
	method string
	remote *thread.Remote // of a GET
	ack    crm.Ack
	err    error
}

func (s *script) next(method string) answer {
	s.t.Helper()
	if len(s.answers) == 0 {
		s.t.Errorf("unexpected %s", method)
		return answer{err: refusal(crm.ClassPermanent, 999)}
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	if a.method != method {
		s.t.Errorf("%s was sent, want %s", method, a.method)
	}
	return a
}

func (s *script) Get(context.Context, string) (*thread.Remote, error) {
	a := s.next("GET")
	return a.remote, a.err
}

func (s *script) Patch(_ context.Context, r crm.Request) (crm.Ack, error) { return s.send("PATCH", r) }

func (s *script) Create(_ context.Context, r crm.Request) (crm.Ack, error) { return s.send("POST", r) }

func (s *script) send(method string, r crm.Request) (crm.Ack, error) {
	a := s.next(method)
	s.sent = append(s.sent, r)
	if a.err == nil && a.ack.Version == 0 {
		a.ack = crm.Ack{Status: http.StatusOK, Version: r.Version, ETag: a.ack.ETag}
	}
	return a.ack, a.err
}

// Answers of the script.
func ok(method string) answer               { return answer{method: method} }
func tagged(method, etag string) answer     { return answer{method: method, ack: crm.Ack{ETag: etag}} }
func fails(method string, err error) answer { return answer{method: method, err: err} }
func gone(method string) answer             { return fails(method, refusal(crm.ClassGone, 404)) }
func conflict(method string) answer         { return fails(method, refusal(crm.ClassConflict, 409)) }

func tells(version int64, texts ...string) answer {
	r := &thread.Remote{Version: version, NamesParent: true, Messages: make(map[string]thread.Fields), Participants: map[string]thread.Fields{}}
	for i := 0; i < len(texts); i += 2 {
		r.Messages[texts[i]] = thread.Fields{"id": texts[i], "text": texts[i+1]}
	}
	return answer{method: "GET", remote: r}
}

// pushOnce claims the one thread that is due and pushes it, with what the CRM answers.
func pushOnce(t *testing.T, queue *memory, answers ...answer) (*attempt, *script) {
	t.Helper()
	return pushBy(t, anything{}, queue, answers...)
}

// pushBy is pushOnce with a schema.
func pushBy(t *testing.T, schema Schema, queue *memory, answers ...answer) (*attempt, *script) {
	t.Helper()
	s := &script{t: t, answers: answers}
	c, err := queue.Claim(t.Context(), store.ClaimRequest{Limit: 1, Lease: lease, Items: chunk})
	if err != nil || len(c.Work) != 1 {
		t.Fatalf("claimed %d threads, %v", len(c.Work), err)
	}
	a := newAttempt(s, schema, &c.Work[0])
	a.run(t.Context())
	if len(s.answers) > 0 {
		t.Errorf("%s was not sent", s.answers[0].method)
	}
	notes := 0
	for _, n := range a.push.Notes {
		if n.Action == audit.ActionPush {
			notes++
		}
	}
	if notes != min(1, a.requests) {
		t.Errorf("the audit log has %d notes of a push of %d requests", notes, a.requests)
	}
	a.push.RetryIn = min(a.push.RetryIn, time.Nanosecond) // the next attempt of the test is due
	if _, err := queue.Record(t.Context(), []store.Push{a.push}, now()); err != nil {
		t.Fatal(err)
	}
	return a, s
}

// synced returns a queue with the thread t that the CRM has in version 1, with m1.
func synced(t *testing.T, etag string) *memory {
	t.Helper()
	queue := newMemory()
	queue.commit(event("t", 1, "m1", "one"))
	pushOnce(t, queue, gone("PATCH"), tagged("POST", etag))
	return queue
}

func TestPush(t *testing.T) {
	bad := refusal(crm.ClassPermanent, 422)
	cases := []struct {
		name    string
		etag    string
		event   *thread.Event
		answers []answer
		outcome outcome
		version int64 // sent last
		body    string
		done    bool
	}{
		{name: "an addition is sent", event: event("t", 2, "m2", "two"), answers: []answer{ok("PATCH")},
			outcome: outcomeAcknowledged, version: 2, body: `"addedMessages":[{"id":"m2","text":"two"}]`, done: true},
		{name: "an addition jumps to CXone's version", event: event("t", 7, "m2", "two"), answers: []answer{ok("PATCH")},
			outcome: outcomeAcknowledged, version: 7, body: `"addedMessages":[{"id":"m2","text":"two"}]`, done: true},
		{name: "an older version is sent as the next one", event: event("t", 0, "m2", "two"), answers: []answer{ok("PATCH")},
			outcome: outcomeAcknowledged, version: 2, body: `"m2"`, done: true},
		{name: "a version alone is sent", event: event("t", 2), answers: []answer{ok("PATCH")},
			outcome: outcomeAcknowledged, version: 2, body: `"addedMessages":[],"addedParticipants":[]}`, done: true},
		{name: "a change is sent under the next version", event: event("t", 2, "m1", "uno"), answers: []answer{ok("PATCH")},
			outcome: outcomeAcknowledged, version: 2, body: `"updatedMessages":[{"id":"m1","text":"uno"}]`, done: true},
		{name: "a change that jumps looks first", event: event("t", 7, "m1", "uno"), answers: []answer{tells(1, "m1", "one"), ok("PATCH"), ok("PATCH")},
			outcome: outcomeAcknowledged, version: 7, body: `"addedMessages":[],"addedParticipants":[]}`, done: true},
		{name: "a change that jumps is guarded by the ETag", etag: `"1"`, event: event("t", 7, "m1", "uno"), answers: []answer{ok("PATCH")},
			outcome: outcomeAcknowledged, version: 7, body: `"updatedMessages":[{"id":"m1","text":"uno"}]`, done: true},
		{name: "a lost thread is forgotten", event: event("t", 2, "m2", "two"), answers: []answer{gone("PATCH"), gone("GET")},
			outcome: outcomeForgotten, version: 2},
		{name: "a thread that is there is not lost", event: event("t", 2, "m2", "two"), answers: []answer{gone("PATCH"), tells(1, "m1", "one"), ok("PATCH")},
			outcome: outcomeAcknowledged, version: 2, body: `"addedMessages":[{"id":"m2","text":"two"}]`, done: true},
		{name: "a thread that comes and goes is not lost", event: event("t", 2, "m2", "two"), answers: []answer{gone("PATCH"), tells(1, "m1", "one"), gone("PATCH")},
			outcome: outcomeConflict, version: 2},
		{name: "a thread that is lost between two looks is forgotten", event: event("t", 2, "m2", "two"),
			answers: []answer{gone("PATCH"), tells(1, "m1", "one"), conflict("PATCH"), gone("GET")}, outcome: outcomeForgotten, version: 2},
		{name: "a thread that is lost when it is read is forgotten", event: event("t", 7, "m1", "uno"), answers: []answer{gone("GET")},
			outcome: outcomeForgotten},
		{name: "a conflict is resolved", event: event("t", 2, "m2", "two"), answers: []answer{conflict("PATCH"), tells(4, "m1", "one"), ok("PATCH")},
			outcome: outcomeAcknowledged, version: 5, body: `"addedMessages":[{"id":"m2","text":"two"}]`, done: true},
		{name: "what the CRM has already is not sent", event: event("t", 2, "m2", "two"), answers: []answer{conflict("PATCH"), tells(4, "m1", "one", "m2", "two")},
			outcome: outcomeAcknowledged, version: 2, done: true},
		{name: "another writer's change stays", event: event("t", 2, "m1", "uno", "m2", "two"), answers: []answer{conflict("PATCH"), tells(4, "m1", "theirs"), ok("PATCH")},
			outcome: outcomeAcknowledged, version: 5, body: `"addedMessages":[{"id":"m2","text":"two"}],"addedParticipants":[]}`, done: true},
		{name: "conflict after conflict backs off", event: event("t", 2, "m2", "two"),
			answers: []answer{conflict("PATCH"), tells(4), conflict("PATCH"), tells(5), conflict("PATCH"), tells(6), conflict("PATCH")},
			outcome: outcomeConflict, version: 7, body: `"m2"`},
		{name: "throttled", event: event("t", 2), answers: []answer{fails("PATCH", refusal(crm.ClassThrottled, 429))},
			outcome: outcomeThrottled, version: 2},
		{name: "failed", event: event("t", 2), answers: []answer{fails("PATCH", refusal(crm.ClassFailed, 500))},
			outcome: outcomeFailed, version: 2},
		{name: "a fault that the sink does not know", event: event("t", 2), answers: []answer{fails("PATCH", errors.New("odd"))},
			outcome: outcomeFailed, version: 2},
		{name: "refused for good", event: event("t", 2), answers: []answer{fails("PATCH", bad)},
			outcome: outcomeParked, version: 2},
		{name: "reading is refused for good", event: event("t", 7, "m1", "uno"), answers: []answer{fails("GET", refusal(crm.ClassPermanent, 403))},
			outcome: outcomeParked},
		{name: "a bad item is left out", event: event("t", 2, "m2", "bad", "m3", "three"), answers: []answer{ok("PATCH")},
			outcome: outcomeAcknowledged, version: 2, body: `"addedMessages":[{"id":"m3","text":"three"}]`, done: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			queue := synced(t, c.etag)
			queue.commit(c.event)
			a, s := pushOnce(t, queue, c.answers...)
			if a.outcome != c.outcome || a.version != c.version {
				t.Errorf("%s with version %d, want %s with %d", a.outcome, a.version, c.outcome, c.version)
			}
			if c.body != "" && !strings.Contains(string(s.sent[len(s.sent)-1].Body), c.body) {
				t.Errorf("sent %s, want %s in it", s.sent[len(s.sent)-1].Body, c.body)
			}
			if got := queue.sync("t"); (got.Want == got.Done) != c.done || got.Parked != (c.outcome == outcomeParked) {
				t.Errorf("%+v", got)
			}
			for _, r := range s.sent {
				if a.looked || r.IfMatch == c.etag {
					continue
				}
				t.Errorf("If-Match %s, want %s", r.IfMatch, c.etag)
			}
		})
	}
}

func TestFirstPush(t *testing.T) {
	cases := []struct {
		name    string
		answers []answer
		outcome outcome
	}{
		{"to a CRM without the thread", []answer{gone("PATCH"), ok("POST")}, outcomeAcknowledged},
		{"to a CRM that has it", []answer{ok("PATCH")}, outcomeAcknowledged},
		{"somebody makes it meanwhile", []answer{gone("PATCH"), conflict("POST"), tells(3), ok("PATCH")}, outcomeAcknowledged},
		{"somebody removes it meanwhile", []answer{conflict("PATCH"), gone("GET"), ok("POST")}, outcomeAcknowledged},
		{"the CRM contradicts itself", []answer{conflict("PATCH"), tells(3), gone("PATCH")}, outcomeConflict},
		{"there is no such place", []answer{gone("PATCH"), gone("POST")}, outcomeParked},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			queue := newMemory()
			queue.commit(event("t", 1, "m1", "one"))
			a, _ := pushOnce(t, queue, c.answers...)
			if a.outcome != c.outcome {
				t.Errorf("%s, want %s", a.outcome, c.outcome)
			}
		})
	}
}

func TestForgottenThreadIsPushedWhole(t *testing.T) {
	queue := synced(t, "")
	queue.commit(event("t", 2, "m2", "two"))
	pushOnce(t, queue, gone("PATCH"), gone("GET"))
	_, s := pushOnce(t, queue, ok("POST"))
	if body := string(s.sent[0].Body); !strings.Contains(body, `"m1"`) || !strings.Contains(body, `"m2"`) {
		t.Errorf("sent %s, want both messages", body)
	}
}

// Whatever becomes of the POST of a thread that the CRM has lost, the CRM has it in the end, and is sent PATCHes
// again.
func TestForgottenThreadIsCreated(t *testing.T) {
	for name, attempts := range map[string][][]answer{
		"at once":                               {{ok("POST")}},
		"after a failure":                       {{fails("POST", refusal(crm.ClassFailed, 500))}, {ok("POST")}},
		"somebody makes it meanwhile":           {{conflict("POST"), tells(3), ok("PATCH")}},
		"without an answer":                     {{fails("POST", lost())}, {tells(2, "m1", "one", "m2", "two")}},
		"without an answer, and without effect": {{fails("POST", lost())}, {gone("GET"), ok("POST")}},
	} {
		t.Run(name, func(t *testing.T) {
			queue := synced(t, "")
			queue.commit(event("t", 2, "m2", "two"))
			pushOnce(t, queue, gone("PATCH"), gone("GET"))
			for _, answers := range attempts {
				pushOnce(t, queue, answers...)
			}
			if s := queue.sync("t"); s.Want != s.Done {
				t.Errorf("not synced: %+v", s)
			}
			queue.commit(event("t", 5, "m3", "three"))
			pushOnce(t, queue, ok("PATCH"))
		})
	}
}

// What the CRM lost is pushed again, and what it then takes has no dead letter.
func TestForgottenThreadLeavesNoDeadLetter(t *testing.T) {
	for name, refuse := range map[string]func(*testing.T, *memory){
		"of an item": func(t *testing.T, queue *memory) {
			queue.commit(event("t", 2, "m2", "bad"))
			pushOnce(t, queue, ok("PATCH"))
		},
		"of an item that was good before": func(t *testing.T, queue *memory) {
			queue.commit(event("t", 2, "m1", "bad"))
			pushOnce(t, queue, ok("PATCH"))
			queue.commit(event("t", 3, "m1", "one"))
		},
		"of the thread": func(t *testing.T, queue *memory) {
			queue.commit(event("t", 2, "m2", "two"))
			pushOnce(t, queue, fails("PATCH", refusal(crm.ClassPermanent, 403)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			queue := synced(t, "")
			refuse(t, queue)
			if len(queue.letters) != 1 {
				t.Fatalf("%d dead letters, want 1", len(queue.letters))
			}
			queue.commit(event("t", 4, "m2", "good"))
			pushOnce(t, queue, gone("PATCH"), gone("GET"))
			pushOnce(t, queue, ok("POST"))
			if s := queue.sync("t"); s.Want != s.Done || len(queue.letters) != 0 {
				t.Errorf("%d dead letters of a thread that is synced: %+v", len(queue.letters), s)
			}
		})
	}
}

// So it is with an item that was left alone when the loss showed.
func TestForgottenThreadIsPushedWithWhatWasSetAside(t *testing.T) {
	for name, schema := range map[string]Schema{"refused": anything{}, "accepted": everything{}} {
		queue := synced(t, "")
		queue.commit(event("t", 2, "m2", "bad"))
		pushOnce(t, queue, ok("PATCH"))
		queue.commit(event("t", 3, "m3", "three"))
		pushOnce(t, queue, gone("PATCH"), gone("GET"))
		_, s := pushBy(t, schema, queue, ok("POST"))
		wants := schema == anything{}
		if body := string(s.sent[0].Body); strings.Contains(body, `"m2"`) == wants || !strings.Contains(body, `"m3"`) {
			t.Errorf("%s: sent %s", name, body)
		}
		if len(queue.letters) > 0 != wants {
			t.Errorf("%s: %d dead letters", name, len(queue.letters))
		}
	}
}

// A PATCH that meets a gateway, which knows no thread, undoes nothing of what another writer did.
func TestThreadThatIsNotLostKeepsOtherWritersWork(t *testing.T) {
	queue := synced(t, "")
	queue.commit(event("t", 2, "m1", "uno"))
	pushOnce(t, queue, conflict("PATCH"), tells(4)) // another writer has removed it
	queue.commit(event("t", 5, "m2", "two"))
	_, s := pushOnce(t, queue, gone("PATCH"), tells(4), ok("PATCH"))
	if body := string(s.sent[1].Body); strings.Contains(body, `"m1"`) || !strings.Contains(body, `"m2"`) {
		t.Errorf("sent %s, want m2 alone", body)
	}
	if s := queue.sync("t"); s.Want != s.Done || !queue.items[thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: "m1"}].Theirs {
		t.Errorf("the other writer's work is forgotten: %+v", s)
	}
}

func TestNothingIsSentWhenNothingIsNew(t *testing.T) {
	queue := synced(t, "")
	queue.wake("t", now())
	if a, _ := pushOnce(t, queue); a.outcome != outcomeUnchanged {
		t.Error(a.outcome)
	}
	if s := queue.sync("t"); s.Want != s.Done {
		t.Errorf("%+v", s)
	}
}

func TestUnknownOutcomeIsLookedInto(t *testing.T) {
	for _, isApplied := range []bool{false, true} {
		queue := synced(t, "")
		queue.commit(event("t", 2, "m2", "two"))
		if a, _ := pushOnce(t, queue, fails("PATCH", lost())); a.outcome != outcomeFailed || !queue.sync("t").Uncertain {
			t.Fatalf("%s: %+v", a.outcome, queue.sync("t"))
		}
		answers := []answer{tells(1, "m1", "one"), ok("PATCH")}
		if isApplied {
			answers = []answer{tells(2, "m1", "one", "m2", "two")}
		}
		pushOnce(t, queue, answers...)
		if s := queue.sync("t"); s.Want != s.Done || s.Uncertain || s.LastError != "" {
			t.Errorf("applied %t: %+v", isApplied, s)
		}
	}
}

// An answer that was lost makes later edits read the copy only if it may have what we do not know of.
func TestUnknownOutcomeIsNotLookedIntoForEver(t *testing.T) {
	for _, c := range []struct {
		name  string
		event *thread.Event
		look  []answer // after a push of the event that got no answer
		edit  []answer // when m1 is edited afterwards
	}{
		{"an addition of ours", event("t", 2, "m2", "two"),
			[]answer{tells(2, "m1", "one", "m2", "two")},
			[]answer{ok("PATCH")}},
		{"an addition of ours, edited meanwhile", event("t", 2, "m2", "two"),
			[]answer{tells(2, "m1", "one", "m2", "two, edited by another writer")},
			[]answer{tells(2, "m1", "one"), ok("PATCH")}},
		{"another writer's version instead of ours", event("t", 2, "m2", "two"),
			[]answer{tells(2, "m1", "theirs"), ok("PATCH")},
			[]answer{tells(3, "m1", "theirs", "m2", "two"), ok("PATCH")}},
		{"another writer's version after ours", event("t", 2, "m2", "two"),
			[]answer{tells(3, "m1", "theirs", "m2", "two")},
			[]answer{tells(3, "m1", "theirs", "m2", "two"), ok("PATCH")}},
		{"a change, which may be another writer's", event("t", 2, "m1", "two"),
			[]answer{tells(2, "m1", "two")},
			[]answer{tells(2, "m1", "two"), ok("PATCH")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			queue := synced(t, "")
			queue.commit(c.event)
			pushOnce(t, queue, fails("PATCH", lost()))
			pushOnce(t, queue, c.look...)
			queue.commit(event("t", queue.rows["t"].CRM.Version+1, "m1", "uno"))
			pushOnce(t, queue, c.edit...)
		})
	}
}

// All of a thread that the CRM had not acknowledged is compared when it is read.
func TestUnknownOutcomeOfTheFirstPushIsNotLookedIntoForEver(t *testing.T) {
	queue := newMemory()
	queue.commit(event("t", 4, "m1", "one", "m2", "two"))
	pushOnce(t, queue, gone("PATCH"), fails("POST", lost()))
	pushOnce(t, queue, tells(6, "m1", "one", "m2", "theirs"))
	queue.commit(event("t", 7, "m1", "uno", "m2", "dos"))
	_, s := pushOnce(t, queue, ok("PATCH"))
	if body := string(s.sent[0].Body); strings.Contains(body, `"m2"`) || !strings.Contains(body, `"m1"`) {
		t.Errorf("sent %s, want m1 alone", body)
	}
}

// moreThanAChunk returns the first event of a thread of one message more than a chunk.
func moreThanAChunk() *thread.Event {
	e := event("t", 1)
	for i := range chunk + 1 {
		e.Messages = append(e.Messages, thread.Message{ID: string(rune(0x4e00 + i)), Text: "x"})
	}
	return e
}

// A claim of a part of a thread compares that part.
func TestUnknownOutcomeOfAPartIsLookedInto(t *testing.T) {
	queue := newMemory()
	e := moreThanAChunk()
	queue.commit(sealed(e))
	pushOnce(t, queue, gone("PATCH"), fails("POST", lost()))
	var texts []string
	for _, m := range e.Messages {
		texts = append(texts, m.ID, m.Text)
	}
	pushOnce(t, queue, tells(1, texts...))
	if !queue.rows["t"].CRM.Shared {
		t.Error("what the CRM has of the message that was not compared counts as known")
	}
}

// A push without an answer may have brought a value that the thread no longer shows.
func TestUnknownOutcomeIsTakenBack(t *testing.T) {
	queue := synced(t, "")
	queue.commit(event("t", 2, "m1", "uno"))
	pushOnce(t, queue, fails("PATCH", lost()))
	queue.commit(event("t", 3, "m1", "one"))
	_, s := pushOnce(t, queue, tells(2, "m1", "uno"), ok("PATCH"))
	if body := string(s.sent[0].Body); !strings.Contains(body, `"updatedMessages":[{"id":"m1","text":"one"}]`) {
		t.Errorf("sent %s", body)
	}
}

func TestChunks(t *testing.T) {
	queue := newMemory()
	queue.commit(sealed(moreThanAChunk()))
	for i, want := range []struct {
		answers []answer
		added   int
		left    int64
	}{{[]answer{gone("PATCH"), ok("POST")}, chunk, 1}, {[]answer{ok("PATCH")}, 1, 0}} {
		a, _ := pushOnce(t, queue, want.answers...)
		if s := queue.sync("t"); a.added != want.added || s.Want-s.Done != want.left {
			t.Errorf("chunk %d: %d items, %+v", i, a.added, s)
		}
	}
}

// Few long texts make a body that is as long as one of many short ones.
func TestChunksAreBoundedInBytes(t *testing.T) {
	const long = chunkBytes / 4
	queue := newMemory()
	e := event("t", 1)
	for i, length := range []int{long, long, long, long, 1, 2 * chunkBytes, 1} {
		e.Messages = append(e.Messages, thread.Message{ID: fmt.Sprint("m", i), Text: strings.Repeat("x", length)})
	}
	queue.commit(sealed(e))
	for i, want := range []struct {
		answers []answer
		added   int
		left    int64
	}{{[]answer{gone("PATCH"), ok("POST")}, 3, 1}, {[]answer{ok("PATCH")}, 2, 1}, {[]answer{ok("PATCH")}, 1, 1}, {[]answer{ok("PATCH")}, 1, 0}} {
		a, _ := pushOnce(t, queue, want.answers...)
		if s := queue.sync("t"); a.added != want.added || s.Want-s.Done != want.left {
			t.Errorf("chunk %d: %d items, %+v", i, a.added, s)
		}
	}
}

func TestChunksAfterAnUnknownOutcomeAreAllLookedInto(t *testing.T) {
	queue := newMemory()
	queue.commit(sealed(moreThanAChunk()))
	pushOnce(t, queue, gone("PATCH"), fails("POST", lost()))
	pushOnce(t, queue, gone("GET"), ok("POST"))
	if s := queue.sync("t"); !s.Uncertain {
		t.Errorf("after the first chunk: %+v", s)
	}
	pushOnce(t, queue, tells(1), ok("PATCH"))
	if s := queue.sync("t"); s.Uncertain || s.Want != s.Done {
		t.Errorf("after the last chunk: %+v", s)
	}
}

// After an unknown outcome, a CRM that reports its version only is sent everything once more: in chunks, too.
func TestUnsureItemsGoInChunks(t *testing.T) {
	queue := newMemory()
	e := event("t", 1)
	for i := range 6 {
		e.Messages = append(e.Messages, thread.Message{ID: fmt.Sprint("m", i), Text: strings.Repeat("x", chunkBytes/4)})
	}
	queue.commit(sealed(e))
	pushOnce(t, queue, gone("PATCH"), fails("POST", lost()))
	versionOnly := answer{method: "GET", remote: &thread.Remote{Version: 1}}
	for i, want := range []struct {
		added, updated int
		left           int64
	}{{3, 0, 1}, {3, 0, 1}, {0, 3, 0}} {
		a, _ := pushOnce(t, queue, versionOnly, ok("PATCH"))
		if s := queue.sync("t"); a.added != want.added || a.updated != want.updated || s.Want-s.Done != want.left {
			t.Errorf("push %d: %d added, %d updated, %+v", i, a.added, a.updated, s)
		}
	}
}

func TestSetAsideIsSolvedByAGoodValue(t *testing.T) {
	queue := synced(t, "")
	queue.commit(event("t", 2, "m2", "bad"))
	pushOnce(t, queue, ok("PATCH"))
	letter := queue.letters[store.ItemLetter(thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: "m2"}).Digest()]
	want := &store.DeadLetter{
		Kind: store.KindThreadItem, Subject: "t", Reason: `message "m2" is not sent to the CRM: text is bad`,
		Raw: []byte(`{"threadId":"t","kind":"message","item":{"id":"m2","text":"bad"}}`), Key: "t\x00message\x00m2",
	}
	if letter != nil {
		want.Received = letter.Received
	}
	if diff := cmp.Diff(want, letter); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	queue.commit(event("t", 3, "m2", "good"))
	pushOnce(t, queue, ok("PATCH"))
	if len(queue.letters) > 0 {
		t.Error("the dead letter is still there")
	}
}

// A split takes away what is set aside, while nobody knows what the CRM has.
func TestSetAsideIsSolvedByASplitThoughNothingArrived(t *testing.T) {
	queue := newMemory()
	queue.commit(event("t", 1, "m1", "one", "m2", "bad"))
	pushOnce(t, queue, gone("PATCH"), fails("POST", lost()))
	if len(queue.letters) != 1 {
		t.Fatalf("%d dead letters, want 1", len(queue.letters))
	}
	queue.commit(under(event("child", 2, "m2", "two"), thread.Split, "t"))
	_, s := pushOnce(t, queue, gone("GET"), ok("POST"))
	if body := string(s.sent[0].Body); strings.Contains(body, `"m2"`) || !strings.Contains(body, `"m1"`) {
		t.Errorf("sent %s, want m1 alone", body)
	}
	if s := queue.sync("t"); s.Want != s.Done || len(queue.letters) != 0 {
		t.Errorf("%d dead letters: %+v", len(queue.letters), s)
	}
}

// The CRM has the value already, so nothing is sent of it.
func TestSetAsideIsSolvedByTheOldValue(t *testing.T) {
	queue := synced(t, "")
	for version, text := range []string{"good", "bad", "good"} {
		queue.commit(event("t", int64(version)+2, "m2", text))
		a, _ := pushOnce(t, queue, ok("PATCH"))
		if wants := version == 0; strings.Contains(string(a.body), `"m2"`) != wants {
			t.Errorf("version %d was pushed as %s", version+2, a.body)
		}
		if wants := version == 1; len(queue.letters) > 0 != wants {
			t.Errorf("%d dead letters after version %d", len(queue.letters), version+2)
		}
	}
}

func TestParkedIsSolvedByAPush(t *testing.T) {
	queue := synced(t, "")
	queue.commit(event("t", 2, "m2", "two"))
	pushOnce(t, queue, fails("PATCH", refusal(crm.ClassPermanent, 422)))
	letter := queue.letters[store.PushLetter("t").Digest()]
	if letter == nil || letter.Subject != "t" || letter.Reason != "the CRM answered 422" || !strings.Contains(string(letter.Raw), `"m2"`) {
		t.Fatalf("%+v", letter)
	}
	if s := queue.sync("t"); !s.Parked || s.LastStatus != 422 {
		t.Errorf("%+v", s)
	}
	queue.commit(event("t", 3, "m2", "zwei"))
	pushOnce(t, queue, ok("PATCH"))
	if len(queue.letters) > 0 || queue.sync("t").Parked {
		t.Error("the dead letter is still there")
	}
}

func TestUnfitDeltaParksTheThread(t *testing.T) {
	queue := newMemory()
	queue.commit(event("unfit", 1, "m1", "one"))
	if a, _ := pushOnce(t, queue); a.outcome != outcomeParked || a.reason != "the schema refuses the delta: threadId is unfit" {
		t.Error(a.outcome, a.reason)
	}
	if s := queue.sync("unfit"); !s.Parked || s.LastStatus != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRingDisturbsTheOthers(t *testing.T) {
	queue := newMemory()
	queue.commit(under(event("a", 1), thread.Merged, "b"))
	pushOnce(t, queue, gone("PATCH"), ok("POST"))
	queue.commit(under(event("b", 2), thread.Merged, "a"))
	a, s := pushOnce(t, queue, gone("PATCH"), ok("POST"))
	if diff := cmp.Diff([]string{"a"}, a.push.Disturb); diff != "" {
		t.Errorf("disturbed (-want +got):\n%s", diff)
	}
	if body := string(s.sent[1].Body); !strings.Contains(body, `"parentThreadId":null`) {
		t.Errorf("the newest link of a ring was sent: %s", body)
	}
	if s := queue.sync("a"); s.Want == s.Done {
		t.Error("a is not looked at again")
	}
}

func TestAbortedPushDoesNotCountAgainstTheThread(t *testing.T) {
	queue := synced(t, "")
	queue.commit(event("t", 2))
	c, err := queue.Claim(t.Context(), store.ClaimRequest{Limit: 1, Lease: lease, Items: chunk})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopping)
	a := newAttempt(&script{t: t, answers: []answer{fails("PATCH", ctx.Err())}}, anything{}, &c.Work[0])
	a.run(ctx)
	if _, err := queue.Record(t.Context(), []store.Push{a.push}, now()); err != nil {
		t.Fatal(err)
	}
	if s := queue.sync("t"); s.Attempts != 0 || !s.Uncertain || s.LastError != "aborted: cxbridge stops" {
		t.Errorf("%+v", s)
	}
}

func TestAudit(t *testing.T) {
	queue := synced(t, "")
	queue.commit(event("t", 2, "m2", "bad", "m3", "three"))
	pushOnce(t, queue, conflict("PATCH"), tells(4, "m1", "theirs"), fails("PATCH", refusal(crm.ClassPermanent, 400)))
	want := map[string]int{"push acknowledged": 1, "set-aside kept as a dead letter": 1, "conflict merged": 1, "push parked": 1, "park parked": 1}
	if diff := cmp.Diff(want, queue.notes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	mustVerify(t, queue)
}

func TestReasonsAreFitForEveryDatabase(t *testing.T) {
	if got := plain("a\x00b\xff" + strings.Repeat("c", 1000)); strings.Contains(got, "\x00") || !utf8.ValidString(got) || len(got) > maxReason+10 {
		t.Errorf("%q", got)
	}
}
