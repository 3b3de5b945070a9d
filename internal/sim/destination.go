package sim

import "math/rand/v2"

// Destination is a phone that an SMS goes to, and how it gets there. Nobody has the number.
type Destination struct {
	Region    string // ISO 3166-1 alpha-2
	Recipient string // E.164
	Carrier   string
	Sender    string // a sender ID that the region allows
}

// Regions returns the regions that messages go to.
func Regions() []string {
	codes := make([]string, len(regions))
	for i, r := range regions {
		codes[i] = r.code
	}
	return codes
}

// DrawDestination draws a destination in one of Regions, or in any of them when it is "". It reports
// whether the region is known.
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

func regionOf(code string) *region {
	for _, r := range regions {
		if r.code == code {
			return r
		}
	}
	return nil
}
