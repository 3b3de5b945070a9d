package sim_test

import (
	"math/rand/v2"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// A destination is in its region, and its sender ID is one that the rules allow there.
func TestDestinations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	judge := &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "ZZ"}
	for _, region := range append(sim.Regions(), "") {
		for range 50 {
			d, ok := sim.DrawDestination(rng, region)
			if !ok || region != "" && d.Region != region || d.Carrier == "" {
				t.Fatalf("in %q: %+v, %t", region, d, ok)
			}
			r := &sms.Receipt{SenderID: d.Sender, Recipient: d.Recipient, Region: d.Region, RecipientRegion: sms.RegionOf(d.Recipient)}
			if verdict := judge.Examine(r); verdict.Compliance == sms.Violation || verdict.Region != d.Region {
				t.Errorf("%+v: %+v", d, verdict)
			}
		}
	}
	if d, ok := sim.DrawDestination(rng, "ZZ"); ok {
		t.Errorf("in ZZ: %+v", d)
	}
}
