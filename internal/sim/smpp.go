package sim

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// writeSMPP writes a step down as a gateway passes on a deliver_sm. In the deliver_sm of a receipt
// the source is the phone and the destination is the sender of the message.
func (l *life) writeSMPP(rng *rand.Rand, w *writtenReceipt, s step) {
	class := 0x04 // receipt
	if s.status == "PENDING" && chance(rng, 0.3) {
		class = 0x20 // intermediate notification
	}
	sm := map[string]any{
		"esm_class": class, "data_coding": 0,
		"source_addr": strings.TrimPrefix(l.recipient, "+"), "destination_addr": l.sender,
	}
	var text string
	if l.form != smppTLV {
		text, w.receipt.At = l.receiptText(rng, s)
	}
	switch l.form {
	case smppText:
		sm["short_message"] = text
	case smppTLV:
		l.tlvs(rng, sm, s)
		if !s.timeless {
			w.payload["timestamp"] = stamp(rng, s.at)
		}
	case smppBoth:
		sm["short_message"] = text
		l.tlvs(rng, sm, s)
	case smppUCS2:
		sm["data_coding"] = 8
		sm["short_message_hex"] = ucs2(text)
	case smppLong:
		w.payload["messagePayload"] = text + "\x00"
		w.payload["esmClass"] = class
		return
	}
	w.payload["smpp"] = sm
	if chance(rng, 0.3) { // the addresses of the deliver_sm must do
		delete(w.payload, "from")
		delete(w.payload, "to")
		w.payload["region"] = l.region.code
	}
}

func (l *life) tlvs(rng *rand.Rand, sm map[string]any, s step) {
	sm["receipted_message_id"] = l.id
	sm["message_state"] = s.state
	if chance(rng, 0.3) {
		sm["message_state"] = stateNames[s.state]
	}
	if code, err := strconv.ParseUint(s.err, 10, 16); err == nil {
		// Network type 3 is GSM. The three ways are a pair, the octets in hex, and a bare number.
		sm["network_error_code"] = pick(rng, []any{fmt.Sprintf("3:%d", code), fmt.Sprintf("03%04x", code), code})
	}
}

// stateNames are the names of message_state (SMPP v3.4, section 5.2.28).
var stateNames = [...]string{
	1: "ENROUTE", 2: "DELIVERED", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIVERABLE", 6: "ACCEPTED", 7: "UNKNOWN", 8: "REJECTED",
}

// receiptText writes the text of SMPP v3.4, appendix B, and returns the time that it gives: dates are
// cut to the minute or the second.
func (l *life) receiptText(rng *rand.Rand, s step) (text string, at time.Time) {
	date := pick(rng, []dateForm{{"0601021504", time.Minute}, {"060102150405", time.Second}, {"20060102150405", time.Second}})
	done := s.at.Format(date.layout)
	at = s.at.Truncate(date.unit)
	if s.timeless {
		done, at = strings.Repeat("0", len(date.layout)), time.Time{}
	}
	code := s.err
	if code == "" {
		code = "000"
	}
	arrived := "000"
	if s.status == "DELIVERED" {
		arrived = "001"
	}
	label := pick(rng, []string{"text", "text", "Text"})
	head := fmt.Sprintf("id:%s sub:001 dlvrd:%s submit date:%s done date:%s ", l.textID, arrived, l.submitted.Format(date.layout), done)
	verdict := fmt.Sprintf("stat:%s err:%s ", s.stat, code)
	if chance(rng, 0.1) {
		return verdict + head + label + ":" + l.text, at
	}
	return head + verdict + label + ":" + l.text, at
}

// dateForm is a way to write the date of a receipt text.
type dateForm struct {
	layout string
	unit   time.Duration
}

// ucs2 writes a text as data_coding 8 does, in hex.
func ucs2(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return hex.EncodeToString(b)
}
