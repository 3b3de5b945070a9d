package sms

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/refusal"
)

func TestDecodeTutorialPayload(t *testing.T) {
	want := &Receipt{
		MessageID: "SIM-6f1c0a52-6a0e-4f0b-9a57-0d5f3f6f2a11",
		Status:    Delivered, RawStatus: "DELIVERED",
		At:      time.Date(2026, 3, 14, 15, 9, 26, 535_000_000, time.UTC),
		Carrier: "TMOBILE", SenderID: "SENDER42", Recipient: "+14155550142", Region: "US", Segments: 1,
	}
	got, err := Decode([]byte(tutorialPayload), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every field, by each of its names, in an envelope and bare.
func TestDecodeNames(t *testing.T) {
	columns := map[field]func(*Receipt) string{
		messageID:   func(r *Receipt) string { return r.MessageID },
		carrier:     func(r *Receipt) string { return r.Carrier },
		status:      func(r *Receipt) string { return r.RawStatus },
		errorCode:   func(r *Receipt) string { return r.ErrorCode },
		eventTime:   func(r *Receipt) string { return r.At.Format(time.RFC3339) },
		sender:      func(r *Receipt) string { return r.SenderID },
		recipient:   func(r *Receipt) string { return r.Recipient },
		region:      func(r *Receipt) string { return r.Region },
		segments:    func(r *Receipt) string { return fmt.Sprint(r.Segments) },
		submittedAt: func(r *Receipt) string { return r.Submitted.Format(time.RFC3339) },
		cost:        func(r *Receipt) string { return r.Cost },
		currency:    func(r *Receipt) string { return r.Currency },
	}
	values := [][2]string{
		{"messageId", "m"}, {"smppMessageId", "m"}, {"externalId", "m"},
		{"carrier", "ATT"}, {"carrierCode", "ATT"},
		{"status", "READ"}, {"deliveryStatus", "READ"},
		{"errorCode", "404"}, {"smppErrorCode", "404"},
		{"timestamp", "2026-03-14T12:00:00Z"}, {"deliveryTime", "2026-03-14T12:00:00Z"},
		{"from", "ACME"}, {"sourceAddress", "ACME"},
		{"to", "+14155550142"}, {"destinationAddress", "+14155550142"},
		{"region", "US"}, {"segments", "3"}, {"submittedAt", "2026-03-14T12:00:00Z"},
		{"cost", "0.0075"}, {"currency", "USD"},
	}
	for _, nv := range values {
		name, want := nv[0], nv[1]
		column := columns[slots[name].field]
		members := map[string]any{"messageId": "1", "status": "PENDING"}
		for _, other := range names[slots[name].field] {
			delete(members, other)
		}
		members[name] = want
		for shape, event := range map[string]any{
			"bare": members, "envelope": map[string]any{"eventType": "messaging.status.update", "payload": members},
		} {
			t.Run(name+" "+shape, func(t *testing.T) {
				if got := column(mustDecode(t, event)); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
}

// Of the names of a field the first that is present counts, wherever it stands.
func TestDecodeFirstNameWins(t *testing.T) {
	tests := map[string]string{
		`{"externalId":"c","smppMessageId":"b","messageId":"a","status":"SENT"}`: "a",
		`{"externalId":"c","smppMessageId":"b","messageId":"","status":"SENT"}`:  "b",
		`{"externalId":"c","messageId":null,"status":"SENT"}`:                    "c",
		`{"messageId":"a","status":"SENT","externalId":{"not":"read"}}`:          "a",
		`{"MessageID":"x","messageid":"y","externalId":"c","status":"SENT"}`:     "c",
		`{"\u006dessageId":"a","status":"SENT"}`:                                 "a",
	}
	for payload, want := range tests {
		r, err := Decode([]byte(payload), nil)
		if err != nil || r.MessageID != want {
			t.Errorf("%s: got %+v, %v, want id %q", payload, r, err, want)
		}
	}
}

func TestDecodeEnvelope(t *testing.T) {
	tests := map[string]string{
		// What stands beside the payload of an envelope is not the payload's.
		`{"messageId":"x","status":"FAILED","payload":{"messageId":"a","status":"SENT"}}`:                 "a SENT",
		`{"payload":{"messageId":"a","status":"SENT"},"messageId":"x","status":"FAILED"}`:                 "a SENT",
		`{"smpp":{"message_state":2},"payload":{"messageId":"a","status":"SENT"},"smpp":{"esm_class":0}}`: "a SENT",
		`{"payload":null,"messageId":"a","status":"SENT"}`:                                                "a SENT",
		`{"payload":"","messageId":"a","status":"SENT"}`:                                                  "a SENT",
		`{"payload":{"payload":{"messageId":"x"},"messageId":"a","status":"SENT"}}`:                       "a SENT",
		` { "messageId" : "a" , "status" : "SENT" } `:                                                     "a SENT",
	}
	for payload, want := range tests {
		r, err := Decode([]byte(payload), nil)
		if err != nil || r.MessageID+" "+r.RawStatus != want {
			t.Errorf("%s: got %+v, %v, want %q", payload, r, err, want)
		}
	}
}

// The columns that are text take what they are given, digit for digit.
func TestDecodeText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"text", `"TMOBILE"`, "TMOBILE"},
		{"case is kept", `"T-Mobile"`, "T-Mobile"},
		{"spaces around it", `"  ATT "`, "ATT"},
		{"number", `310260`, "310260"},
		{"number beyond a float", `12345678901234567890123`, "12345678901234567890123"},
		{"number with an exponent", `1E5`, "1E5"},
		{"escapes", `"a\"\u00e9\/"`, `a"é/`},
		{"NUL", `"a\u0000b"`, "a\uFFFDb"},
		{"control character", `"a\nb"`, "a\uFFFDb"},
		{"half a surrogate pair", `"a\ud83d"`, "a\uFFFD"},
		{"surrogate pair", `"\ud83d\ude00"`, "😀"},
		{"longest", `"` + strings.Repeat("x", 256) + `"`, strings.Repeat("x", 256)},
		{"null", `null`, ""},
		{"empty", `""`, ""},
		{"blank", `"  "`, ""},
		{"unknown", `"unknown"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Decode([]byte(`{"messageId":"1","status":"SENT","carrier":`+tt.in+`}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Carrier != tt.want {
				t.Errorf("got %q, want %q", r.Carrier, tt.want)
			}
		})
	}
}

func TestDecodeID(t *testing.T) {
	long := strings.Repeat("é", 128)
	tests := map[string]string{
		`"0059113978"`:        "0059113978",
		`59113978`:            "59113978",
		`0`:                   "0",
		`-0.10e+7`:            "-0.10e+7",
		`" a "`:               " a ",
		`"` + long + `"`:      long,
		`"A\u002fb"`:          "A/b",
		`9007199254740993001`: "9007199254740993001",
	}
	for in, want := range tests {
		r, err := Decode([]byte(`{"messageId":`+in+`,"status":"SENT"}`), nil)
		if err != nil || r.MessageID != want {
			t.Errorf("%s: got %+v, %v, want %q", in, r, err, want)
		}
	}
}

// What the state does not hang on is left unset when it cannot be read.
func TestDecodeForgives(t *testing.T) {
	tests := []struct {
		members string
		want    Receipt
	}{
		{`"region":"uk"`, Receipt{Region: "GB"}},
		{`"region":" de "`, Receipt{Region: "DE"}},
		{`"region":"USA"`, Receipt{}},
		{`"region":"1a"`, Receipt{}},
		{`"region":{}`, Receipt{}},
		{`"segments":"255"`, Receipt{Segments: 255}},
		{`"segments":0`, Receipt{}},
		{`"segments":-1`, Receipt{}},
		{`"segments":256`, Receipt{}},
		{`"segments":1.5`, Receipt{}},
		{`"segments":true`, Receipt{}},
		{`"currency":"eur"`, Receipt{Currency: "EUR"}},
		{`"currency":"€"`, Receipt{}},
		{`"currency":978`, Receipt{}},
		{`"timestamp":"yesterday"`, Receipt{}},
		{`"timestamp":{}`, Receipt{}},
		{`"timestamp":1773489600`, Receipt{At: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}},
		{`"timestamp":"0001-01-01T00:00:00Z"`, Receipt{}},
		{`"submittedAt":[]`, Receipt{}},
		{`"cost":0.0075`, Receipt{Cost: "0.0075"}},
		{`"cost":"1.50"`, Receipt{Cost: "1.50"}},
		{`"cost":-1`, Receipt{}},
		{`"cost":{"amount":1}`, Receipt{}},
	}
	for _, tt := range tests {
		t.Run(tt.members, func(t *testing.T) {
			got, err := Decode([]byte(`{"messageId":"1","status":"SENT",`+tt.members+`}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.MessageID, tt.want.RawStatus, tt.want.Status = "1", "SENT", Pending
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecimal(t *testing.T) {
	tests := map[string]string{
		"0": "0", "0.00": "0.00", "00012.50": "12.50", ".5": "0.5", "5.": "5",
		"1e-7": "0.0000001", "1.5E+2": "150", "12.345e1": "123.45", "1234e-2": "12.34", "1e0": "1",
		"": "", ".": "", "e5": "", "-1": "", "-0": "", "+1": "", "1,5": "", "0x10": "", "1e": "", "NaN": "",
		"1.2.3": "", "1e999999999": "", "1e40": "", "1e-41": "",
		strings.Repeat("9", 40): strings.Repeat("9", 40), strings.Repeat("9", 41): "",
	}
	for in, want := range tests {
		if got := decimal(in); got != want {
			t.Errorf("decimal(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDecodeInvalid(t *testing.T) {
	long := strings.Repeat("x", 257)
	tests := []struct {
		name, payload string
		want          []string // the paths of the problems
		id            string   // of the receipt beside the error
	}{
		{"array", `[]`, []string{""}, ""},
		{"text", `"id:1 stat:DELIVRD"`, []string{""}, ""},
		{"null", `null`, []string{""}, ""},
		{"empty", `{}`, []string{"/messageId", "/status"}, ""},
		{"empty payload", `{"payload":{}}`, []string{"/payload/messageId", "/payload/status"}, ""},
		{"no id", `{"status":"SENT"}`, []string{"/messageId"}, ""},
		{"no status", `{"payload":{"messageId":"m"}}`, []string{"/payload/status"}, "m"},
		{"blank status", `{"messageId":"m","status":" "}`, []string{"/status"}, "m"},
		{"id of another kind", `{"messageId":true,"status":"SENT"}`, []string{"/messageId"}, ""},
		{"id is an object", `{"payload":{"messageId":{"a":[1]},"status":"SENT"}}`, []string{"/payload/messageId"}, ""},
		{"long id", `{"messageId":"` + long + `","status":"SENT"}`, []string{"/messageId"}, ""},
		{"blank id", `{"messageId":" \u00a0 ","status":"SENT"}`, []string{"/messageId"}, ""},
		{"id with NUL", `{"messageId":"a\u0000","status":"SENT"}`, []string{"/messageId"}, ""},
		{"id that is not UTF-8", "{\"messageId\":\"a\xe9\",\"status\":\"SENT\"}", []string{"/messageId"}, ""},
		{"id with half a character", `{"messageId":"a\ud800","status":"SENT"}`, []string{"/messageId"}, ""},
		{"all at once", `{"messageId":"m","deliveryStatus":[],"carrierCode":{},"smppErrorCode":false,"from":true,"destinationAddress":[]}`,
			[]string{"/carrierCode", "/deliveryStatus", "/destinationAddress", "/from", "/smppErrorCode", "/status"}, "m"},
		{"long carrier", `{"messageId":"m","status":"SENT","carrier":"` + long + `"}`, []string{"/carrier"}, "m"},
		{"payload is text", `{"payload":"x","messageId":"m","status":"SENT"}`, []string{"/payload"}, "m"},
		{"payload is a list", `{"payload":[{}]}`, []string{"/messageId", "/payload", "/status"}, ""},
		{"smpp is text", `{"messageId":"m","status":"SENT","smpp":"x"}`, []string{"/smpp"}, "m"},
		{"id twice", `{"messageId":"a","messageId":"b","status":"SENT"}`, []string{"/messageId"}, "b"},
		{"payload twice", `{"payload":{"messageId":"a","status":"SENT"},"payload":{}}`, []string{"/payload"}, "a"},
		{"payload twice, the first null", `{"payload":null,"payload":{"messageId":"a","status":"SENT"}}`, []string{"/payload"}, "a"},
		{"smpp twice", `{"smpp":{},"smpp":{},"messageId":"a","status":"SENT"}`, []string{"/smpp"}, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkInvalid(t, tt.payload, tt.id, tt.want...) })
	}
}

// Gateways pass a text on in the character set of the network, whatever they say of their own.
func TestDecodeTextThatIsNotUTF8(t *testing.T) {
	raw := []byte("{\"messageId\":\"m\",\"from\":\"CAF\xc9\",\"short_message\":\"id:m stat:DELIVRD err:000 text:caf\xe9 \xff\xfe\"}")
	r, err := Decode(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.MessageID != "m" || r.Status != Delivered || r.SenderID != "CAF\uFFFD" {
		t.Errorf("got %+v", r)
	}
	if got, want := string(UTF8([]byte("\"caf\xe9 \xff\xfe\""))), "\"caf\uFFFD \uFFFD\""; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A time without an offset is one of the carrier's zone.
func TestDecodeTimeWithoutOffset(t *testing.T) {
	zones := Zones{"VODAFONE": time.FixedZone("CET", 3600)}
	r, err := Decode([]byte(`{"messageId":"m","status":"SENT","carrier":"Vodafone",
		"timestamp":"2026-03-01T13:00:00","submittedAt":"2026-03-01 12:59:00"}`), zones)
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if !r.At.Equal(noon) || !r.Submitted.Equal(noon.Add(-time.Minute)) {
		t.Errorf("got %v, submitted %v", r.At, r.Submitted)
	}
}

// A name that we do not read may come twice.
func TestDecodeIgnoresOtherNames(t *testing.T) {
	r, err := Decode([]byte(`{"x":1,"x":{"messageId":"y"},"messageId":"m","status":"SENT","constructor":[{}]}`), nil)
	if err != nil || r.MessageID != "m" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestDecodeMalformed(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := map[string]string{
		"empty":          ``,
		"spaces":         "  \n",
		"open":           `{"messageId":"1"`,
		"open string":    `{"messageId":"1`,
		"no value":       `{"messageId":}`,
		"name":           `{messageId:"1"}`,
		"quotes":         `{'messageId':'1'}`,
		"comma":          `{"messageId":"1",}`,
		"word":           `{"messageId":undefined}`,
		"two":            `{"messageId":"1","status":"SENT"} {}`,
		"tail":           `{"messageId":"1","status":"SENT"}]`,
		"not UTF-8":      "{\"messageId\":\"1\",\"status\":\xe9}",
		"NUL":            "{\"messageId\":\"1\x00\"}",
		"number":         `{"messageId":01}`,
		"not JSON":       `id:1 stat:DELIVRD`,
		"too deep":       `{"messageId":"1","status":"SENT","x":` + nest(64) + `}`,
		"too deep value": nest(65),
		"far too deep":   `{"smpp":` + strings.Repeat(`{"x":`, 100_000),
	}
	for name, payload := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Decode([]byte(payload), nil)
			var malformed *refusal.MalformedError
			if r != nil || !errors.As(err, &malformed) {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
	if _, err := Decode([]byte(`{"messageId":"1","status":"SENT","x":`+nest(63)+`}`), nil); err != nil {
		t.Errorf("64 levels: %v", err)
	}
}

// No error may quote the payload: ids, numbers and texts of messages are private.
func TestDecodeErrorsAreDiscreet(t *testing.T) {
	const secret = "secret"
	for _, payload := range []string{
		`{"messageId":"secret\u0000","status":{"a":"secret"},"from":["secret"]}`,
		`{"messageId":"1","smpp":{"short_message":"secret"}}`,
		`{"messageId":"1","smpp":{"short_message_hex":"secret"}}`,
		`{"secret":"secret" "secret"}`,
		`{"secret":["secret",secret]}`,
	} {
		_, err := Decode([]byte(payload), nil)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", payload, err)
		}
	}
}

// The bytes of an item belong to the caller, and those beyond it to its neighbour in the array.
func TestDecodeLeavesBytesAlone(t *testing.T) {
	body := []byte(`{"messageId":"1","status":"SENT"},{"messageId":"2","status":"READ"}`)
	before := string(body)
	r, err := Decode(body[:strings.Index(before, ",{")], nil)
	if err != nil || string(body) != before {
		t.Fatalf("got %v, body %s", err, body)
	}
	clear(body)
	if r.MessageID != "1" || r.RawStatus != "SENT" {
		t.Errorf("the receipt changed with the body: %+v", r)
	}
}

func mustDecode(t *testing.T, event any) *Receipt {
	t.Helper()
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decode(raw, nil)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return r
}

// checkInvalid checks the paths of the problems, and the id that can be read nevertheless.
func checkInvalid(t *testing.T, payload, id string, paths ...string) {
	t.Helper()
	r, err := Decode([]byte(payload), nil)
	var invalid *refusal.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %+v, %v", r, err)
	}
	got := make(map[string]bool)
	for _, p := range invalid.Problems {
		got[p.Path] = true
		if p.Reason == "" {
			t.Errorf("%s: no reason", p.Path)
		}
	}
	want := make(map[string]bool)
	for _, p := range paths {
		want[p] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths: %s\n%v", diff, err)
	}
	if (r != nil) != (id != "") || r != nil && r.MessageID != id {
		t.Errorf("got %+v, want id %q", r, id)
	}
}
