package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/nyaruka/phonenumbers"
)

// Destination is a phone that an SMS goes to, and how it gets there. The number belongs to nobody.
type Destination struct {
	Region    string // ISO 3166-1 alpha-2
	Recipient string // E.164
	Carrier   string
	Sender    string // a sender ID that the region allows
}

// Regions returns the regions that messages go to where nobody asks for another.
func Regions() []string {
	codes := make([]string, len(regions))
	for i, r := range regions {
		codes[i] = r.code
	}
	return codes
}

// Reaches reports whether a region, as ISO 3166-1 alpha-2 in capitals, has phones that DrawDestination
// can draw.
func Reaches(code string) bool { return regionOf(code) != nil }

// DrawDestination draws a destination in a region that Reaches knows, or in one of Regions when it is
// "". It reports whether the region is known.
func DrawDestination(rng *rand.Rand, code string) (Destination, bool) {
	at := pick(rng, regions)
	if code != "" && code != at.code {
		if at = regionOf(code); at == nil {
			return Destination{}, false
		}
	}
	return Destination{
		Region: at.code, Recipient: at.number(rng), Carrier: pick(rng, at.carriers).name, Sender: pick(rng, at.senders),
	}, true
}

// worldwide are the carriers of regions that have none of their own here.
var worldwide = []*carrier{vodafone, orange, greyroute}

// elsewhere are regions that messages go to on demand, and whose numbers or sender IDs are particular.
var elsewhere = []*region{
	{
		code: "CA", carriers: worldwide, number: numbers("+1%s55501%02d", 100, "204", "416", "604"),
		senders: []string{"+14165550123", "72727"},
	},
	{
		code: "PR", carriers: worldwide, number: numbers("+1%s55501%02d", 100, "787", "939"),
		senders: []string{"+18885550119"},
	},
	{code: "NZ", carriers: worldwide, number: nobodys(64), senders: []string{"2727"}},
	{code: "ZA", carriers: worldwide, number: nobodys(27), senders: []string{"31234"}},
}

// regionOf returns a region by its code, or nil where no phone has a number.
func regionOf(code string) *region {
	for _, r := range slices.Concat(regions, elsewhere) {
		if r.code == code {
			return r
		}
	}
	calling := phonenumbers.GetCountryCodeForRegion(code)
	if calling == 0 {
		return nil
	}
	return &region{code: code, carriers: worldwide, number: nobodys(calling), senders: []string{"AcmeCare", "ACMEBANK"}}
}

// nobodys draws from the numbers under a calling code that begin with five zeros, as no real one does.
func nobodys(calling int) func(*rand.Rand) string {
	return func(rng *rand.Rand) string { return fmt.Sprintf("+%d00000%05d", calling, rng.IntN(100_000)) }
}
