package main

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// The short form of `make chaos`: whatever happens to replicas, the network and the CRM, nothing that was
// acknowledged is lost, and nothing newer is overwritten in the CRM.
func TestChaos(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"chaos", "-short", "-cxbridge", program}, &out)
	t.Logf("\n%s", &out)
	if err != nil {
		t.Fatal(err)
	}
}

// A run in which nothing happened proves nothing.
func TestUnproven(t *testing.T) {
	enough, leased := proof.Histories{Threads: 1, Writes: 1}, proof.Pushers{Leases: 1}
	held := map[string]map[string]int{paused: {"a replica": 2}, paused + withPushes: {"a replica": 1}}
	never := map[string]map[string]int{paused: {"a replica": 2}}
	for name, tt := range map[string]struct {
		lines     int
		settings  chaosSettings
		done      map[string]map[string]int
		histories proof.Histories
		pushers   proof.Pushers
	}{
		"all there":                {0, chaosSettings{}, held, enough, leased},
		"no thread":                {1, chaosSettings{short: true}, held, proof.Histories{Writes: 1}, leased},
		"no write":                 {1, chaosSettings{short: true}, held, proof.Histories{Threads: 1}, leased},
		"no lease":                 {1, chaosSettings{short: true}, held, enough, proof.Pushers{}},
		"no pushes held":           {1, chaosSettings{}, never, enough, leased},
		"no pushes held, in short": {0, chaosSettings{short: true}, never, enough, leased},
		"no pause wanted":          {0, chaosSettings{only: selection{"killed"}}, nil, enough, leased},
		"nothing at all":           {2, chaosSettings{}, nil, proof.Histories{}, proof.Pushers{}},
	} {
		a := &arena{settings: &tt.settings, done: tt.done}
		if lines := a.unproven(tt.histories, tt.pushers); len(lines) != tt.lines {
			t.Errorf("%s: %q", name, lines)
		}
	}
}

// A seed draws the same rounds again; the short form has each kind of fault once, and the long form each
// one on each link before any comes again.
func TestSchedule(t *testing.T) {
	newSchedule := func(short bool) *schedule {
		return &schedule{settings: &chaosSettings{short: short}, rng: rand.New(rand.NewPCG(5, 5))}
	}
	kinds := make(map[string]int)
	for _, lane := range newSchedule(true).round(time.Minute) {
		for _, f := range lane {
			kinds[f.name]++
		}
	}
	for _, kind := range faultKinds {
		if kinds[kind.name] != 1 {
			t.Errorf("%q comes %d times in the short form", kind.name, kinds[kind.name])
		}
	}
	first, second := newSchedule(false), newSchedule(false)
	places, drawn := make(map[string]int), 0
	for range 6 {
		r := first.round(45 * time.Second)
		if again := second.round(45 * time.Second); again.String() != r.String() {
			t.Fatalf("one seed draws\n%s\nand\n%s", r, again)
		}
		for _, lane := range r[:replicaCount] {
			for _, f := range lane {
				places[f.name+f.where()]++
				drawn++
			}
		}
	}
	const all = 3 + 7*3 // what strikes a replica, and what strikes each of its links
	for place, times := range places {
		if times < drawn/all || times > drawn/all+1 {
			t.Errorf("%s comes %d times of %d", place, times, drawn)
		}
	}
}
