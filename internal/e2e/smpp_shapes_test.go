package e2e_test

import (
	"encoding/hex"
	"fmt"
)

// textShapes are receipts with nothing but a text.
var textShapes = []shape{
	{
		"as in the specification", text("id:0420007101 sub:002 dlvrd:001 submit date:2603021758 done date:2603031759 stat:DELIVRD err:012 text:See you at the doo"),
		"0420007101", state{"DELIVERED", "DELIVRD", "2026-03-03T17:59:00Z", "012"},
	},
	{
		"capital Text", text("id:8 sub:001 dlvrd:001 submit date:2603020051 done date:2603020051 stat:DELIVRD err:000 Text:Hi"),
		"8", state{"DELIVERED", "DELIVRD", "2026-03-02T00:51:00Z", "000"},
	},
	{
		"dates with seconds, empty text", text("id:5f0c8a1e-77aa-4c1f-9a0d-0d6b1f2e3c4d sub:001 dlvrd:001 submit date:260302193041 done date:260302193110 stat:DELIVRD err:000 text:"),
		"5f0c8a1e-77aa-4c1f-9a0d-0d6b1f2e3c4d", state{"DELIVERED", "DELIVRD", "2026-03-02T19:31:10Z", "000"},
	},
	{
		"another order, text not last", text("sub:001 id:5f0c8a1e-77aa-4c1f-9a0d-0d6b1f2e3c4e err:000 dlvrd:001 done date:260302193110 submit date:260302193041 text: stat:DELIVRD"),
		"5f0c8a1e-77aa-4c1f-9a0d-0d6b1f2e3c4e", state{"DELIVERED", "DELIVRD", "2026-03-02T19:31:10Z", "000"},
	},
	{
		"14 digits, no counts, no text", text("id:3A279B310EDE971B2760C72B7F026E1B submit date:20260302181534 done date:20260302181741 stat:DELIVRD err:0"),
		"3A279B310EDE971B2760C72B7F026E1B", state{"DELIVERED", "DELIVRD", "2026-03-02T18:17:41Z", "0"},
	},
	{
		"error with a letter", text("id:0420007106 sub:001 dlvrd:000 submit date:2603021758 done date:2603031759 stat:UNDELIV err:21b text:See you"),
		"0420007106", state{"FAILED", "UNDELIV", "2026-03-03T17:59:00Z", "21b"},
	},
	{
		"long decimal id, not final", text("id:91234567890123 sub:000 dlvrd:000 submit date:2603010000 done date:2603010000 stat:ENROUTE err:000 text:"),
		"91234567890123", state{"PENDING", "ENROUTE", "2026-03-01T00:00:00Z", "000"},
	},
	{
		"dates of zeros, no state", text("id:0420007108 sub:000 dlvrd:000 submit date:0000000000 done date:0000000000 stat:BADSTAT err:000 text:"),
		"0420007108", state{"UNKNOWN", "BADSTAT", "", "000"},
	},
	{
		"no label before the text", text("id:0420007109 sub:001 dlvrd:001 submit date:2603021130 done date:2603021131 stat:DELIVRD err:000 see you at the"),
		"0420007109", state{"DELIVERED", "DELIVRD", "2026-03-02T11:31:00Z", "000"},
	},
	{
		"no counts", text("id:0420007110 submit date:2603020904 done date:2603030907 stat:DELIVRD err:000 text:see you"),
		"0420007110", state{"DELIVERED", "DELIVRD", "2026-03-03T09:07:00Z", "000"},
	},
	{
		"error before a long state", text("id:0420007111 sub:002 dlvrd:003 submit date:2603021130 done date:2603031131 err:123 stat:DND_REJECTED text:Hello"),
		"0420007111", state{"UNKNOWN", "DND_REJECTED", "2026-03-03T11:31:00Z", "123"},
	},
	{
		"done before it was submitted", text("id:0420007112 sub:0 dlvrd:0 submit date:2603021202 done date:2603021101 stat:DELIVRD err:0 text:Test"),
		"0420007112", state{"DELIVERED", "DELIVRD", "2026-03-02T11:01:00Z", "0"},
	},
	{
		"words of a receipt in the text", text("id:0420007113 sub:001 dlvrd:001 submit date:2603020826 done date:2603020826 stat:DELIVRD err:000 text:DLVRD stat:REJECTD id:7"),
		"0420007113", state{"DELIVERED", "DELIVRD", "2026-03-02T08:26:00Z", "000"},
	},
	{
		"id of 32 digits in hexadecimal", text("id:b31f684555564713ae5c8f3b817f2c9a sub:001 dlvrd:001 submit date:260302215253 done date:260302215259 stat:DELIVRD err:000 text:-"),
		"b31f684555564713ae5c8f3b817f2c9a", state{"DELIVERED", "DELIVRD", "2026-03-02T21:52:59Z", "000"},
	},
	{
		"12 digits with the century", text("id:0420007115 submit date:202610201641 done date:202610201641 stat:DELIVRD err:000"),
		"0420007115", state{"DELIVERED", "DELIVRD", "2026-10-20T16:41:00Z", "000"},
	},
	{
		"12 digits that may have the century and need not", text("id:0420007116 submit date:201012101112 done date:201012101112 stat:DELIVRD err:000"),
		"0420007116", state{"DELIVERED", "DELIVRD", "2020-10-12T10:11:12Z", "000"},
	},
	{
		"dots for what is not known", text("id:dots sub:... dlvrd:... submit date:2603020030 done date:2603020030 stat:DELIVRD err:... text:Beep"),
		"dots", state{"DELIVERED", "DELIVRD", "2026-03-02T00:30:00Z", ""},
	},
	{
		"as short as it gets", text("id:short stat:DELIVRD text:Beep"),
		"short", state{"DELIVERED", "DELIVRD", "", ""},
	},
	{
		"a state of six letters", text("id:six sub:... dlvrd:... submit date:2603020030 done date:2603020030 stat:FAILED err:042 text:Beep"),
		"six", state{"FAILED", "FAILED", "2026-03-02T00:30:00Z", "042"},
	},
	{
		"null for what is not known", text("id:nulls sub:null dlvrd:null submit date:2603020030 done date:2603020030 stat:DELIVRD err:null text:Beep"),
		"nulls", state{"DELIVERED", "DELIVRD", "2026-03-02T00:30:00Z", ""},
	},
	{
		"accepted", text("id:c551ab9744f47b6af1879e49e75e4f41 sub:001 dlvrd:0 submit date:2603021018 done date:2603021018 stat:ACCEPTD err:0 text:This is an Ac"),
		"c551ab9744f47b6af1879e49e75e4f41", state{"PENDING", "ACCEPTD", "2026-03-02T10:18:00Z", "0"},
	},
	{
		"two kinds of dates", text("id:6616a151-4970-45b6-b73e-95aefdb11cb0 sub:001 dlvrd:001 submit date:2603021414 done date:260302194211 stat:DELIVRD err:000 text:Hi"),
		"6616a151-4970-45b6-b73e-95aefdb11cb0", state{"DELIVERED", "DELIVRD", "2026-03-02T19:42:11Z", "000"},
	},
	{
		"counts of one digit", text("id:4791968 sub:0 dlvrd:1 submit date:2603021329 done date:2603021329 stat:ENROUTE err:0 Text:Hello World fr"),
		"4791968", state{"PENDING", "ENROUTE", "2026-03-02T13:29:00Z", "0"},
	},
	{
		"a broken label is passed over", text("id:0420007124 sub:0 dlvrd:0 dfsub:0 submit dat:2603021202 one date:2603021101 stat:DELIVRD err:0 txt:Test"),
		"0420007124", state{"DELIVERED", "DELIVRD", "", "0"},
	},
}

