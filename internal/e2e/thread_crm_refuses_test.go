package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// A thread that the CRM refuses waits for an operator while the others go on. A new event of it wakes
// it, and so does a replay.
func TestCRMRefusesOneThread(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM))
		p.wantAnswer(t, synced, event(updated, "poison", 1), "Prefer", "wait=30")
		var strict atomic.Bool
		strict.Store(true)
		crm.SetFaults(func(r *http.Request) sim.CRMFault {
			if strict.Load() && r.URL.Path == "/threads/poison" {
				return sim.CRMFault{Status: http.StatusUnprocessableEntity, Body: `{"message":"not today"}`}
			}
			return sim.CRMFault{}
		})
		one, two, three := line("m-1", "One", 1), line("m-2", "Two", 2), line("m-3", "Three", 3)
		p.wantAnswer(t, accepted, event(updated, "poison", 2, saying(one)), "Prefer", "wait=1")
		letter := p.wantParked(t, "poison", http.StatusUnprocessableEntity)
		p.wantAnswer(t, synced, event(updated, "healthy", 1, saying(one)), "Prefer", "wait=30")

		before := len(p.audit(t, "poison", "park"))
		p.wantAnswer(t, accepted, event(updated, "poison", 3, saying(two)))
		eventually(t, "the new event woke the thread", func() bool { return len(p.audit(t, "poison", "park")) > before })
		if again := p.wantParked(t, "poison", http.StatusUnprocessableEntity); again.ID == letter.ID {
			t.Error("the dead letter is still that of the older push")
		}

		strict.Store(false)
		p.replay(t, p.deadLetters(t)[0])
		p.awaitSynced(t)
		strict.Store(true)
		p.wantAnswer(t, accepted, event(updated, "poison", 4))
		p.wantParked(t, "poison", http.StatusUnprocessableEntity)
		strict.Store(false)
		p.wantAnswer(t, synced, event(updated, "poison", 5, saying(three)), "Prefer", "wait=30")
		wantEqual(t, crm, []sim.Conversation{
			conversation("healthy", 1, "", one), conversation("poison", 5, "", one, two, three),
		})
		if left := p.deadLetters(t); len(left) != 0 {
			t.Errorf("dead letters left: %+v", left)
		}
		wantAuditVerified(t, s.settings)
	})
}

// wantParked waits until a thread waits for an operator, and returns its dead letter.
func (p *process) wantParked(t testing.TB, id string, status int) deadLetter {
	t.Helper()
	p.awaitState(t, id, "parked")
	if a := p.thread(t, id); a.Sync.LastStatus != status || a.Sync.LastError == "" {
		t.Errorf("thread %s is %+v, want the status %d", id, a.Sync, status)
	}
	letters := p.deadLetters(t)
	if len(letters) != 1 || letters[0].Subject != id || letters[0].Reason == "" || !strings.Contains(letters[0].Raw, id) {
		t.Fatalf("dead letters %+v, want one of thread %s", letters, id)
	}
	return letters[0]
}

// If the CRM refuses the token, threads are parked. A start with the right one wakes them.
func TestCRMRefusesTheToken(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		hello := line("m-1", "Hello", 1)
		p := serve(t, s.settings.with(withCRM).with(settings{"CRM_API_TOKEN": "another-0e9f8a7b"}))
		p.wantAnswer(t, accepted, event(updated, "t-1", 1, saying(hello)))
		p.wantParked(t, "t-1", http.StatusUnauthorized)
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		p = serve(t, s.settings.with(withCRM))
		eventually(t, "the thread is synced", func() bool { return p.thread(t, "t-1").Sync.State == "synced" })
		wantEqual(t, crm, []sim.Conversation{conversation("t-1", 1, "", hello)})
		if left := p.deadLetters(t); len(left) != 0 {
			t.Errorf("dead letters left: %+v", left)
		}
	})
}

