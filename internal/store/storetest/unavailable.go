package storetest

import (
	"context"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// testUnavailable requires that every method says so when the database is not there for it: when
// the context has ended, before there is a schema, and after the store was closed. A store that
// releases no leases needs no database for that, nor does one whose clock is that of the machine; Traces and
// Describe need no schema.
func testUnavailable(t *testing.T, create func(t *testing.T) Open) {
	t.Run("EveryMethod", testEveryMethodIsTried)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	requireUnavailable := func(t *testing.T, ctx context.Context, s store.Store, but ...string) {
		t.Helper()
		methods := threadMethods(ctx, s)
		maps.Copy(methods, otherMethods(ctx, s))
		maps.DeleteFunc(methods, func(name string, _ func() error) bool { return slices.Contains(but, name) })
		for name, do := range methods {
			if err := do(); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrRefused) {
				t.Errorf("%s: %v, want ErrUnavailable", name, err)
			}
		}
	}
	t.Run("EndedContext", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1))
		requireUnavailable(t, ended, s)
		requireEqual(t, "row", readThread(t, s, "t").Sync, store.Sync{Want: 1, Since: at(3600)})
	})
	t.Run("NoSchema", func(t *testing.T) { requireUnavailable(t, t.Context(), openStore(t, create(t)), "Traces", "Describe") })
	t.Run("Closed", func(t *testing.T) {
		s, err := create(t)()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Migrate(t.Context()), s.Close()); err != nil {
			t.Fatal(err)
		}
		requireUnavailable(t, t.Context(), s)
	})
}

// testEveryMethodIsTried requires that no method of the contract is forgotten here.
func testEveryMethodIsTried(t *testing.T) {
	tried := threadMethods(t.Context(), nil)
	maps.Copy(tried, otherMethods(t.Context(), nil))
	for i := range reflect.TypeFor[store.Store]().NumMethod() {
		name := reflect.TypeFor[store.Store]().Method(i).Name
		if tried[name] == nil && !slices.Contains([]string{"Migrate", "Ping", "Close", "ReleaseLeases", "Now"}, name) {
			t.Errorf("%s is not tried", name)
		}
	}
}

func threadMethods(ctx context.Context, s store.Store) map[string]func() error {
	c := store.Claim{ThreadID: "t", Epoch: 1}
	return map[string]func() error{
		"Commit": func() error {
			_, err := s.Commit(ctx, batchOf(events(updated("new", 1, message("m", 1)))))
			return err
		},
		"Claim":      func() error { _, err := s.Claim(ctx, request(1, time.Hour)); return err },
		"Extend":     func() error { _, err := s.Extend(ctx, []store.Claim{c}, time.Hour); return err },
		"Record":     func() error { _, err := s.Record(ctx, []store.Push{{Claim: c}}, at(1)); return err },
		"Pause":      func() error { return s.Pause(ctx, store.MaxWait) },
		"Wake":       func() error { return s.Wake(ctx, "t", 0, replayNote, at(1)) },
		"WakeParked": func() error { _, err := s.WakeParked(ctx, []int{422}, at(1)); return err },
		"DoneRev":    func() error { _, _, err := s.DoneRev(ctx, "t"); return err },
		"Threads":    func() error { _, err := s.Threads(ctx, store.ThreadQuery{Limit: 1}); return err },
		"Thread":     func() error { _, err := s.Thread(ctx, "t"); return err },
		"Items": func() error {
			_, err := s.Items(ctx, "t", thread.KindMessage, store.ItemPosition{}, 1)
			return err
		},
		"Links":        func() error { _, err := s.Links(ctx, "t"); return err },
		"Timeline":     func() error { _, err := s.Timeline(ctx, []string{"t"}, store.ItemPosition{}, 1); return err },
		"Audit":        func() error { return s.Audit(ctx, audit.Note{Subject: "x"}, at(1)) },
		"AuditEntries": func() error { _, err := s.AuditEntries(ctx, "", 0, 1); return err },
		"AuditChains":  func() error { _, err := s.AuditChains(ctx, "", 0, 1); return err },
		"AuditHeads":   func() error { _, err := s.AuditHeads(ctx, "", 1); return err },
	}
}

func otherMethods(ctx context.Context, s store.Store) map[string]func() error {
	someone := store.Person{Recipient: number}
	return map[string]func() error{
		"Message":          func() error { _, _, err := s.Message(ctx, "m"); return err },
		"Tally":            func() error { _, err := s.Tally(ctx); return err },
		"DeadLetters":      func() error { _, err := s.DeadLetters(ctx, 0, 1); return err },
		"DeadLetter":       func() error { _, err := s.DeadLetter(ctx, 1); return err },
		"FailReplay":       func() error { return s.FailReplay(ctx, 1, "bad") },
		"DeleteDeadLetter": func() error { return s.DeleteDeadLetter(ctx, 1) },
		"Counts": func() error {
			return s.Counts(ctx, []analytics.Range{{To: math.MaxInt64}}, func([]byte) error { return nil })
		},
		"Compact":          func() error { _, err := s.Compact(ctx, at(1), 1); return err },
		"Prune":            func() error { _, err := s.Prune(ctx, at(1), 1); return err },
		"MessagesTo":       func() error { _, err := s.MessagesTo(ctx, number, store.ItemPosition{}, 1); return err },
		"RecentMessages":   func() error { _, err := s.RecentMessages(ctx, store.ItemPosition{}, 1); return err },
		"FindDeadLetters":  func() error { _, err := s.FindDeadLetters(ctx, store.LetterFilter{}, 0, 1); return err },
		"CountDeadLetters": func() error { _, err := s.CountDeadLetters(ctx, store.LetterFilter{}, 1); return err },
		"Events":           func() error { _, err := s.Events(ctx, "t", 1, 1); return err },
		"Backlog":          func() error { _, err := s.Backlog(ctx, 1); return err },
		"Describe":         func() error { _, err := s.Describe(ctx); return err },
		"Beat":             func() error { return s.Beat(ctx, store.Replica{ID: "a", Started: at(1), Seen: at(1)}) },
		"Replicas":         func() error { _, err := s.Replicas(ctx); return err },
		"Raise":            func() error { _, err := s.Raise(ctx, alarmAt("a", 1)); return err },
		"Clear":            func() error { _, err := s.Clear(ctx, over(alarmAt("a", 1), 2)); return err },
		"Alarms":           func() error { _, err := s.Alarms(ctx, 1); return err },
		"Expire":           func() error { _, err := s.Expire(ctx, store.ExpireMessages, at(1), "", 1); return err },
		"Erase":            func() error { _, err := s.Erase(ctx, someone, "", 1); return err },
		"Traces":           func() error { _, err := s.Traces(ctx, someone); return err },
	}
}