// wrappedShapes are receipts with TLVs, or with a text that is not plain.
var wrappedShapes = []shape{
	{
		"id in hexadecimal, text in decimal", tlvs("id:0061234567 sub:001 dlvrd:001 submit date:2603021730 done date:2603021731 stat:DELIVRD err:000 text:@$#!%&/:",
			`"receipted_message_id":"3a65d87","message_state":2,"network_error_code":"3:0"`),
		"3a65d87", state{"DELIVERED", "DELIVERED", "2026-03-02T17:31:00Z", "000"},
	},
	{
		"the same, and the TLV ends with NUL", tlvs("id:0490809701 stat:UNDELIV err:017 done date:2603021731 text:Hi", `"receipted_message_id":"1d412965\u0000","message_state":5`),
		"1d412965", state{"FAILED", "UNDELIVERABLE", "2026-03-02T17:31:00Z", "017"},
	},
	{
		"the same, in capitals", tlvs("id:0417443898 stat:EXPIRED err:000 done date:2603021731 text:Hi", `"receipted_message_id":"18E1B03A","message_state":"EXPIRED"`),
		"18E1B03A", state{"EXPIRED", "EXPIRED", "2026-03-02T17:31:00Z", "000"},
	},
	{
		"the same, in message_payload", `{"smpp":{"esm_class":4,"short_message":"","receipted_message_id":"6bbe6","message_state":2,
			"message_payload":"id:0000441318 sub:001 dlvrd:001 submit date:2603021730 done date:2603021731 stat:DELIVRD err:000 text:Hi\u0000"}}`,
		"6bbe6", state{"DELIVERED", "DELIVERED", "2026-03-02T17:31:00Z", "000"},
	},
	{
		"text that is no receipt, with TLVs", tlvs("473e9802 2", `"message_state":"DELIVERED","receipted_message_id":"473e9802"`),
		"473e9802", state{"DELIVERED", "DELIVERED", "", ""},
	},
	{
		"data_sm without text", `{"smpp":{"esm_class":4,"message_state":2,"receipted_message_id":"473e9803"},"timestamp":"2026-03-02T10:00:00Z"}`,
		"473e9803", state{"DELIVERED", "DELIVERED", "2026-03-02T10:00:00Z", ""},
	},
	{
		"the id of the TLV wins", tlvs("id:5001 submit date:260302164100 done date:260302164100 stat:DELIVRD err:000", `"receipted_message_id":"6001"`),
		"6001", state{"DELIVERED", "DELIVRD", "2026-03-02T16:41:00Z", "000"},
	},
	{
		"the state of the TLV wins", tlvs("id:5002 done date:260302164100 stat:DELIVRD err:000", `"message_state":"ACCEPTED"`),
		"5002", state{"PENDING", "ACCEPTED", "2026-03-02T16:41:00Z", "000"},
	},
	{
		"UCS-2", fmt.Sprintf(`{"smpp":{"esm_class":4,"data_coding":8,"short_message_hex":"%s"}}`,
			ucs2("id:2c1720be-5f48-41c4-b3f8-6e59dbf45367 sub:001 dlvrd:001 submit date:260302132548 done date:260302132549 stat:DELIVRD err:000 text:Žluť")),
		"2c1720be-5f48-41c4-b3f8-6e59dbf45367", state{"DELIVERED", "DELIVRD", "2026-03-02T13:25:49Z", "000"},
	},
	{
		"UCS-2 in message_payload", fmt.Sprintf(`{"smpp":{"esm_class":4,"data_coding":8,"message_payload_hex":"%s"}}`,
			ucs2("id:2c1720be-5f48-41c4-b3f8-6e59dbf45368 sub:001 dlvrd:001 done date:260302132549 stat:REJECTD err:000 text:")),
		"2c1720be-5f48-41c4-b3f8-6e59dbf45368", state{"REJECTED", "REJECTD", "2026-03-02T13:25:49Z", "000"},
	},
	{
		"bytes behind text", fmt.Sprintf(`{"smpp":{"esm_class":4,"short_message_hex":"%s00fffe80"}}`,
			hex.EncodeToString([]byte("id:bytes-1 done date:260302132549 stat:DELIVRD err:000 text:"))),
		"bytes-1", state{"DELIVERED", "DELIVRD", "2026-03-02T13:25:49Z", "000"},
	},
	{
		"camelCase, without an smpp object", `{"esmClass":4,"messagePayload":"id:camel-1 done date:2603021731 stat:DELIVRD err:000 text:Hi","sourceAddr":"12025550142","destinationAddr":"72727"}`,
		"camel-1", state{"DELIVERED", "DELIVRD", "2026-03-02T17:31:00Z", "000"},
	},
	{
		"intermediate notification", `{"smpp":{"esm_class":32,"receipted_message_id":"inter-1","message_state":1}}`,
		"inter-1", state{"PENDING", "ENROUTE", "", ""},
	},
	{
		"network error as octets", `{"smpp":{"receipted_message_id":"net-1","message_state":5,"network_error_code":"030011"}}`,
		"net-1", state{"FAILED", "UNDELIVERABLE", "", "17"},
	},
	{
		"network error as ASCII digits", `{"smpp":{"receipted_message_id":"net-2","message_state":8,"network_error_code_hex":"303137"}}`,
		"net-2", state{"REJECTED", "REJECTED", "", "017"},
	},
	{
		"network error as a number", `{"smpp":{"receipted_message_id":"net-3","message_state":9,"network_error_code":17}}`,
		"net-3", state{"REJECTED", "SKIPPED", "", "17"},
	},
	{
		"a state without a name", `{"smpp":{"receipted_message_id":"state-1","message_state":77}}`,
		"state-1", state{"UNKNOWN", "77", "", ""},
	},
}
