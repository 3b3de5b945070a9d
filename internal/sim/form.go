package sim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// form is a way to write a receipt down.
type form int

const (
	enveloped form = iota // {eventType, payload}
	bare                  // the payload alone
	aliased               // the payload with the other names of its fields
	smppText              // receipt text in short_message
	smppTLV               // receipted_message_id and message_state, no text
	smppBoth              // both; the ids in different bases
	smppUCS2              // receipt text in UCS-2, as hex
	smppLong              // receipt text in message_payload, camelCase, not in an smpp object
)

// forms lists the forms as often as they occur.
var forms = []form{
	enveloped, enveloped, enveloped, enveloped, enveloped, bare, bare, aliased,
	smppText, smppText, smppTLV, smppBoth, smppUCS2, smppLong,
}

func (f form) smpp() bool { return f >= smppText }

// writtenReceipt is a receipt as it is written down.
type writtenReceipt struct {
	payload map[string]any
	receipt Receipt
}

// write writes a step down in the life's form. Where gateways differ, it draws what this one does.
func (l *life) write(rng *rand.Rand, i int) writtenReceipt {
	s := l.steps[i]
	w := writtenReceipt{
		payload: map[string]any{"from": l.sender, "to": l.recipient},
		receipt: Receipt{
			MessageID: l.id, Step: i, Status: s.status, At: s.at,
			Region: l.region.code, BadSender: l.badSender,
		},
	}
	if s.timeless {
		w.receipt.At = time.Time{}
	}
	w.optional(rng, l)
	if l.form.smpp() {
		l.writeSMPP(rng, &w, s)
	} else {
		l.writeJSON(rng, &w, s)
	}
	if l.form == aliased {
		w.rename()
	}
	return w
}

// optional adds what a receipt may or may not say about its message.
func (w *writtenReceipt) optional(rng *rand.Rand, l *life) {
	if chance(rng, 0.95) {
		w.payload["carrier"] = l.carrier.name
		w.receipt.Carrier = l.carrier.name
	}
	if l.region.named || chance(rng, 0.7) {
		w.payload["region"] = l.region.code
		if l.region.code == "GB" && chance(rng, 0.3) {
			w.payload["region"] = "UK"
		}
	}
	if chance(rng, 0.5) {
		w.payload["segments"] = l.segments
	}
	if chance(rng, 0.3) {
		w.payload["cost"] = fmt.Sprintf("0.%04d", l.carrier.price*l.segments)
		w.payload["currency"] = l.carrier.currency
	}
	if chance(rng, 0.3) || l.timed {
		w.payload["submittedAt"] = l.submitted.Format(time.RFC3339Nano)
	}
}

func (l *life) writeJSON(rng *rand.Rand, w *writtenReceipt, s step) {
	w.payload["messageId"], w.payload["status"] = l.id, s.json
	switch {
	case s.err == "404" && chance(rng, 0.5):
		w.payload["errorCode"] = 404
	case s.err != "":
		w.payload["errorCode"] = s.err
	case chance(rng, 0.3):
		w.payload["errorCode"] = nil
	}
	if !s.timeless {
		w.payload["timestamp"] = stamp(rng, s.at)
	}
}

// stamp writes a time in one of the ways of RFC 3339, to the millisecond.
func stamp(rng *rand.Rand, at time.Time) string {
	if chance(rng, 0.2) {
		at = at.In(time.FixedZone("", 3600))
	}
	return at.Format("2006-01-02T15:04:05.000Z07:00")
}

// rename gives the fields their other names.
func (w *writtenReceipt) rename() {
	for name, other := range map[string]string{
		"messageId": "smppMessageId", "carrier": "carrierCode", "status": "deliveryStatus",
		"errorCode": "smppErrorCode", "timestamp": "deliveryTime", "from": "sourceAddress", "to": "destinationAddress",
	} {
		if v, ok := w.payload[name]; ok {
			delete(w.payload, name)
			w.payload[other] = v
		}
	}
}

// body writes the payload as it is posted. The event is the same with the envelope or without.
func (l *life) body(rng *rand.Rand, w writtenReceipt) []byte {
	var v any = w.payload
	if l.form != bare && (l.form == enveloped || chance(rng, 0.5)) {
		v = map[string]any{"eventType": "messaging.status.update", "payload": w.payload}
	}
	if chance(rng, 0.1) {
		return must(json.MarshalIndent(v, "", "  "))
	}
	return must(json.Marshal(v))
}

// must takes what cannot fail: the values are strings, numbers and maps of them.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(fmt.Sprintf("sim: %v", err))
	}
	return b
}

// malformed makes a body that is not JSON. No two are equal.
func malformed(rng *rand.Rand) []byte {
	id := fmt.Sprintf("SIM-%016x", rng.Uint64())
	return []byte(strings.ReplaceAll(pick(rng, []string{
		`{"eventType":"messaging.status.update","payload":{"messageId":"ID","status":"DELIV`,
		`{"messageId":ID,"status":"DELIVERED"}`,
		`{"messageId":"ID" "status":"DELIVERED"}`,
		`<receipt id="ID" status="DELIVERED"/>`,
		`messageId=ID&status=DELIVERED`,
	}), "ID", id))
}

// invalid makes a body that is JSON and no receipt. No two are equal.
func invalid(rng *rand.Rand) []byte {
	id := fmt.Sprintf("SIM-%016x", rng.Uint64())
	return []byte(strings.ReplaceAll(pick(rng, []string{
		`{"eventType":"messaging.status.update","payload":{"status":"DELIVERED","carrier":"ATT","ref":"ID"}}`,
		`{"messageId":"","status":"DELIVERED","ref":"ID"}`,
		`{"messageId":"ID","carrier":"ATT","from":"72727","to":"+12025550142"}`,
		// An answer of the recipient: esm_class says that it is no receipt.
		`{"from":"+12025550142","to":"72727","smpp":{"short_message":"STOP ID","esm_class":0,"data_coding":0}}`,
	}), "ID", id))
}
