package sms

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/refusal"
)

// Zones holds the time zone of each carrier's dates and times that name none, as those of receipt texts.
// The key is the carrier, in capitals; "" is every other carrier. A carrier without an entry writes in
// UTC.
type Zones map[string]*time.Location

// For returns the zone of a carrier.
func (z Zones) For(carrier string) *time.Location {
	if loc := z[carrier]; loc != nil {
		return loc
	}
	if loc := z[""]; loc != nil {
		return loc
	}
	return time.UTC
}

// Decode reads one receipt: a JSON object, either an envelope {"eventType", "payload": {…}} or the
// bare payload. The receipt has its canonical fields; Received, Raw and RecipientRegion are the
// caller's to set.
//
// The error is a *refusal.MalformedError when raw is not JSON or is nested deeper than 64 levels,
// and a *refusal.InvalidError, with every problem, when it is JSON but not a receipt. With a
// *refusal.InvalidError the receipt is not nil if its MessageID, and perhaps only that, could be read.
//
// What is refused and what is forgiven: a receipt needs an id and a status, and the fields that are
// text must hold text or a number of at most 256 bytes. Region, segments, times, cost and currency
// are left unset where they cannot be read, because the state of the message does not depend on them.
func Decode(raw []byte, zones Zones) (*Receipt, error) {
	rd := readers.Get().(*reader)
	defer rd.release()
	if err := rd.read(raw); err != nil {
		return nil, err
	}
	it := &rd.item
	r := it.receipt(zones)
	if len(it.problems) == 0 {
		return r, nil
	}
	err := &refusal.InvalidError{Problems: it.problems}
	if r.MessageID == "" {
		return nil, err
	}
	return r, err
}

// receipt builds the receipt from the members of the item and notes the problems it meets. JSON
// fields go before TLVs, and TLVs before the receipt text.
func (it *item) receipt(zones Zones) *Receipt {
	r := &Receipt{
		MessageID: it.id(messageID),
		RawStatus: it.word(status),
		Carrier:   it.word(carrier),
		ErrorCode: it.word(errorCode),
		SenderID:  it.word(sender),
		Recipient: it.word(recipient),
		Segments:  partCount(it.lenient(segments)),
		Cost:      decimal(it.lenient(cost)),
		Currency:  currencyCode(it.lenient(currency)),
	}
	zone := zones.For(strings.ToUpper(r.Carrier))
	r.At, r.Submitted = it.time(eventTime, zone), it.time(submittedAt, zone)
	if r.Currency == "" && strings.TrimSpace(it.lenient(currency)) != "" {
		r.Cost = "" // an amount in an unknown currency is no cost
	}
	r.Region, _ = ParseRegion(it.lenient(region))
	if strings.EqualFold(r.Carrier, UnknownCarrier) {
		r.Carrier = "" // saying that it is not known does not name it
	}
	it.checkNesting()
	inJSON := r.RawStatus != ""
	if it.wrapped {
		it.unwrap(r, zone)
	}
	if r.MessageID == "" {
		it.problem(it.base+"/messageId", "is required")
	}
	if r.RawStatus == "" {
		it.problem(it.base+"/status", "is required, unless SMPP fields tell the state")
	}
	r.Status = StatusOf(r.RawStatus)
	if !inJSON && it.isIntermediate() { // a status in JSON goes before all that SMPP fields say of it
		r.Status = underWay(r.Status)
	}
	return r
}

// checkNesting notes a problem with a member that should hold others and does not.
func (it *item) checkNesting() {
	for _, f := range [...]field{payloadObject, smppObject} {
		v := it.find(f)
		if v.json == "" || v.json[0] == '{' || f == payloadObject && it.base != "" {
			continue
		}
		it.reject(v, "must be an object")
	}
}

// currencyCode returns an ISO 4217 code in capitals, or "" for what does not look like one.
func currencyCode(text string) string {
	code := strings.ToUpper(strings.TrimSpace(text))
	if len(code) == 3 && capitals(code) {
		return code
	}
	return ""
}

func capitals(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// partCount returns the number of parts of a message, or 0 for what cannot be one. The header of a
// concatenated message counts its parts in one octet.
func partCount(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 || n > 255 {
		return 0
	}
	return n
}

// maxDecimal bounds a decimal number: its characters, and the size of its exponent.
const maxDecimal = 40

// decimal returns a number that is not negative in plain notation, its digits as given: "1.50"
// stays, and "1e-3" becomes "0.001". Anything else gives "".
func decimal(text string) string {
	if text == "" {
		return ""
	}
	mantissa, exponent := strings.TrimSpace(text), 0
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		n, err := strconv.Atoi(mantissa[i+1:])
		if err != nil || n < -maxDecimal || n > maxDecimal {
			return ""
		}
		mantissa, exponent = mantissa[:i], n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || len(mantissa) > maxDecimal || !digits(whole+fraction) {
		return ""
	}
	if exponent >= 0 {
		fraction += strings.Repeat("0", max(0, exponent-len(fraction)))
		whole, fraction = whole+fraction[:exponent], fraction[exponent:]
	} else {
		whole = strings.Repeat("0", max(0, -exponent-len(whole))) + whole
		point := len(whole) + exponent
		whole, fraction = whole[:point], whole[point:]+fraction
	}
	plain := cmp.Or(strings.TrimLeft(whole, "0"), "0")
	if fraction != "" {
		plain += "." + fraction
	}
	if len(plain) > maxDecimal {
		return ""
	}
	return plain
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