// A message that is too long is set aside, and its thread goes on. A good version of it solves that.
func TestMessageIsTooLong(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM))
		short := line("m-1", "Hello", 1)
		long := line("m-2", strings.Repeat("é", 5001), 2)
		longest := line("m-3", strings.Repeat("é", 5000), 3)
		p.wantAnswer(t, accepted, event(updated, "t-1", 1, saying(short, long, longest)), "Prefer", "wait=30")
		p.awaitSynced(t)
		wantEqual(t, crm, []sim.Conversation{conversation("t-1", 1, "", short, longest)})
		letters := p.deadLetters(t)
		if len(letters) != 1 || letters[0].Subject != "t-1" || !strings.Contains(letters[0].Reason, `"m-2"`) || strings.Contains(letters[0].Reason, "é") {
			t.Fatalf("dead letters %+v", letters)
		}
		if a := p.thread(t, "t-1"); len(a.Messages) != 3 || a.Messages[1].Delivery != "set-aside" {
			t.Errorf("thread %+v", a)
		}

		// A replay changes nothing as long as it is too long.
		p.replay(t, letters[0])
		eventually(t, "it is set aside again", func() bool {
			now := p.deadLetters(t)
			return len(now) == 1 && now[0].ID == letters[0].ID && now[0].Replays == 1
		})
		// Events that do not name it are not delayed, and the answer to those that do is not SYNCED.
		p.wantAnswer(t, synced, event(updated, "t-1", 2, saying(short)), "Prefer", "wait=30")
		p.wantAnswer(t, accepted, event(updated, "t-1", 3, saying(short, long)), "Prefer", "wait=30")
		p.awaitSynced(t)
		long.Text = "Shorter"
		p.wantAnswer(t, synced, event(updated, "t-1", 4, saying(long)), "Prefer", "wait=30")
		wantEqual(t, crm, []sim.Conversation{conversation("t-1", 4, "", short, long, longest)})
		if left := p.deadLetters(t); len(left) != 0 {
			t.Errorf("dead letters left: %+v", left)
		}
		if n := len(p.audit(t, "t-1", "set-aside")); n != 2 {
			t.Errorf("%d entries in the audit, want 2", n)
		}
		wantAuditVerified(t, s.settings)
	})
}

// A replay tries again what it is about and nothing else. What is refused again has the dead letter that it
// had.
func TestReplayOfOneOfSeveral(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM))
		long := strings.Repeat("é", 5001)
		p.wantAnswer(t, accepted, event(updated, "t-1", 1, saying(line("m-1", long, 1), line("m-2", long, 2))), "Prefer", "wait=30")
		p.awaitSynced(t)
		crm.SetFaults(func(r *http.Request) sim.CRMFault {
			return sim.CRMFault{Status: http.StatusUnprocessableEntity, Body: `{"message":"not today"}`}
		})
		p.wantAnswer(t, accepted, event(updated, "t-1", 2, saying(line("m-3", "Hello", 3))))
		p.awaitState(t, "t-1", "parked")
		want := p.deadLetters(t)
		if len(want) != 3 {
			t.Fatalf("dead letters %+v", want)
		}
		for i := range want {
			p.replay(t, want[i])
			want[i].Replays++
			eventually(t, "it is refused again", func() bool { return slices.Equal(p.deadLetters(t), want) })
			p.awaitState(t, "t-1", "parked")
		}
	})
}

// An operator's own schema decides on what goes to the CRM.
func TestSchemaOfTheOperator(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	crm, withCRM := newCRM(t)
	file := filepath.Join(t.TempDir(), "schema.json")
	write := func(schema string) {
		if err := os.WriteFile(file, []byte(schema), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	withSchema := s.settings.with(withCRM).with(settings{"CRM_SCHEMA": file})
	write(`{"type":`)
	p := start(t, withSchema)
	p.await(t)
	if code, log := p.code(), p.log.String(); code != 2 || !strings.Contains(log, "CRM_SCHEMA") {
		t.Errorf("exit code %d: %s", code, log)
	}
	write(`{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"addedMessages":
		{"items":{"properties":{"text":{"maxLength":10}}}}}}`)
	p = serve(t, withSchema)
	short, long := line("m-1", "Hello", 1), line("m-2", "Goodbye, my dear", 2)
	p.wantAnswer(t, accepted, event(updated, "t-1", 1, saying(short, long)), "Prefer", "wait=30")
	p.awaitSynced(t)
	wantEqual(t, crm, []sim.Conversation{conversation("t-1", 1, "", short)})
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	// With another schema, a replay is enough.
	p = serve(t, s.settings.with(withCRM))
	letters := p.deadLetters(t)
	if len(letters) != 1 {
		t.Fatalf("dead letters %+v", letters)
	}
	p.replay(t, letters[0])
	p.awaitSynced(t)
	wantEqual(t, crm, []sim.Conversation{conversation("t-1", 1, "", short, long)})
	if left := p.deadLetters(t); len(left) != 0 {
		t.Errorf("dead letters left: %+v", left)
	}
}
