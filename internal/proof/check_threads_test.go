package proof

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// told is traffic all of which was acknowledged, and the service that it went to.
type told struct {
	traffic *Traffic
	service *Service
	journal func(statement string, args ...any)
	events  []threadEvent // that were acknowledged
}

// tell posts orderly events to a service that stores them all. It has pushed none of them yet.
func tell(t *testing.T) *told {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlitedb.Open(filepath.Join(dir, "cxbridge.db"), sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &told{
		traffic: NewTraffic(1, "http://127.0.0.1:1", Load{Social: sim.Social{Threads: 5, Messages: 20, Orderly: true}}),
		service: &Service{Store: SQLite(dir)},
	}
	s.journal = func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	s.journal("CREATE TABLE threads (own, want_rev, done_rev)")
	s.journal("CREATE TABLE thread_events (thread_id, type, version)")
	for range 50 {
		post := s.traffic.Conversations.Next(time.Now())
		if !s.traffic.Promises.Note(post, sim.Answer{Status: http.StatusOK, Events: sim.Events{Accepted: 1}}) {
			t.Fatal("an event is not acknowledged")
		}
		for _, e := range goodEvents(post) {
			s.events = append(s.events, e)
			s.journal("INSERT INTO thread_events VALUES (?, ?, ?)", e.threadID, e.kind, e.version)
		}
	}
	for post, more := s.traffic.Conversations.Rest(); more; post, more = s.traffic.Conversations.Rest() {
		t.Fatalf("%s is left", post.Body) // a stream in order has told everything
	}
	return s
}

// push gives a CRM all conversations, as change has left them.
func (s *told) push(t *testing.T, change func([]sim.Conversation) []sim.Conversation) *sim.CRM {
	t.Helper()
	crm := sim.NewCRM("token")
	for _, c := range change(s.traffic.Conversations.Expected()) {
		delta, err := json.Marshal(map[string]any{
			"threadId": c.ThreadID, "version": c.Version, "updatedAt": c.UpdatedAt, "parentThreadId": c.ParentThreadID,
			"addedMessages": c.Messages, "addedParticipants": c.Participants,
		})
		if err != nil {
			t.Fatal(err)
		}
		request := httptest.NewRequest(http.MethodPost, "/threads", strings.NewReader(string(delta)))
		request.Header.Set("Authorization", "Bearer token")
		request.Header.Set("Idempotency-Key", c.ThreadID)
		answer := httptest.NewRecorder()
		if crm.ServeHTTP(answer, request); answer.Code != http.StatusCreated {
			t.Fatalf("the CRM answers %d %s", answer.Code, answer.Body)
		}
	}
	return crm
}

// What is there as it was acknowledged is right. The check finds each thing that is missing, is there more
// than once, or is different.
func TestCheckThreads(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	whole := func(all []sim.Conversation) []sim.Conversation { return all }
	// withMessages returns two of the conversations, the first with two messages at least.
	withMessages := func(all []sim.Conversation) (first, other *sim.Conversation) {
		for i := range all {
			if len(all[i].Messages) > 1 {
				return &all[i], &all[(i+1)%len(all)]
			}
		}
		t.Fatal("there is no conversation with two messages")
		return nil, nil
	}
	for name, tt := range map[string]struct {
		want    string // in the only line of what is wrong; "" is nothing
		lost    int
		journal func(*told)
		crm     func([]sim.Conversation) []sim.Conversation
	}{
		"all there": {crm: whole},
		"an event is missing in the journal": {want: "was acknowledged and is lost", lost: 1, crm: whole, journal: func(s *told) {
			e := s.events[rng.IntN(len(s.events))]
			s.journal("DELETE FROM thread_events WHERE thread_id = ? AND type = ? AND version = ?", e.threadID, e.kind, e.version)
		}},
		"an event is another one in the journal": {want: "was acknowledged and is lost", lost: 1, crm: whole, journal: func(s *told) {
			e := s.events[rng.IntN(len(s.events))]
			s.journal("UPDATE thread_events SET version = 99 WHERE thread_id = ? AND type = ? AND version = ?", e.threadID, e.kind, e.version)
		}},
		"a thread is missing in the CRM": {want: "is missing", crm: func(all []sim.Conversation) []sim.Conversation { return all[1:] }},
		"a thread is doubled in the CRM": {want: "should not be there", crm: func(all []sim.Conversation) []sim.Conversation {
			again := all[0]
			again.ThreadID += "-again"
			return append(all, again)
		}},
		"a message is missing in the CRM": {want: "lacks message", crm: func(all []sim.Conversation) []sim.Conversation {
			first, _ := withMessages(all)
			first.Messages = first.Messages[1:]
			return all
		}},
		"a message is doubled in the CRM": {want: "and should not", crm: func(all []sim.Conversation) []sim.Conversation {
			first, other := withMessages(all)
			other.Messages = append(other.Messages, first.Messages[0])
			return all
		}},
		"a message is wrong in the CRM": {want: "with another text", crm: func(all []sim.Conversation) []sim.Conversation {
			first, _ := withMessages(all)
			first.Messages[1].Text = "something else"
			return all
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := tell(t)
			if tt.journal != nil {
				tt.journal(s)
			}
			v, err := CheckThreads(t.Context(), s.service, s.traffic, s.push(t, tt.crm))
			switch {
			case err != nil:
				t.Error(err)
			case tt.want == "" && !v.OK():
				t.Errorf("wrong: %q", v.Wrong)
			case tt.want != "" && (len(v.Wrong) != 1 || !strings.Contains(v.Wrong[0], tt.want) || v.Lost != tt.lost):
				t.Errorf("lost %d, wrong: %q, want one line with %q", v.Lost, v.Wrong, tt.want)
			}
		})
	}
}

// A post that was made up and never answered is a fault of the proof, and not of the service.
func TestCheckThreadsOfAnOpenPost(t *testing.T) {
	s := tell(t)
	s.traffic.threads.fresh()
	if _, err := CheckThreads(t.Context(), s.service, s.traffic, sim.NewCRM("token")); err == nil || !strings.Contains(err.Error(), "fault of the proof") {
		t.Errorf("%v", err)
	}
}
