package e2e_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// shape is a receipt in one of the shapes in which gateways send them, and the message that must
// become of it.
type shape struct {
	name string
	body string
	id   string
	want state
}

// state is what a shape says of its message; "" is nothing.
type state struct {
	status, raw, at, err string
}

// quoted writes a text as JSON does.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string can always be marshalled
	}
	return string(b)
}

// text wraps a receipt text as a deliver_sm.
func text(receipt string) string {
	return fmt.Sprintf(`{"carrier":"ORANGE","smpp":{"esm_class":4,"data_coding":0,"short_message":%s}}`, quoted(receipt))
}

// tlvs wraps a receipt text, and the members of TLVs, as a deliver_sm.
func tlvs(receipt, members string) string {
	return fmt.Sprintf(`{"smpp":{"esm_class":4,"short_message":%s,%s}}`, quoted(receipt), members)
}

// ucs2 writes a text in hexadecimal as data_coding 8 does.
func ucs2(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return hex.EncodeToString(b)
}

var jsonShapes = []shape{
	{
		"envelope", `{"eventType":"messaging.status.update","payload":{"messageId":"json-1","status":"DELIVERED",
			"carrier":"ATT","errorCode":null,"timestamp":"2026-03-02T10:00:00Z","from":"72727","to":"+12025550142"}}`,
		"json-1", state{"DELIVERED", "DELIVERED", "2026-03-02T10:00:00Z", ""},
	},
	{
		"bare payload", `{"messageId":"json-2","status":"FAILED","errorCode":"30007","timestamp":"2026-03-02T10:00:00.123456Z"}`,
		"json-2", state{"FAILED", "FAILED", "2026-03-02T10:00:00.123456Z", "30007"},
	},
	{
		"other names", `{"smppMessageId":"json-3","deliveryStatus":"QUEUED","carrierCode":"ATT","smppErrorCode":404,
			"deliveryTime":"2026-03-02T11:30:00+01:30","sourceAddress":"72727","destinationAddress":"+12025550142"}`,
		"json-3", state{"PENDING", "QUEUED", "2026-03-02T10:00:00Z", "404"},
	},
	{
		"externalId, the first names empty", `{"messageId":"","smppMessageId":null,"externalId":"json-4","status":"BLOCKED"}`,
		"json-4", state{"REJECTED", "BLOCKED", "", ""},
	},
	{
		"small letters", `{"messageId":"json-5","status":"undeliverable"}`,
		"json-5", state{"FAILED", "undeliverable", "", ""},
	},
	{
		"unknown word", `{"messageId":"json-6","status":"HANDSET_AWAY","timestamp":"2026-03-02T10:00:00Z"}`,
		"json-6", state{"UNKNOWN", "HANDSET_AWAY", "2026-03-02T10:00:00Z", ""},
	},
	{
		"id is a number", `{"messageId":12345678901234567890123,"status":"EXPIRED"}`,
		"12345678901234567890123", state{"EXPIRED", "EXPIRED", "", ""},
	},
	{
		"id with signs and spaces", `{"messageId":"json 8/ü:%2F?#","status":"SENT"}`,
		"json 8/ü:%2F?#", state{"PENDING", "SENT", "", ""},
	},
	{
		"unreadable time", `{"messageId":"json-9","status":"READ","timestamp":"yesterday"}`,
		"json-9", state{"DELIVERED", "READ", "", ""},
	},
	{
		"fields go before TLVs and text", `{"messageId":"json-10","status":"DELIVERED","errorCode":"7","timestamp":"2026-03-02T10:00:00Z",
			"smpp":{"receipted_message_id":"no","message_state":5,"short_message":"id:no done date:2501010000 stat:UNDELIV err:001"}}`,
		"json-10", state{"DELIVERED", "DELIVERED", "2026-03-02T10:00:00Z", "7"},
	},
}

// shapes is all of them.
var shapes = slices.Concat(jsonShapes, textShapes, wrappedShapes)

// refusedShapes are bodies that are understood and cannot be applied.
var refusedShapes = map[string]string{
	"text without a receipt":          text("see you at the door"),
	"text without an id":              text("i:0420007301 sub:001 dlvrd:001 done date:2603021758 stat:DELIVRD err:012 text:Hi"),
	"text without a state":            text("id:0420007302 sub:001 dlvrd:001 done date:2603021758 sat:DELIVRD err:012 text:Hi"),
	"text with a date alone":          text("submit date:260302193041"),
	"message of a subscriber":         `{"smpp":{"esm_class":0,"short_message":"id:mo-1 stat:DELIVRD text:Beep"}}`,
	"no id":                           `{"eventType":"messaging.status.update","payload":{"status":"DELIVERED","carrier":"ATT"}}`,
	"no status":                       `{"messageId":"refused-1","carrier":"ATT"}`,
	"no object":                       `"DELIVERED"`,
	"id is an object":                 `{"messageId":{"id":"refused-2"},"status":"DELIVERED"}`,
	"payload is no object":            `{"eventType":"messaging.status.update","payload":"DELIVERED"}`,
	"hexadecimal that is none":        `{"smpp":{"short_message_hex":"zz"}}`,
	"id is longer than any gateway's": `{"messageId":"` + strings.Repeat("x", 300) + `","status":"DELIVERED"}`,
}
