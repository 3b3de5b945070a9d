package sim_test

import (
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// madeForFilms are the numbers that are valid and that regulators give to nobody.
var madeForFilms = regexp.MustCompile(`^\+(1...55501..|447700900...|4917139200..|336399(80|81|85)...|6149157(01|06)0.)$`)

// Wherever there are phones a destination is in its region, its sender ID is one that the rules allow
// there, and nobody has its number.
func TestDestinations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	judge := &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "ZZ"}
	for _, region := range append(slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions())), "") {
		if region != "" && !sim.Reaches(region) {
			t.Errorf("%s is not reached", region)
		}
		for range 50 {
			d, ok := sim.DrawDestination(rng, region)
			if !ok || region != "" && d.Region != region || d.Carrier == "" {
				t.Fatalf("in %q: %+v, %t", region, d, ok)
			}
			r := &sms.Receipt{SenderID: d.Sender, Recipient: d.Recipient, Region: d.Region, RecipientRegion: sms.RegionOf(d.Recipient)}
			if verdict := judge.Examine(r); verdict.Compliance == sms.Violation || verdict.Region != d.Region {
				t.Errorf("%+v: %+v", d, verdict)
			}
			if r.RecipientRegion == "" {
				t.Errorf("%+v: the number is of no region", d)
			}
			number, err := phonenumbers.Parse(d.Recipient, "ZZ")
			if err == nil && phonenumbers.IsValidNumber(number) && !madeForFilms.MatchString(d.Recipient) {
				t.Errorf("%+v: somebody may have the number", d)
			}
		}
	}
}

// The regions that the rules for sender IDs list have numbers of their own.
func TestDestinationsOfRules(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	for _, rules := range sms.DefaultRules().Regions() {
		d, _ := sim.DrawDestination(rng, rules.Region)
		// What is free for British films is of Jersey and Guernsey by its beginning.
		if got := sms.RegionOf(d.Recipient); got != rules.Region && rules.Region != "GB" {
			t.Errorf("%+v: the number is of %q", d, got)
		}
	}
}

func TestUnknownDestinations(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	for _, region := range []string{"ZZ", "UK", "us", "001", "XX", "USA"} {
		if d, ok := sim.DrawDestination(rng, region); ok || sim.Reaches(region) {
			t.Errorf("in %s: %+v", region, d)
		}
	}
}
