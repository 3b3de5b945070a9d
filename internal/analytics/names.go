package analytics

import (
	"cmp"
	"slices"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// OtherCarriers stands for the carriers that are too many to be counted by their names, as when a gateway
// writes the id of each message where the carrier belongs. A carrier that is really named so is counted
// along with them.
const OtherCarriers = "OTHER"

// MaxNames bounds what a rollup or an answer counts by the name of a carrier: so many keys of messages, each
// a carrier, region and currency, and as many of final receipts. It is far above what the carriers of the
// whole world need, and what it bounds takes some megabytes of memory at most.
const MaxNames = 2000

// isNobody reports whether what stands for a carrier names none.
func isNobody(carrier string) bool { return carrier == sms.UnknownCarrier || carrier == OtherCarriers }

// fold keeps the names of the carriers of most keys, those with the most messages, and counts the others as
// OtherCarriers in the region and currency that they have: so no sum over carriers changes. Beside the names
// there is then one key for each region and currency. All keys are of one bucket.
//
// A later change of a message that was folded comes under its name, where it may be alone: a change of no
// message. Such a key is folded, too, once anything was: it follows its message.
func (d *Delta) fold(most int) {
	for _, final := range [...]bool{false, true} {
		for _, e := range d.surplus(final, most) {
			delete(d.counts, e.key)
			e.key.Carrier = OtherCarriers
			d.at(&e.key).merge(&e.Counts)
		}
	}
}

// surplus returns what loses its name, of messages or of final receipts. It forgets what is empty.
func (d *Delta) surplus(final bool, most int) []*entry {
	names := make([]*entry, 0, len(d.counts))
	isFolded := false // something is already
	for key, e := range d.counts {
		switch {
		case key.Final != final:
		case e.empty():
			delete(d.counts, key)
		case key.Carrier == OtherCarriers:
			isFolded = true
		default:
			names = append(names, e)
		}
	}
	if len(names) <= most && !isFolded {
		return nil
	}
	slices.SortFunc(names, compareNames)
	kept := min(most, len(names))
	for kept > 0 && names[kept-1].messages() <= 0 {
		kept--
	}
	return names[kept:]
}

// compareNames puts first what has more messages. Of equal ones it is the shorter name: carriers have short
// names, and ids are long.
func compareNames(a, b *entry) int {
	if order := cmp.Compare(b.messages(), a.messages()); order != 0 {
		return order
	}
	if order := cmp.Compare(len(a.key.Carrier), len(b.key.Carrier)); order != 0 {
		return order
	}
	return compareKeys(&a.key, &b.key)
}
