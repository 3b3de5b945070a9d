package sms

import (
	"testing"
	"time"
)

// wantText is what a receipt text says, its dates as RFC 3339.
type wantText struct{ id, stat, err, submitted, done string }

// The receipts that gateways send, by their numbers in the list of field-tested cases.
var receiptTexts = []struct {
	name, text string
	want       wantText
}{
	{"C1 of the specification",
		"id:0123456789 sub:002 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:012 text:This is a sample mes",
		wantText{"0123456789", "DELIVRD", "012", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"C2 capital Text",
		"id:4 sub:001 dlvrd:001 submit date:1006020051 done date:1006020051 stat:DELIVRD err:000 Text:Hello",
		wantText{"4", "DELIVRD", "000", "2010-06-02T00:51:00Z", "2010-06-02T00:51:00Z"}},
	{"C3 signs in the text",
		"id:0059113978 sub:001 dlvrd:001 submit date:1002101730 done date:1002101731 stat:DELIVRD err:000 text:@$#!%&/:",
		wantText{"0059113978", "DELIVRD", "000", "2010-02-10T17:30:00Z", "2010-02-10T17:31:00Z"}},
	{"C4 seconds and UUID",
		"id:74e02ee1-4e2f-4a6e-a78b-4b247d756a22 sub:001 dlvrd:001 submit date:110206193041 done date:110206193110 stat:DELIVRD err:000 text:",
		wantText{"74e02ee1-4e2f-4a6e-a78b-4b247d756a22", "DELIVRD", "000", "2011-02-06T19:30:41Z", "2011-02-06T19:31:10Z"}},
	{"C5 out of order, text empty and not last",
		"sub:001 id:74e02ee1-4e2f-4a6e-a78b-4b247d756a22 err:000 dlvrd:001 done date:110206193110 submit date:110206193041 text: stat:DELIVRD",
		wantText{"74e02ee1-4e2f-4a6e-a78b-4b247d756a22", "DELIVRD", "000", "2011-02-06T19:30:41Z", "2011-02-06T19:31:10Z"}},
	{"C6 full dates, fields missing",
		"id:2E179B310EDE971B2760C72B7F026E1B submit date:20110314181534 done date:20110314181741 stat:DELIVRD err:0",
		wantText{"2E179B310EDE971B2760C72B7F026E1B", "DELIVRD", "0", "2011-03-14T18:15:34Z", "2011-03-14T18:17:41Z"}},
	{"C7 error in letters",
		"id:0123456789 sub:002 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:21b text:This is a sample mes",
		wantText{"0123456789", "DELIVRD", "21b", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"C8 error with a zero",
		"id:0123456789 sub:002 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:010 text:This is a sample mes",
		wantText{"0123456789", "DELIVRD", "010", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"C9 one date only",
		"submit date:110206193041",
		wantText{submitted: "2011-02-06T19:30:41Z"}},
	{"C10 on its way",
		"id:98765432101 sub:000 dlvrd:000 submit date:1001010000 done date:1001010000 stat:ENROUTE err:000 text:",
		wantText{"98765432101", "ENROUTE", "000", "2010-01-01T00:00:00Z", "2010-01-01T00:00:00Z"}},
	{"C11 zero dates, no state",
		"id:0123456789 sub:000 dlvrd:000 submit date:0000000000 done date:0000000000 stat:BADSTAT err:000 text:",
		wantText{"0123456789", "BADSTAT", "000", "", ""}},
	{"J1 words in the text",
		"id:0123456789 sub:001 dlvrd:001 submit date:0809011130 done date:0809011131 stat:DELIVRD err:000 text:testing jSMPP bow",
		wantText{"0123456789", "DELIVRD", "000", "2008-09-01T11:30:00Z", "2008-09-01T11:31:00Z"}},
	{"J2 capital Text",
		"id:0123456789 sub:001 dlvrd:001 submit date:0809011130 done date:0809011131 stat:DELIVRD err:000 Text:testing jSMPP bow",
		wantText{"0123456789", "DELIVRD", "000", "2008-09-01T11:30:00Z", "2008-09-01T11:31:00Z"}},
	{"J3 text without its label",
		"id:0123456789 sub:001 dlvrd:001 submit date:0809011130 done date:0809011131 stat:DELIVRD err:000 testing jSMPP bow",
		wantText{"0123456789", "DELIVRD", "000", "2008-09-01T11:30:00Z", "2008-09-01T11:31:00Z"}},
	{"J4 the same with seconds",
		"id:0123456789 sub:001 dlvrd:001 submit date:080901113012 done date:080901113147 stat:DELIVRD err:000 testing jSMPP bow",
		wantText{"0123456789", "DELIVRD", "000", "2008-09-01T11:30:12Z", "2008-09-01T11:31:47Z"}},
	{"J5 no counts",
		"id:1526758174 submit date:1701240904 done date:1701250907 stat:DELIVRD err:000 text:testing jSMPP bow",
		wantText{"1526758174", "DELIVRD", "000", "2017-01-24T09:04:00Z", "2017-01-25T09:07:00Z"}},
	{"J6 state only",
		"stat:DELIVRD",
		wantText{stat: "DELIVRD"}},
	{"J7 long state behind the error",
		"id:0123456789 sub:002 dlvrd:003 submit date:0809011130 done date:0809021131 err:123 stat:DND_REJECTED text:Hello World",
		wantText{"0123456789", "DND_REJECTED", "123", "2008-09-01T11:30:00Z", "2008-09-02T11:31:00Z"}},
	{"A1 done before it was submitted",
		"id:123123123 sub:0 dlvrd:0 submit date:1507011202 done date:1507011101 stat:DELIVRD err:0 text:Test information",
		wantText{"123123123", "DELIVRD", "0", "2015-07-01T12:02:00Z", "2015-07-01T11:01:00Z"}},
	{"Z1 a label's letters in the text",
		"id:1891273321 sub:001 dlvrd:001 submit date:1305050826 done date:1305050826 stat:DELIVRD err:000 text:DLVRD TO MOBILE",
		wantText{"1891273321", "DELIVRD", "000", "2013-05-05T08:26:00Z", "2013-05-05T08:26:00Z"}},
	{"Z2 the same, text empty",
		"id:1891273321 sub:001 dlvrd:001 submit date:1305050826 done date:1305050826 stat:DELIVRD err:000 text:",
		wantText{"1891273321", "DELIVRD", "000", "2013-05-05T08:26:00Z", "2013-05-05T08:26:00Z"}},
	{"Z3 hexadecimal id",
		"id:a29f6845555647139e5c8f3b817f2c9a sub:001 dlvrd:001 submit date:141023215253 done date:141023215259 stat:DELIVRD err:000 text:HOLA",
		wantText{"a29f6845555647139e5c8f3b817f2c9a", "DELIVRD", "000", "2014-10-23T21:52:53Z", "2014-10-23T21:52:59Z"}},
	{"Z4 text is a dash",
		"id:4a38dc46-5125-4969-90be-72104c340d5c sub:001 dlvrd:001 submit date:150519232657 done date:150519232657 stat:DELIVRD err:000 text:-",
		wantText{"4a38dc46-5125-4969-90be-72104c340d5c", "DELIVRD", "000", "2015-05-19T23:26:57Z", "2015-05-19T23:26:57Z"}},
	{"Z5 twelve digits with the century",
		"id:c87c2273-7edb-4bc7-8d3a-7f57f21b625e submit date:201506201641 done date:201506201641 stat:DELIVRD err:000",
		wantText{"c87c2273-7edb-4bc7-8d3a-7f57f21b625e", "DELIVRD", "000", "2015-06-20T16:41:00Z", "2015-06-20T16:41:00Z"}},
	{"V1 dots for what is not known",
		"id:foo sub:... dlvrd:... submit date:200101010030 done date:200101020030 stat:DELIVRD err:... text:Meep",
		wantText{"foo", "DELIVRD", "", "2020-01-01T01:00:30Z", "2020-01-01T02:00:30Z"}},
	{"V2 least",
		"id:foo stat:DELIVRD text:Meep",
		wantText{id: "foo", stat: "DELIVRD"}},
	{"V3 failed",
		"id:foo sub:... dlvrd:... submit date:200101010030 done date:200101020030 stat:FAILED err:042 text:Meep",
		wantText{"foo", "FAILED", "042", "2020-01-01T01:00:30Z", "2020-01-01T02:00:30Z"}},
	{"V4 null for what is not known",
		"id:foo sub:null dlvrd:null submit date:200101010030 done date:200101020030 stat:DELIVRD err:null text:Meep",
		wantText{"foo", "DELIVRD", "", "2020-01-01T01:00:30Z", "2020-01-01T02:00:30Z"}},
	{"V6 text empty",
		"id:1b1720be-5f48-41c4-b3f8-6e59dbf45366 sub:001 dlvrd:001 submit date:120726132548 done date:120726132548 stat:DELIVRD err:000 text:",
		wantText{"1b1720be-5f48-41c4-b3f8-6e59dbf45366", "DELIVRD", "000", "2012-07-26T13:25:48Z", "2012-07-26T13:25:48Z"}},
	{"B1 accepted",
		"id:c449ab9744f47b6af1879e49e75e4f40 sub:001 dlvrd:0 submit date:0610191018 done date:0610191018 stat:ACCEPTD err:0 text:This is an Acti",
		wantText{"c449ab9744f47b6af1879e49e75e4f40", "ACCEPTD", "0", "2006-10-19T10:18:00Z", "2006-10-19T10:18:00Z"}},
	{"B2 delivered later",
		"id:7220bb6bd0be98fa628de66590f80070 sub:001 dlvrd:1 submit date:0610190851 done date:0610190951 stat:DELIVRD err:0 text:This is an Acti",
		wantText{"7220bb6bd0be98fa628de66590f80070", "DELIVRD", "0", "2006-10-19T08:51:00Z", "2006-10-19T09:51:00Z"}},
	{"B5 commas in the text",
		"id:1661543146 sub:001 dlvrd:001 submit date:1101261110 done date:1101261110 stat:DELIVRD err:000 text:Hello, how are you?",
		wantText{"1661543146", "DELIVRD", "000", "2011-01-26T11:10:00Z", "2011-01-26T11:10:00Z"}},
	{"S1 dates of two lengths",
		"id:5516a151-4970-45b6-b73e-95aefdb11cbf sub:001 dlvrd:001 submit date:2302231414 done date:230223194211 stat:DELIVRD err:000 text:Hello",
		wantText{"5516a151-4970-45b6-b73e-95aefdb11cbf", "DELIVRD", "000", "2023-02-23T14:14:00Z", "2023-02-23T19:42:11Z"}},
	{"S2 on its way",
		"id:4791967 sub:0 dlvrd:1 submit date:2302281329 done date:2302281329 stat:ENROUTE err:0 Text:Hello World from out",
		wantText{"4791967", "ENROUTE", "0", "2023-02-28T13:29:00Z", "2023-02-28T13:29:00Z"}},
}

// Receipts with a broken label. A strict parser refuses them; we read what is whole. A broken label
// right behind the id is part of the id, since nothing tells it from one. Where the id or the state
// is lost or doubtful, Decode refuses the receipt (see TestDecodeBrokenText).
var brokenTexts = []struct {
	name, text string
	want       wantText
}{
	{"R1 id", "i:0123456789 sub:002 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:012 text:This is a sample mes",
		wantText{"", "DELIVRD", "012", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"R2 sub", "id:0123456789 su:002 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:012 text:This is a sample mes",
		wantText{"0123456789 su:002", "DELIVRD", "012", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"R3 dlvrd", "id:0123456789 sub:002 dlvr:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:012 text:This is a sample mes",
		wantText{"0123456789", "DELIVRD", "012", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"R4 submit date", "id:0123456789 sub:002 dlvrd:001 submit dat:1005232039 done date:1005242339 stat:DELIVRD err:012 text:This is a sample mes",
		wantText{"0123456789", "DELIVRD", "012", "", "2010-05-24T23:39:00Z"}},
	{"R5 done date", "id:0123456789 sub:002 dlvrd:001 submit date:1005232039 one date:1005242339 stat:DELIVRD err:012 text:This is a sample mes",
		wantText{"0123456789", "DELIVRD", "012", "2010-05-23T20:39:00Z", ""}},
	{"R6 stat", "id:0123456789 sub:002 dlvrd:001 submit date:1005232039 done date:1005242339 sat:DELIVRD err:012 text:This is a sample mes",
		wantText{"0123456789", "", "012", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"R7 err", "id:0123456789 sub:002 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD rr:012 text:This is a sample mes",
		wantText{"0123456789", "DELIVRD", "", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"R8 text", "id:0123456789 sub:002 dlvrd:001 submit date:1005232039 done date:1005242339 stat:DELIVRD err:012 txt:This is a sample mes",
		wantText{"0123456789", "DELIVRD", "012", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"R9 letters before a label", "id:123123123 dfdfsub:0 dlvrd:0 submit date:1507011202 done date:1507011101 stat:DELIVRD err:0 text:Test information",
		wantText{"123123123 dfdfsub:0", "DELIVRD", "0", "2015-07-01T12:02:00Z", "2015-07-01T11:01:00Z"}},
	{"R10 no done date", "id:123123123 sub:0 dlvrd:0 submit date:1507011202 stat:DELIVRD err:0 text:Test information",
		wantText{"123123123", "DELIVRD", "0", "2015-07-01T12:02:00Z", ""}},
	{"R13 no receipt", "not a delivery receipt", wantText{}},
}

// What the rules of the parser say beyond the receipts above.
var ruledTexts = []struct {
	name, text string
	want       wantText
}{
	{"nothing", "", wantText{}},
	{"colons only", ":::", wantText{}},
	{"labels in capitals", "ID:1 SUBMIT DATE:1005232039 DONE DATE:1005242339 STAT:delivrd ERR:1",
		wantText{"1", "delivrd", "1", "2010-05-23T20:39:00Z", "2010-05-24T23:39:00Z"}},
	{"dates in one word", "id:1 submitdate:180122230957 donedate:000000000000 stat:REJECTD err:375 text:",
		wantText{"1", "REJECTD", "375", "2018-01-22T23:09:57Z", ""}},
	{"spaces behind colons", "id: 1 stat: DELIVRD err: 000", wantText{"1", "DELIVRD", "000", "", ""}},
	{"lines", "id:1\r\nstat:DELIVRD\r\nerr:7\r\n", wantText{"1", "DELIVRD", "7", "", ""}},
	{"colons in the id", "id:urn:sms:id:7 stat:DELIVRD", wantText{id: "urn:sms:id:7", stat: "DELIVRD"}},
	{"spaces in the id", "id:AB 12 stat:DELIVRD", wantText{id: "AB 12", stat: "DELIVRD"}},
	{"spaces and colons in the id",
		"id:AB CD:EF sub:001 dlvrd:001 submit date:2603021730 done date:2603021731 stat:DELIVRD err:000 text:",
		wantText{"AB CD:EF", "DELIVRD", "000", "2026-03-02T17:30:00Z", "2026-03-02T17:31:00Z"}},
	{"spaces and colons in the id, at the end", "stat:DELIVRD id:AB CD:EF GH:1", wantText{id: "AB CD:EF GH:1", stat: "DELIVRD"}},
	{"space before colons in the id", "id: urn:sms:7 stat:DELIVRD", wantText{id: "urn:sms:7", stat: "DELIVRD"}},
	{"a date of nothing in the id", "id:AB date:7 done date:2603021731 stat:DELIVRD", wantText{id: "AB date:7", stat: "DELIVRD", done: "2026-03-02T17:31:00Z"}},
	{"text ends the id", "stat:DELIVRD id:AB CD:EF text:x", wantText{id: "AB CD:EF", stat: "DELIVRD"}},
	{"vendor field behind no id", "id:null mnc:15 stat:DELIVRD", wantText{stat: "DELIVRD"}},
	{"vendor fields", "mcc:234 id:1 stat:DELIVRD price-eur:0.01 err:5 x_y:z submit date:2603021730 mnc:15 done date:2603021731 hlr:1",
		wantText{"1", "DELIVRD", "5", "2026-03-02T17:30:00Z", "2026-03-02T17:31:00Z"}},
	{"vendor fields behind no values", "id:1 stat: mcc:234 err: mnc:15 submit date: x:2603021730 done date: y:2603021731", wantText{id: "1"}},
	{"colon in the text", "id:1 text: Re:order stat:DELIVRD", wantText{id: "1"}},
	{"labels in the text", "id:1 stat:DELIVRD text:id:2 stat:UNDELIV err:9", wantText{id: "1", stat: "DELIVRD"}},
	{"labels behind loose words", "id:1 stat:DELIVRD err:000 call me id:2 stat:UNDELIV", wantText{id: "1", stat: "DELIVRD", err: "000"}},
	{"the first that has a value", "id: stat:... id:1 stat:DELIVRD", wantText{id: "1", stat: "DELIVRD"}},
	{"no id but null", "id:null stat:DELIVRD", wantText{stat: "DELIVRD"}},
	{"a tail that is no text", "id:1 stat:DELIVRD err:000 text:\xff\xfe\x00\x80", wantText{"1", "DELIVRD", "000", "", ""}},
	{"NUL at the end", "id:1 stat:DELIVRD\x00", wantText{id: "1", stat: "DELIVRD"}},
}

func TestParseReceiptText(t *testing.T) {
	for _, table := range [...][]struct {
		name, text string
		want       wantText
	}{receiptTexts, brokenTexts, ruledTexts} {
		for _, tt := range table {
			t.Run(tt.name, func(t *testing.T) {
				got := parseReceiptText(tt.text, time.UTC)
				if got.id != tt.want.id || got.stat != tt.want.stat || got.err != tt.want.err {
					t.Errorf("got id %q, stat %q, err %q, want %q, %q, %q",
						got.id, got.stat, got.err, tt.want.id, tt.want.stat, tt.want.err)
				}
				checkTime(t, "submit date", got.submitted, tt.want.submitted)
				checkTime(t, "done date", got.done, tt.want.done)
			})
		}
	}
}
