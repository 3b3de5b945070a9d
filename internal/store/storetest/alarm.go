package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// alarmAt is an alarm that is raised so many seconds after the beginning of the test's world.
func alarmAt(subject string, seconds int) store.Alarm {
	return store.Alarm{
		Name: store.SlowCarrier, Subject: subject, Raised: at(seconds),
		Detail: audit.Detail{"slow": float64(seconds), "share": 0.25, "after": "5m0s"},
	}
}

// over is the alarm, cleared so many seconds after the beginning of the test's world.
func over(a store.Alarm, seconds int) store.Alarm {
	a.Cleared, a.Detail = at(seconds), audit.Detail{"slow": 0.0}
	return a
}

func raise(t failer, s store.Store, a store.Alarm, want bool) {
	t.Helper()
	if raised, err := s.Raise(ctx(), a); err != nil || raised != want {
		t.Fatalf("Raise(%s): %v, %v", a.Subject, raised, err)
	}
}

func clearAlarm(t failer, s store.Store, a store.Alarm, want bool) {
	t.Helper()
	if cleared, err := s.Clear(ctx(), a); err != nil || cleared != want {
		t.Fatalf("Clear(%s): %v, %v", a.Subject, cleared, err)
	}
}

func requireAlarms(t failer, s store.Store, limit int, want ...store.Alarm) {
	t.Helper()
	got, err := s.Alarms(ctx(), limit)
	if err != nil {
		t.Fatalf("Alarms: %v", err)
	}
	requireEqual(t, "alarms", got, want)
}

func testAlarms(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	a, b, c := alarmAt("Größe <&>", 1), alarmAt("B", 2), alarmAt("", 3)
	requireAlarms(t, s, 10)
	clearAlarm(t, s, over(a, 1), false)
	raise(t, s, a, true)
	again := alarmAt(a.Subject, 5)
	raise(t, s, again, false) // and nothing is changed
	requireAlarms(t, s, 10, a)
	raise(t, s, b, true)
	raise(t, s, c, true)
	other := alarmAt("B", 4)
	other.Name, other.Detail = "another", nil
	raise(t, s, other, true)
	requireAlarms(t, s, 10, other, c, b, a)

	// Those that were cleared last come behind those that are raised.
	clearAlarm(t, s, over(c, 6), true)
	clearAlarm(t, s, over(c, 7), false)
	clearAlarm(t, s, over(a, 8), true)
	requireAlarms(t, s, 10, other, b, over(a, 8), over(c, 6))
	requireAlarms(t, s, 3, other, b, over(a, 8))
	again = alarmAt(c.Subject, 9)
	raise(t, s, again, true)
	requireAlarms(t, s, 10, again, other, b, over(a, 8))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Raise(ended, alarmAt("too late", 10))
	requireUnavailable(t, "Raise after the context ended", err)
	_, err = s.Clear(ended, over(b, 10))
	requireUnavailable(t, "Clear after the context ended", err)
	requireAlarms(t, s, 10, again, other, b, over(a, 8))

	requireAuditOf(t, s, c.Name, c.Subject, []audit.Entry{
		{At: at(9), Action: audit.ActionRaise, Outcome: "raised", Detail: `{"after":"5m0s","share":0.25,"slow":9}`, Seq: 3},
		{At: at(6), Action: audit.ActionClear, Outcome: "cleared", Detail: `{"slow":0}`, Seq: 2},
		{At: at(3), Action: audit.ActionRaise, Outcome: "raised", Detail: `{"after":"5m0s","share":0.25,"slow":3}`, Seq: 1},
	})
	requireAuditOf(t, s, other.Name, other.Subject, []audit.Entry{
		{At: at(4), Action: audit.ActionRaise, Outcome: "raised", Detail: `{}`, Seq: 1},
	})
	if n := requireUnbroken(t, s); n != 7 {
		t.Errorf("%d entries in the audit, want 7", n)
	}
}

func requireAuditOf(t failer, s store.Store, name, subject string, want []audit.Entry) {
	t.Helper()
	subject = "alarm:" + name + ":" + subject
	for i := range want {
		want[i].Subject = subject
	}
	requireEqual(t, "audit of "+subject, auditEntries(t, s, subject, 2), want, cmpopts.IgnoreFields(audit.Entry{}, "ID", "Prev", "Hash"))
}

// testAlarmRace raises and clears alarms from many sides at once: each time exactly one of them succeeds,
// and the audit has one entry.
func testAlarmRace(t *testing.T, create func(t *testing.T) Open, replicas int) {
	stores := openReplicas(t, create, replicas)
	const rounds, racers = 10, 6
	for round := range rounds {
		subjects := []string{"A", "B", fmt.Sprintf("new %d", round)}
		requireOneOf(t, racers, subjects, func(i int, subject string) (bool, error) {
			return stores[i%replicas].Raise(ctx(), alarmAt(subject, round))
		})
		if round == rounds-1 {
			break
		}
		requireOneOf(t, racers, subjects, func(i int, subject string) (bool, error) {
			return stores[i%replicas].Clear(ctx(), over(alarmAt(subject, round), round))
		})
	}
	alarms, err := stores[0].Alarms(t.Context(), 100)
	if err != nil || len(alarms) != rounds+2 {
		t.Errorf("%d alarms, want %d: %v", len(alarms), rounds+2, err)
	}
	for i, a := range alarms {
		if isRaised := i < 3; a.Cleared.IsZero() != isRaised {
			t.Errorf("alarm %d: %+v", i, a)
		}
	}
	if n := requireUnbroken(t, stores[0]); n != 3*(2*rounds-1) {
		t.Errorf("%d entries in the audit, want %d", n, 3*(2*rounds-1))
	}
}

// requireOneOf lets racers turn alarms at the same time, and requires that exactly one of them turns each.
func requireOneOf(t *testing.T, racers int, subjects []string, turn func(racer int, subject string) (bool, error)) {
	t.Helper()
	turned := make([]atomic.Int64, len(subjects))
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			for j := range subjects {
				j = (i + j) % len(subjects)
				done, err := turn(i, subjects[j])
				if err != nil {
					t.Errorf("%s: %v", subjects[j], err)
				} else if done {
					turned[j].Add(1)
				}
			}
		})
	}
	group.Wait()
	for j := range subjects {
		if n := turned[j].Load(); n != 1 {
			t.Errorf("%s was turned by %d of %d", subjects[j], n, racers)
		}
	}
}
