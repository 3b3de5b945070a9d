package sim_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// mixed returns what becomes of the messages of a mix, by carrier.
func mixed(t *testing.T, mix sim.Mix, posts int) map[string]*outcome {
	t.Helper()
	traffic := sim.NewTraffic(rand.New(rand.NewPCG(5, 0)))
	traffic.SetMix(mix)
	messages := make(map[string]*sms.Message)
	fold := func(p sim.Post) {
		for _, r := range read(t, p) {
			m := messages[r.MessageID]
			if m == nil {
				m = &sms.Message{ID: r.MessageID}
				messages[r.MessageID] = m
			}
			m.Fold(r)
		}
	}
	for i := range posts {
		fold(traffic.Next(start.Add(time.Duration(i) * 20 * time.Millisecond)))
	}
	for p, more := traffic.Rest(); more; p, more = traffic.Rest() {
		fold(p)
	}
	if traffic.Messages() != len(messages) {
		t.Errorf("%d messages have begun, and %d were told of", traffic.Messages(), len(messages))
	}
	outcomes := make(map[string]*outcome)
	for _, m := range messages {
		o := outcomes[m.Carrier]
		if o == nil {
			o = &outcome{regions: make(map[string]bool)}
			outcomes[m.Carrier] = o
		}
		o.add(t, m)
	}
	return outcomes
}

// outcome is what became of the messages of a carrier.
type outcome struct {
	messages, final, failed, slow int
	regions                       map[string]bool
}

func (o *outcome) add(t *testing.T, m *sms.Message) {
	t.Helper()
	o.messages++
	o.regions[sms.RegionOf(m.Recipient)] = true
	if m.Submitted.IsZero() {
		t.Errorf("message %s does not tell when it was submitted", m.ID)
	}
	if !m.Status.Final() {
		return
	}
	o.final++
	if m.Status != sms.Delivered {
		o.failed++
	}
	if m.StatusAt.Sub(m.Submitted) > 5*time.Minute {
		o.slow++
	}
}

func TestMix(t *testing.T) {
	good, bad := sim.UsualCarrier("VERIZON"), sim.UsualCarrier("Nobody & Sons")
	good.Weight, bad.Weight, bad.Failures, bad.Slow, bad.SlowDelay = 3, 1, 0.3, 0.5, 6*time.Minute
	unused := sim.UsualCarrier("ATT")
	unused.Weight = 0
	outcomes := mixed(t, sim.Mix{Regions: []string{"US", "GB"}, Carriers: []sim.CarrierMix{good, bad, unused}, Timed: true}, 6000)
	delete(outcomes, "") // no receipt names the carrier
	g, b := outcomes["VERIZON"], outcomes["Nobody & Sons"]
	if len(outcomes) != 2 || g == nil || b == nil {
		t.Fatalf("carriers %v", outcomes)
	}
	within := func(what string, part, whole int, least, most float64) {
		t.Helper()
		if share := float64(part) / float64(whole); share < least || share > most {
			t.Errorf("%s: %d of %d, want %v to %v", what, part, whole, least, most)
		}
	}
	within("messages of the bad one", b.messages, g.messages+b.messages, 0.2, 0.3)
	within("its failures", b.failed, b.final, 0.24, 0.36)
	within("its slow messages", b.slow, b.final, 0.44, 0.56)
	within("failures of the good one", g.failed, g.final, 0, 0.05)
	if g.slow > 0 {
		t.Errorf("%d messages of the good one are slow", g.slow)
	}
	for _, o := range outcomes {
		if !o.regions["US"] || !o.regions["GB"] || len(o.regions) != 2 {
			t.Errorf("regions %v", o.regions)
		}
	}
}

// What a Mix changes begins with the next message; one without anything changes nothing.
func TestMixOfNothingIsUsual(t *testing.T) {
	usual, set := sim.NewTraffic(rand.New(rand.NewPCG(9, 0))), sim.NewTraffic(rand.New(rand.NewPCG(9, 0)))
	for i := range 500 {
		set.SetMix(sim.Mix{})
		now := start.Add(time.Duration(i) * 20 * time.Millisecond)
		if a, b := usual.Next(now), set.Next(now); string(a.Body) != string(b.Body) {
			t.Fatalf("post %d is %s, want %s", i, b.Body, a.Body)
		}
	}
}

// The events to be refused are in the body as they are to be kept.
func TestRefusedEvents(t *testing.T) {
	inArrays := 0
	for _, p := range stream(6, 3000) {
		switch {
		case p.Kind == sim.Malformed || p.Kind == sim.Invalid:
			if len(p.Refused) != 1 || string(p.Refused[0]) != string(p.Body) {
				t.Errorf("%q refused of %q", p.Refused, p.Body)
			}
		case p.Invalid > 0:
			inArrays++
			var items []json.RawMessage
			if err := json.Unmarshal(p.Body, &items); err != nil {
				t.Fatal(err)
			}
			if len(p.Refused) != p.Invalid || string(items[len(items)-1]) != string(p.Refused[0]) {
				t.Errorf("%q refused of %s", p.Refused, p.Body)
			}
		case len(p.Refused) > 0:
			t.Errorf("%q refused of %s", p.Refused, p.Body)
		}
	}
	if inArrays == 0 {
		t.Error("no array holds an invalid event")
	}
}
