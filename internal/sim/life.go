package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// life is the true story of one message. All receipts of it are made from it.
type life struct {
	id        string // as a receiver must know it
	textID    string // as receipt texts write it: id, or the same number in another base
	region    *region
	carrier   *carrier
	sender    string
	badSender bool
	recipient string
	segments  int
	text      string
	form      form
	submitted time.Time
	held      time.Duration // that it takes longer than usual
	timed     bool          // every receipt names submitted
	steps     []step        // as they happened; every final one after every one that is not
	shown     int           // the latest step that was posted; -1 at first
}

// step is one thing that happened to a message.
type step struct {
	word
	at       time.Time
	timeless bool   // the gateway does not say when
	err      string // the network's error code; empty for none
}

// word is one way to say a status: in JSON, in a receipt text and as message_state.
type word struct {
	status string // canonical
	json   string
	stat   string
	state  int
}

var (
	pending = []word{
		{"PENDING", "PENDING", "ENROUTE", 1}, {"PENDING", "QUEUED", "ACCEPTD", 6}, {"PENDING", "SENT", "ENROUTE", 1},
		{"PENDING", "enroute", "ENROUTE", 1}, {"PENDING", "SUBMITTED", "ACCEPTD", 6}, {"PENDING", "BUFFERED", "BUFFRED", 1},
	}
	unknown   = []word{{"UNKNOWN", "HANDSET_AWAY", "UNKNOWN", 7}, {"UNKNOWN", "UNKNOWN", "UNKNOWN", 7}}
	delivered = []word{{"DELIVERED", "DELIVERED", "DELIVRD", 2}, {"DELIVERED", "delivered", "DELIVRD", 2}, {"DELIVERED", "READ", "DELIVRD", 2}}
	failed    = []word{{"FAILED", "FAILED", "UNDELIV", 5}, {"FAILED", "UNDELIVERED", "UNDELIV", 5}, {"FAILED", "DELETED", "DELETED", 4}}
	rejected  = []word{{"REJECTED", "REJECTED", "REJECTD", 8}, {"REJECTED", "BLOCKED", "REJECTD", 8}}
	expired   = []word{{"EXPIRED", "EXPIRED", "EXPIRED", 3}}
)

// errorCodes are what gateways give as reasons: not always numbers, not always short.
var errorCodes = []string{"404", "001", "012", "21b", "0x1F", "30007"}

const longErrorCode = "carrier-filter/content-rule-0000000000000000000000000000000000000000042"

var texts = []string{
	"Your code is 471100", "Reminder: Tue 10:30", "Parcel id:77 is here", "err: none, all is we", "",
}

// newLife makes up a message that is submitted at now. A slow one was submitted so much earlier that it
// ends at about now.
func newLife(rng *rand.Rand, m *mixture, now time.Time) *life {
	l := &life{
		region: pick(rng, m.regions), timed: m.timed, segments: 1, text: pick(rng, texts), form: pick(rng, forms),
		submitted: now.UTC().Truncate(time.Millisecond), shown: -1,
	}
	l.carrier, l.held = m.carrier(rng, l.region)
	l.submitted = l.submitted.Add(-l.held)
	l.recipient = l.region.number(rng)
	l.sender = pick(rng, l.region.senders)
	if l.badSender = chance(rng, 0.04); l.badSender {
		l.sender = pick(rng, l.region.bad)
	}
	if chance(rng, 0.15) {
		l.segments = 2 + rng.IntN(3)
	}
	l.happen(rng)
	l.name(rng)
	return l
}

// name gives the message its id. The ids of SMPP gateways are numbers, which TLVs like to write in
// hex and texts in decimal with zeros in front.
func (l *life) name(rng *rand.Rand) {
	switch n := rng.Uint64() >> 12; {
	case l.form == smppBoth:
		l.id, l.textID = strconv.FormatUint(n, 16), fmt.Sprintf("%018d", n)
	case l.form.smpp():
		l.id = fmt.Sprintf("%018d", n)
		l.textID = l.id
	default:
		l.id = fmt.Sprintf("SIM-%08x-%04x-4%03x-%04x-%012x",
			rng.Uint32(), rng.Uint32()>>16, rng.Uint32()>>20, 0x8000|rng.Uint32()>>18, n>>4)
		l.textID = l.id
	}
}

// happen makes up the steps.
func (l *life) happen(rng *rand.Rand) {
	at := l.submitted
	for range 1 + rng.IntN(3) {
		l.add(rng, at, pick(rng, pending))
		at = at.Add(time.Duration(50+rng.IntN(400)) * time.Millisecond)
	}
	// Only the first step may lack a time: what has none counts as earlier than what has one.
	l.steps[0].timeless = chance(rng, 0.05)

	at = at.Add(l.held + lognormal(rng, l.carrier.median))
	switch p := rng.Float64(); {
	case p < 0.01: // no word ever comes of it again
	case p < 0.02:
		l.form = enveloped // gives the exact time, which decides here
		l.add(rng, at, pick(rng, unknown))
	case p < 0.03: // given up, and delivered all the same
		l.form = enveloped
		l.add(rng, at, pick(rng, expired))
		l.add(rng, at.Add(3*time.Second), pick(rng, delivered))
	default:
		l.add(rng, at, l.end(rng))
	}
}

func (l *life) end(rng *rand.Rand) word {
	if chance(rng, l.carrier.delivered) {
		return pick(rng, delivered)
	}
	switch p := rng.Float64(); {
	case p < 0.55:
		return pick(rng, failed)
	case p < 0.80:
		return pick(rng, expired)
	}
	return pick(rng, rejected)
}

func (l *life) add(rng *rand.Rand, at time.Time, w word) {
	s := step{word: w, at: at}
	switch w.status {
	case "FAILED", "REJECTED", "EXPIRED":
		s.err = pick(rng, errorCodes)
		if chance(rng, 0.05) {
			s.err = longErrorCode
		}
	}
	l.steps = append(l.steps, s)
}

// lognormal draws a time around the median, with the long tail that deliveries have; whole
// milliseconds, two minutes at most.
func lognormal(rng *rand.Rand, median time.Duration) time.Duration {
	d := time.Duration(float64(median) * math.Exp(0.6*rng.NormFloat64()))
	return min(d, 2*time.Minute).Truncate(time.Millisecond) + time.Millisecond
}
