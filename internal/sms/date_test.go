package sms

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	const noon = "2026-03-14T12:00:00Z"
	zone := time.FixedZone("IST", 5*3600+30*60)
	tests := map[string]string{
		"2026-03-14T17:30:00":                 noon, // in the zone
		"2026-03-14 17:30:00":                 noon,
		"2026-03-14t17:30:00.25":              "2026-03-14T12:00:00.25Z",
		"2017-01-01T05:29:60":                 "2017-01-01T00:00:00Z",
		"2026-03-14T12:00:00Z":                noon,
		"2026-03-14t12:00:00z":                noon,
		"2026-03-14 12:00:00Z":                noon,
		" 2026-03-14T12:00:00Z ":              noon,
		"2026-03-14T13:00:00+01:00":           noon,
		"2026-03-14T13:00:00+0100":            noon,
		"2026-03-14 06:30:00.000-0530":        noon,
		"2026-03-14T12:00:00-00:00":           noon,
		"2026-03-14T12:00:00.000Z":            noon,
		"2026-03-14T12:00:00.1234567Z":        "2026-03-14T12:00:00.123456Z",
		"2026-03-14T12:00:00.999999999+00:00": "2026-03-14T12:00:00.999999Z",
		"1969-12-31T23:59:59.9999999Z":        "1969-12-31T23:59:59.999999Z",
		"2016-12-31T23:59:60Z":                "2017-01-01T00:00:00Z",
		"2016-12-31T23:59:60.5Z":              "2017-01-01T00:00:00.5Z",
		"9999-12-31T23:59:59.999999Z":         "9999-12-31T23:59:59.999999Z",
		"0001-01-01T00:00:00.000001Z":         "0001-01-01T00:00:00.000001Z",

		"":                          "",
		"soon":                      "",
		"2026-03-14":                "",
		"2026-03-14T12:00":          "",
		"2026-03-14T25:00:00":       "",
		"2026-03-14T12:00Z":         "",
		"2026-02-30T12:00:00Z":      "",
		"2026-03-14T25:00:00Z":      "",
		"2026-03-14T12:00:00+99:00": "",
		"9999-12-31T23:59:60Z":      "",
		"9999-12-31T23:59:59-01:00": "", // in the year 10000
		"0001-01-01T00:00:00+01:00": "", // in the year 0
		"0000-06-01T00:00:00Z":      "",
		"20260314120000":            "",
		"1773489600":                "", // seconds are a number
	}
	for text, want := range tests {
		checkTime(t, text, parseTime(text, zone), want)
	}
}

func TestParseEpoch(t *testing.T) {
	tests := map[string]string{
		"1773489600":    "2026-03-14T12:00:00Z",
		"1773489600123": "2026-03-14T12:00:00.123Z",
		"0":             "",
		"-177348960":    "",
		"17734896001":   "",
		"1773489.60":    "",
		"17734896e2":    "",
	}
	for text, want := range tests {
		checkTime(t, text, parseEpoch(text), want)
	}
}

func TestParseReceiptDate(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"10 digits", "1005232039", "2010-05-23T20:39:00Z"},
		{"12 digits with seconds", "110206193041", "2011-02-06T19:30:41Z"},
		{"12 digits with century", "201506201641", "2015-06-20T16:41:00Z"},
		{"12 digits that are both", "200101010030", "2020-01-01T01:00:30Z"},
		{"14 digits", "20110314181534", "2011-03-14T18:15:34Z"},
		{"leap day", "2402291200", "2024-02-29T12:00:00Z"},
		{"16, ahead of UTC", "110206193041504+", "2011-02-06T18:30:41.5Z"},
		{"16, behind UTC", "110206193041020-", "2011-02-07T00:30:41Z"},

		{"16, relative", "000000010000000R", ""},
		{"16, offset of over half a day", "110206193041049+", ""},
		{"16 digits", "1102061930410041", ""},
		{"16, no date", "119906193041004+", ""},
		{"16, not a number", "1102061930x1004+", ""},
		{"none", "", ""},
		{"zeros", "0000000000", ""},
		{"12 zeros", "000000000000", ""},
		{"14 zeros", "00000000000000", ""},
		{"dots", "...", ""},
		{"ten dots", "..........", ""},
		{"null", "null", ""},
		{"11 digits", "10052320391", ""},
		{"13 digits", "1100314181534", ""},
		{"15 digits", "201103141815341", ""},
		{"month 13", "1013232039", ""},
		{"month 0", "1000232039", ""},
		{"no leap day", "2302291200", ""},
		{"hour 24", "1005232439", ""},
		{"minute 60", "1005232060", ""},
		{"second 60", "20110314181560", ""},
		{"a century without phones", "18110314181534", ""},
		{"letters", "10O5232039", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkTime(t, tt.text, parseReceiptDate(tt.text, time.UTC), tt.want)
		})
	}
}

func TestParseReceiptDateInZone(t *testing.T) {
	zone := time.FixedZone("IST", 5*3600+1800)
	checkTime(t, "local", parseReceiptDate("0809011130", zone), "2008-09-01T06:00:00Z")
	checkTime(t, "own offset", parseReceiptDate("110206193041004+", zone), "2011-02-06T18:30:41Z")
}

// checkTime compares a time with its text; the zero time is "".
func checkTime(t *testing.T, what string, got time.Time, want string) {
	t.Helper()
	text := ""
	if !got.IsZero() {
		text = got.Format(time.RFC3339Nano)
	}
	if text != want {
		t.Errorf("%q: got %q, want %q", what, text, want)
	}
	if got.Location() != time.UTC {
		t.Errorf("%q: the location is %v", what, got.Location())
	}
}
