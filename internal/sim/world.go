package sim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// carrier is a mobile network, or a reseller of several. The names are those that people know;
// quality, speed and price are made up.
type carrier struct {
	name      string
	delivered float64       // share of its messages that arrive
	median    time.Duration // from submit to delivery
	price     int           // for one segment, in ten-thousandths of the currency
	currency  string
}

var (
	tmobile   = &carrier{"TMOBILE", 0.97, 2 * time.Second, 79, "USD"}
	verizon   = &carrier{"VERIZON", 0.98, 2 * time.Second, 83, "USD"}
	att       = &carrier{"ATT", 0.95, 3 * time.Second, 81, "USD"}
	vodafone  = &carrier{"VODAFONE", 0.96, 2 * time.Second, 420, "EUR"}
	o2        = &carrier{"O2", 0.94, 3 * time.Second, 390, "EUR"}
	orange    = &carrier{"ORANGE", 0.95, 3 * time.Second, 450, "EUR"}
	airtel    = &carrier{"AIRTEL", 0.91, 4 * time.Second, 23, "USD"}
	vivo      = &carrier{"VIVO", 0.90, 4 * time.Second, 160, "USD"}
	telstra   = &carrier{"TELSTRA", 0.97, 2 * time.Second, 350, "USD"}
	greyroute = &carrier{"GREYROUTE", 0.62, 8 * time.Second, 50, "USD"} // the one to drop
)

// region is a country that messages go to.
type region struct {
	code     string // ISO 3166-1 alpha-2
	named    bool   // payloads always name it, because its numbers do not show it
	carriers []*carrier
	number   func(*rand.Rand) string // a recipient that belongs to nobody
	senders  []string                // sender IDs that its rules allow
	bad      []string                // sender IDs that they do not
}

// The numbers are those that regulators reserve for films, where there are any. India and Brazil
// reserve none, so theirs begin with zeros, as no real one does.
var regions = []*region{
	{
		code: "US", carriers: []*carrier{tmobile, verizon, att, greyroute},
		number: numbers("+1%s55501%02d", 100, "202", "212", "312", "415", "617"),
		// No alphanumeric sender ID reaches a phone in the US.
		senders: []string{"+12025550123", "+18885550119", "72727"}, bad: []string{"ACMEDEALS", "SUPERBARGAINS24"},
	},
	{
		code: "GB", named: true, carriers: []*carrier{vodafone, o2, greyroute},
		number:  numbers("+447700900%s%02d", 100, "0", "1", "4", "9"), // Ofcom
		senders: []string{"ACMECARE", "AcmeBank"}, bad: []string{"SUPERBARGAINS24"},
	},
	{
		code: "DE", carriers: []*carrier{vodafone, o2, greyroute},
		number:  numbers("+49171%s%02d", 100, "39200"), // Bundesnetzagentur
		senders: []string{"AcmeCare", "ACMEBANK"}, bad: []string{"SUPERBARGAINS24"},
	},
	{
		code: "FR", carriers: []*carrier{orange, greyroute},
		number:  numbers("+336399%s%03d", 1000, "80", "81", "85"), // ARCEP
		senders: []string{"AcmeCare", "ACMEBANK"}, bad: []string{"SUPERBARGAINS24"},
	},
	{
		code: "IN", carriers: []*carrier{airtel, vodafone, greyroute},
		number:  numbers("+91000%s%04d", 10000, "000", "001"),
		senders: []string{"ACMECR", "ACMEBK"}, bad: []string{"SUPERBARGAINS24"},
	},
	{
		code: "AU", carriers: []*carrier{telstra, vodafone},
		number:  numbers("+6149157%s%02d", 10, "01", "06"), // ACMA
		senders: []string{"AcmeCare", "ACMEBANK"}, bad: []string{"SUPERBARGAINS24"},
	},
	{
		code: "BR", carriers: []*carrier{vivo, greyroute},
		number:  numbers("+5500900%s%03d", 1000, "00", "01"),
		senders: []string{"27555", "28111"}, bad: []string{"SUPERBARGAINS24"},
	},
}

// numbers draws from the numbers that the format makes of a prefix and a count below n.
func numbers(format string, n int, prefixes ...string) func(*rand.Rand) string {
	return func(rng *rand.Rand) string { return fmt.Sprintf(format, pick(rng, prefixes), rng.IntN(n)) }
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// chance is true in the given share of cases.
func chance(rng *rand.Rand, share float64) bool { return rng.Float64() < share }
