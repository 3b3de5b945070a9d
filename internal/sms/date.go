package sms

import (
	"strconv"
	"strings"
	"time"
)

// instant returns a time in the form of a Receipt: UTC, whole microseconds, in the years 1 to 9999.
// It is the zero time for one outside of them.
func instant(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// localTime is RFC 3339 without the offset.
const localTime = "2006-01-02T15:04:05"

// parseTime reads a time of RFC 3339, and its variants in the field: a space for the T, small
// letters, an offset without its colon, and no offset, which is a time in the zone. What cannot be read
// is the zero time.
func parseTime(text string, zone *time.Location) time.Time {
	text = strings.TrimSpace(text)
	t, err := time.Parse(time.RFC3339, text)
	if err == nil {
		return instant(t)
	}
	text, leap := usualForm(text)
	if t, err = time.Parse(time.RFC3339, text); err != nil {
		t, err = time.ParseInLocation(localTime, text, zone)
	}
	if err != nil {
		return time.Time{}
	}
	if leap {
		t = t.Add(time.Second)
	}
	return instant(t)
}

// usualForm turns the variants of RFC 3339 into the form that Go reads. A leap second, which Go
// does not know, becomes the second before it.
func usualForm(text string) (usual string, leap bool) {
	const clock = len(localTime)
	if len(text) < clock {
		return text, false
	}
	b := []byte(text)
	if b[10] == ' ' || b[10] == 't' {
		b[10] = 'T'
	}
	if leap = text[clock-3:clock] == ":60"; leap {
		copy(b[clock-3:], ":59")
	}
	switch n := len(b); {
	case b[n-1] == 'z':
		b[n-1] = 'Z'
	case (b[n-5] == '+' || b[n-5] == '-') && digits(text[n-4:]):
		b = append(b[:n-2], ':', text[n-2], text[n-1])
	}
	return string(b), leap
}

// parseEpoch reads a number of seconds, in 10 digits, or milliseconds, in 13. Any other is the zero
// time.
func parseEpoch(number string) time.Time {
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil || !digits(number):
	case len(number) == 10:
		return instant(time.Unix(n, 0))
	case len(number) == 13:
		return instant(time.UnixMilli(n))
	}
	return time.Time{}
}

// parseReceiptDate reads the date of a receipt text. Its length gives the form:
//
//	10  YYMMDDhhmm
//	12  YYMMDDhhmmss, or YYYYMMDDhhmm where that is no date
//	14  YYYYMMDDhhmmss
//	16  YYMMDDhhmmsstnnp, the absolute time of SMPP, with its own offset
//
// The first three are times in the zone. A year of two digits is one of this century. What cannot be
// read is the zero time, and so is a date of zeros.
func parseReceiptDate(text string, zone *time.Location) time.Time {
	switch len(text) {
	case 10:
		return calendar("20"+text+"00", zone)
	case 12:
		if t := calendar("20"+text, zone); !t.IsZero() {
			return t
		}
		return calendar(text+"00", zone)
	case 14:
		return calendar(text, zone)
	case 16:
		return absoluteDate(text)
	}
	return time.Time{}
}

// calendar reads YYYYMMDDhhmmss, in the years 1900 to 2099.
func calendar(text string, zone *time.Location) time.Time {
	if !digits(text) || text[:2] != "19" && text[:2] != "20" {
		return time.Time{}
	}
	number := func(from, to int) int {
		n := 0
		for _, c := range []byte(text[from:to]) {
			n = 10*n + int(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), time.Month(number(4, 6)), number(6, 8)
	hour, minute, second := number(8, 10), number(10, 12), number(12, 14)
	valid := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if valid.Month() != month || valid.Day() != day || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}
	}
	return instant(time.Date(year, month, day, hour, minute, second, 0, zone))
}

// absoluteDate reads YYMMDDhhmmsstnnp: t is tenths of a second, nn the quarters of an hour that the
// clock is ahead of UTC (p is +) or behind it (p is -).
func absoluteDate(text string) time.Time {
	if !digits(text[:15]) {
		return time.Time{}
	}
	t := calendar("20"+text[:12], time.UTC)
	tenths := time.Duration(text[12]-'0') * 100 * time.Millisecond
	offset := time.Duration(text[13]-'0')*10 + time.Duration(text[14]-'0')
	if t.IsZero() || offset > 48 {
		return time.Time{}
	}
	offset *= 15 * time.Minute
	switch text[15] {
	case '+':
		return instant(t.Add(tenths - offset))
	case '-':
		return instant(t.Add(tenths + offset))
	}
	return time.Time{}
}
