package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestPlanWake(t *testing.T) {
	note := audit.Note{Action: audit.ActionReplay, Outcome: "woken"}
	for name, row := range map[string]*store.ThreadRow{"none": nil, "placeholder": {Thread: thread.Thread{ID: "p"}}} {
		if plan, err := store.PlanWake(row, nil, nil, note, pushedAt); err != store.ErrNotFound || plan != nil {
			t.Errorf("%s: %+v, %v, want ErrNotFound", name, plan, err)
		}
	}
	for name, test := range map[string]struct{ before, after store.Sync }{
		"synced":   {store.Sync{Want: 3, Done: 3}, store.Sync{Want: 4, Done: 3, Since: pushedAt}},
		"parked":   {store.Sync{Want: 3, Done: 2, Since: now, Attempts: 2, Parked: true, Uncertain: true}, store.Sync{Want: 4, Done: 2, Since: pushedAt, Uncertain: true}},
		"retrying": {store.Sync{Want: 3, Done: 2, Since: now, Attempts: 2, Due: pushedAt}, store.Sync{Want: 4, Done: 2, Since: now}},
		"leased":   {store.Sync{Want: 3, Done: 2, Since: now, LeaseUntil: pushedAt, Epoch: 7}, store.Sync{Want: 4, Done: 2, Since: now, LeaseUntil: pushedAt, Epoch: 7}},
	} {
		row := &store.ThreadRow{Thread: thread.Thread{ID: "t", Own: true}, Sync: test.before}
		plan, err := store.PlanWake(row, nil, nil, note, pushedAt)
		if err != nil || len(plan.Threads.Updates) != 1 || len(plan.Threads.Audit) != 1 || plan.Threads.Audit[0].Subject != "t" {
			t.Fatalf("%s: %+v, %v", name, plan, err)
		}
		if diff := cmp.Diff(test.after, row.Sync); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPlanWakeReplays(t *testing.T) {
	key := func(id string) thread.ItemKey {
		return thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: id}
	}
	aside := []thread.ItemKey{key("a"), key("b"), key("c")}
	letter := func(k store.LetterKey) *store.ReplayedLetter {
		return &store.ReplayedLetter{ID: 7, Kind: k.Kind, Digest: k.Digest()}
	}
	for name, test := range map[string]struct {
		letter    *store.ReplayedLetter
		lastError string
		want      store.WakePlan
	}{
		"no letter":                           {nil, "", store.WakePlan{Retry: aside}},
		"a letter that is gone":               {&store.ReplayedLetter{}, "", store.WakePlan{}},
		"about the thread":                    {letter(store.PushLetter("t")), "no", store.WakePlan{Replayed: 7}},
		"about the thread, which the CRM has": {letter(store.PushLetter("t")), "", store.WakePlan{Solved: 7}},
		"about an item":                       {letter(store.ItemLetter(key("b"))), "", store.WakePlan{Retry: aside[1:2], Replayed: 7}},
		"about what is not set aside":         {letter(store.ItemLetter(key("d"))), "", store.WakePlan{Solved: 7}},
		"about an item of another thread":     {letter(store.ItemLetter(thread.ItemKey{ThreadID: "u", Kind: thread.KindMessage, ID: "b"})), "", store.WakePlan{Solved: 7}},
		"about an item of the other kind":     {letter(store.ItemLetter(thread.ItemKey{ThreadID: "t", Kind: thread.KindParticipant, ID: "b"})), "", store.WakePlan{Solved: 7}},
	} {
		row := &store.ThreadRow{Thread: thread.Thread{ID: "t", Own: true}, Sync: store.Sync{LastError: test.lastError}}
		plan, err := store.PlanWake(row, test.letter, aside, audit.Note{}, pushedAt)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(&test.want, plan, cmpopts.IgnoreFields(store.WakePlan{}, "Threads")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReplayedLetterTellsItsItem(t *testing.T) {
	m := thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: "m"}
	digest := store.ItemLetter(m).Digest()
	for name, test := range map[string]struct {
		threadID, raw string
		isTold        bool
	}{
		"as it was written":   {"t", `{"threadId":"t","kind":"message","item":{"id":"m","text":"x"}}`, true},
		"erased":              {"t", store.ErasedBody, false},
		"of another thread":   {"u", `{"threadId":"t","kind":"message","item":{"id":"m"}}`, false},
		"of the other kind":   {"t", `{"threadId":"t","kind":"participant","item":{"id":"m"}}`, false},
		"with another id":     {"t", `{"threadId":"t","kind":"message","item":{"id":"n"}}`, false},
		"about the thread":    {"t", `{"version":2,"addedMessages":[]}`, false},
		"of a strange form":   {"t", `{"kind":"message","item":[]}`, false},
		"that is not of JSON": {"t", "{", false},
	} {
		letter := store.ReplayedLetter{ID: 7, Kind: store.KindThreadItem, Digest: digest, Raw: []byte(test.raw)}
		key, isTold := letter.Item(test.threadID)
		if isTold != test.isTold || isTold && key != m {
			t.Errorf("%s: %+v, %t", name, key, isTold)
		}
	}
}
