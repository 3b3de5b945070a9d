package sms

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

const textReceipt = "id:0059113978 sub:001 dlvrd:001 submit date:1002101730 done date:1002101731 stat:DELIVRD err:012 text:Hi"

func TestDecodeWrappedPayload(t *testing.T) {
	want := &Receipt{
		MessageID: "38601fa", Status: Delivered, RawStatus: "DELIVERED",
		At:        time.Date(2010, 2, 10, 17, 31, 0, 0, time.UTC),
		Submitted: time.Date(2010, 2, 10, 17, 30, 0, 0, time.UTC),
		Carrier:   "VODAFONE", ErrorCode: "000", SenderID: "ACME", Recipient: "447700900123",
	}
	got, err := Decode([]byte(wrappedPayload), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The receipt text is found wherever a gateway may put it.
func TestDecodeTextReceipt(t *testing.T) {
	latin := hex.EncodeToString([]byte(textReceipt + "\xe9\xff\x00"))
	wide := hexUCS2(textReceipt + " Grüße 😀")
	object := func(members ...any) map[string]any {
		m := make(map[string]any)
		for i := 0; i < len(members); i += 2 {
			m[members[i].(string)] = members[i+1]
		}
		return m
	}
	tests := map[string]map[string]any{
		"short_message":         object("short_message", textReceipt),
		"shortMessage":          object("shortMessage", textReceipt),
		"message_payload":       object("message_payload", textReceipt),
		"messagePayload":        object("messagePayload", textReceipt+"\x00"),
		"payload, short empty":  object("short_message", "", "message_payload", textReceipt),
		"payload, short NUL":    object("short_message", "\x00", "message_payload", textReceipt),
		"short before payload":  object("short_message", textReceipt, "message_payload", "id:2 stat:EXPIRED"),
		"short_message_hex":     object("short_message_hex", latin),
		"shortMessageHex":       object("shortMessageHex", strings.ToUpper(latin)),
		"message_payload_hex":   object("message_payload_hex", "0x"+latin),
		"messagePayloadHex":     object("messagePayloadHex", latin),
		"UCS-2":                 object("short_message_hex", wide, "data_coding", 8),
		"UCS-2, camel case":     object("shortMessageHex", wide, "dataCoding", "8"),
		"UCS-2, hex coding":     object("message_payload_hex", wide, "data_coding_hex", "08"),
		"UCS-2, byte-order":     object("short_message_hex", "feff"+wide, "data_coding", "0x08"),
		"UCS-2, odd":            object("short_message_hex", wide+"00", "data_coding", 8),
		"UCS-2 that is decoded": object("short_message", textReceipt+"…", "data_coding", 8),
		"esm_class":             object("short_message", textReceipt, "esm_class", 4),
	}
	for name, fields := range tests {
		for place, payload := range map[string]any{"smpp": object("smpp", fields), "top": fields} {
			t.Run(name+" "+place, func(t *testing.T) {
				r := mustDecode(t, payload)
				if r.MessageID != "0059113978" || r.RawStatus != "DELIVRD" || r.Status != Delivered || r.ErrorCode != "012" {
					t.Errorf("got %+v", r)
				}
				checkTime(t, "done date", r.At, "2010-02-10T17:31:00Z")
				checkTime(t, "submit date", r.Submitted, "2010-02-10T17:30:00Z")
			})
		}
	}
}

// Every receipt of the list goes through Decode to its canonical status.
func TestDecodeEveryText(t *testing.T) {
	for _, tt := range receiptTexts {
		t.Run(tt.name, func(t *testing.T) {
			payload := map[string]any{"smpp": map[string]any{"esm_class": 4, "short_message": tt.text}}
			if tt.want.id == "" || tt.want.stat == "" {
				payload["messageId"], payload["status"] = "json", "SENT"
				r := mustDecode(t, payload)
				if r.MessageID != "json" || r.RawStatus != "SENT" {
					t.Errorf("got %+v", r)
				}
				return
			}
			r := mustDecode(t, payload)
			if r.MessageID != tt.want.id || r.RawStatus != tt.want.stat || r.Status != StatusOf(tt.want.stat) || r.ErrorCode != tt.want.err {
				t.Errorf("got %+v", r)
			}
			checkTime(t, "done date", r.At, tt.want.done)
			checkTime(t, "submit date", r.Submitted, tt.want.submitted)
		})
	}
}

// A receipt that lost its id or its state is refused; what else is broken is forgiven.
func TestDecodeBrokenText(t *testing.T) {
	for _, tt := range brokenTexts {
		t.Run(tt.name, func(t *testing.T) {
			payload := `{"smpp":{"short_message":"` + tt.text + `"}}`
			switch {
			case tt.want.id == "" && tt.want.stat == "":
				checkInvalid(t, payload, "", "/messageId", "/status", "/smpp/short_message")
			case tt.want.id == "":
				checkInvalid(t, payload, "", "/messageId")
			case strings.Contains(tt.want.id, " "):
				checkInvalid(t, payload, "", "/messageId", "/smpp/short_message")
			case tt.want.stat == "":
				checkInvalid(t, payload, tt.want.id, "/status")
			default:
				if r, err := Decode([]byte(payload), nil); err != nil || r.MessageID != tt.want.id {
					t.Errorf("got %+v, %v", r, err)
				}
			}
		})
	}
}

func TestDecodeZone(t *testing.T) {
	zones := Zones{"AIRTEL": time.FixedZone("IST", 5*3600+1800), "": time.FixedZone("CET", 3600)}
	tests := map[string]string{"airtel": "2010-02-10T12:01:00Z", "ATT": "2010-02-10T16:31:00Z", "": "2010-02-10T16:31:00Z"}
	for carrier, want := range tests {
		r, err := Decode([]byte(`{"carrier":"`+carrier+`","short_message":"`+textReceipt+`"}`), zones)
		if err != nil {
			t.Fatal(err)
		}
		checkTime(t, carrier, r.At, want)
	}
}

// JSON fields go before TLVs, and TLVs before the text.
func TestDecodePriority(t *testing.T) {
	tests := []struct{ name, payload, want string }{
		{"text", `{"short_message":"id:t stat:EXPIRED err:1"}`, "t EXPIRED 1"},
		{"TLVs before text", `{"short_message":"id:t stat:EXPIRED err:1","receipted_message_id":"v","message_state":8}`, "v REJECTED 1"},
		{"JSON before TLVs", `{"messageId":"j","status":"SENT","errorCode":7,"receipted_message_id":"v","message_state":8,"network_error_code":9}`, "j SENT 7"},
		{"error of the text before the TLV", `{"short_message":"id:t stat:EXPIRED err:1","network_error_code":"3:9"}`, "t EXPIRED 1"},
		{"TLV where err gives none", `{"short_message":"id:t stat:EXPIRED err:null","network_error_code":"3:9"}`, "t EXPIRED 9"},
		{"smpp before the top", `{"message_state":8,"receipted_message_id":"top","smpp":{"message_state":2,"receiptedMessageId":"smpp"}}`, "smpp DELIVERED "},
		{"snake before camel", `{"messageState":8,"message_state":2,"receipted_message_id":"v"}`, "v DELIVERED "},
		{"plain before hexadecimal", `{"message_state_hex":"08","messageState":2,"receipted_message_id":"v"}`, "v DELIVERED "},
		{"T1 text is no receipt", `{"short_message":"362d9701 2","message_state":"DELIVERED","receipted_message_id":"362d9701"}`, "362d9701 DELIVERED "},
		{"T2 no text", `{"smpp":{"message_state":"DELIVERED","receipted_message_id":"362d9701"}}`, "362d9701 DELIVERED "},
		{"T3 id of the TLV", `{"receipted_message_id":"6000","short_message":"id:5000 submit date:201506201641 done date:201506201641 stat:DELIVRD err:000"}`, "6000 DELIVRD 000"},
		{"T4 state of the TLV", `{"message_state":6,"short_message":"id:5000 stat:DELIVRD err:000"}`, "5000 ACCEPTED 000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Decode([]byte(tt.payload), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.MessageID + " " + r.RawStatus + " " + r.ErrorCode; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The time of the JSON goes before that of the text, which stands in where the JSON's is unreadable.
func TestDecodeTimePriority(t *testing.T) {
	tests := map[string]string{
		`"timestamp":"2026-03-14T12:00:00Z"`: "2026-03-14T12:00:00Z",
		`"timestamp":"soon"`:                 "2010-02-10T17:31:00Z",
		`"timestamp":null`:                   "2010-02-10T17:31:00Z",
	}
	for member, want := range tests {
		r, err := Decode([]byte(`{`+member+`,"short_message":"`+textReceipt+`"}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		checkTime(t, member, r.At, want)
	}
}

// Text and TLV name one number in two bases; the TLV's form is the id.
func TestDecodeTwoBases(t *testing.T) {
	for tlv, text := range map[string]string{
		"38601fa": "0059113978", "1d305b4c": "0489708364", "18d0e03a": "0416342074", "6aad5": "0000436949",
	} {
		r, err := Decode([]byte(`{"smpp":{"receipted_message_id":"`+tlv+`","short_message":"id:`+text+` stat:DELIVRD"}}`), nil)
		if err != nil || r.MessageID != tlv {
			t.Errorf("%s: got %+v, %v", tlv, r, err)
		}
	}
}

func TestDecodeMessageClass(t *testing.T) {
	payload := func(class string) string {
		return `{"messageId":"m","status":"SENT","smpp":{` + class + `}}`
	}
	for _, class := range []string{
		`"esm_class":4`, `"esmClass":"4"`, `"esm_class":"04"`, `"esm_class":"0x04"`, `"esm_class_hex":"04"`,
		`"esm_class":8`, `"esm_class":16`, `"esm_class":24`, `"esm_class":32`, `"esm_class":"0C"`, `"esm_class":68`,
		`"esmClassHex":"0x20"`, `"esm_class":null`,
	} {
		if _, err := Decode([]byte(payload(class)), nil); err != nil {
			t.Errorf("%s: %v", class, err)
		}
	}
	for class, path := range map[string]string{
		`"esm_class":0`: "esm_class", `"esm_class":"0x03"`: "esm_class", `"esmClass":64`: "esmClass", `"esm_class_hex":"c0"`: "esm_class_hex",
		`"esm_class":"receipt"`: "esm_class", `"esm_class":256`: "esm_class", `"esm_class":-4`: "esm_class", `"esm_class":true`: "esm_class",
	} {
		t.Run(class, func(t *testing.T) { checkInvalid(t, payload(class), "m", "/smpp/"+path) })
	}
	t.Run("V7 message of a subscriber", func(t *testing.T) {
		checkInvalid(t, `{"payload":{"esm_class":0,"short_message":"`+textReceipt+`"}}`, "0059113978", "/payload/esm_class")
	})
}

// A final state that the SMPP fields of an intermediate notification tell is not final; what is not final
// stays as it is, and so does a status in JSON.
func TestDecodeIntermediate(t *testing.T) {
	tests := []struct {
		name, members, raw string
		status             Status
	}{
		{"text", `"esm_class":32,"short_message":"id:1 stat:DELIVRD"`, "DELIVRD", Pending},
		{"TLV", `"esm_class":"0x20","message_state":5`, "UNDELIVERABLE", Pending},
		{"text and TLV", `"esm_class":32,"message_state":2,"short_message":"id:1 stat:EXPIRED"`, "DELIVERED", Pending},
		{"JSON", `"esm_class":32,"status":"DELIVERED"`, "DELIVERED", Delivered},
		{"JSON before TLV", `"smpp":{"esm_class":32,"message_state":1},"deliveryStatus":"EXPIRED"`, "EXPIRED", Expired},
		{"JSON before text", `"status":"FAILED","esm_class":32,"short_message":"id:1 stat:DELIVRD"`, "FAILED", Failed},
		{"empty in JSON", `"status":"","esm_class":32,"message_state":2`, "DELIVERED", Pending},
		{"rejected", `"esm_class_hex":"20","message_state":8`, "REJECTED", Pending},
		{"other bits", `"esmClass":227,"message_state":2`, "DELIVERED", Pending},
		{"in smpp", `"smpp":{"esm_class":32,"message_state":3}`, "EXPIRED", Pending},
		{"under way", `"esm_class":32,"message_state":1`, "ENROUTE", Pending},
		{"unknown", `"esm_class":32,"message_state":7`, "UNKNOWN", Unknown},
		{"receipt", `"esm_class":4,"message_state":2`, "DELIVERED", Delivered},
		{"acknowledgement of a subscriber", `"esm_class":16,"message_state":2`, "DELIVERED", Delivered},
		{"no class", `"message_state":2`, "DELIVERED", Delivered},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Decode([]byte(`{"messageId":"1",`+tt.members+`}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != tt.status || r.RawStatus != tt.raw {
				t.Errorf("got %v, %q, want %v, %q", r.Status, r.RawStatus, tt.status, tt.raw)
			}
		})
	}
}

// A receipt travels from the recipient to the sender, and its addresses say so.
func TestDecodeAddresses(t *testing.T) {
	tests := []struct{ name, members, from, to string }{
		{"reversed", `"source_addr":"14155550142","destination_addr":"ACME"`, "ACME", "14155550142"},
		{"reversed, both numbers", `"source_addr":"14155550142","destination_addr":"18885550100"`, "18885550100", "14155550142"},
		{"reversed, short code", `"sourceAddr":"+14155550142","destinationAddr":"72345"`, "72345", "+14155550142"},
		{"kept, name", `"source_addr":"ACME","destination_addr":"+14155550142"`, "ACME", "+14155550142"},
		{"kept, short code", `"source_addr":"72345","destination_addr":"14155550142"`, "72345", "14155550142"},
		{"neither a phone", `"source_addr":"ACME","destination_addr":"72345"`, "72345", "ACME"},
		{"source only", `"source_addr":"14155550142"`, "", "14155550142"},
		{"name only", `"source_addr":"ACME"`, "ACME", ""},
		{"destination only", `"destination_addr":"ACME"`, "ACME", ""},
		{"C strings", `"source_addr_hex":"343437373030393030313233 00","destinationAddrHex":"41434d4500"`, "ACME", "447700900123"},
		{"JSON first", `"source_addr":"14155550142","destination_addr":"ACME","from":"JSON"`, "JSON", "14155550142"},
		{"JSON only", `"source_addr":"14155550142","destination_addr":"ACME","from":"J","to":"+1"`, "J", "+1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Decode([]byte(`{"messageId":"m","status":"SENT",`+tt.members+`}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.SenderID != tt.from || r.Recipient != tt.to {
				t.Errorf("got %q to %q, want %q to %q", r.SenderID, r.Recipient, tt.from, tt.to)
			}
		})
	}
}

func TestDecodeInvalidSMPP(t *testing.T) {
	long := strings.Repeat("x", 257)
	tests := []struct {
		name, payload string
		id            string
		paths         []string
	}{
		{"text of another kind", `{"messageId":"m","smpp":{"short_message":["x"]}}`, "m", []string{"/smpp/short_message", "/status"}},
		{"no hexadecimal", `{"messageId":"m","message_state":2,"short_message_hex":"zz"}`, "m", []string{"/short_message_hex"}},
		{"state of another kind", `{"messageId":"m","message_state":{}}`, "m", []string{"/message_state", "/status"}},
		{"id of another kind", `{"status":"SENT","smpp":{"receipted_message_id":false}}`, "", []string{"/smpp/receipted_message_id", "/messageId"}},
		{"long id in the text", `{"payload":{"smpp":{"short_message":"id:` + long + ` stat:DELIVRD"}}}`, "", []string{"/payload/smpp/short_message", "/payload/messageId"}},
		{"long id of many words", `{"short_message":"id:` + strings.Repeat("AB CD:EF ", 30) + `stat:DELIVRD"}`, "", []string{"/short_message", "/messageId"}},
		{"control character in the id", `{"short_message":"id:AB\u0007 CD:EF stat:DELIVRD"}`, "", []string{"/short_message", "/messageId"}},
		{"long state in the text", `{"short_message":"id:1 stat:` + long + `"}`, "1", []string{"/short_message", "/status"}},
		{"id in no encoding", `{"message_state":2,"receipted_message_id_hex":"ff31"}`, "", []string{"/receipted_message_id_hex", "/messageId"}},
		{"id is NUL only", `{"message_state":2,"receipted_message_id":"\u0000\u0000"}`, "", []string{"/messageId"}},
		{"nothing but a class", `{"esm_class":4}`, "", []string{"/messageId", "/status"}},
		{"field twice", `{"messageId":"m","smpp":{"message_state":2,"message_state":5}}`, "m", []string{"/smpp/message_state"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkInvalid(t, tt.payload, tt.id, tt.paths...) })
	}
}

// What is binary in a text column is shown as such, and never reaches a database as it is.
func TestDecodeBinaryWords(t *testing.T) {
	text := hex.EncodeToString([]byte("id:1 stat:D\xff\x01 err:\xe9"))
	r, err := Decode([]byte(`{"short_message_hex":"`+text+`"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.RawStatus != "D\uFFFD" || r.Status != Unknown || r.ErrorCode != "\uFFFD" {
		t.Errorf("got %+v", r)
	}
}

func hexUCS2(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit>>8), byte(unit))
	}
	return hex.EncodeToString(b)
}
