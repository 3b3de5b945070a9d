package cxone

import (
	"net/http"
	"testing"
	"time"
)

func FuzzParseRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "1e3", "99999999999999999999", " 5 ", "Wed, 21 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT"} {
		f.Add(s)
	}
	now := time.Date(2015, 10, 21, 7, 27, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if d := parseRetryAfter(value, now); d < 0 || d > maxPause {
			t.Errorf("%q is %s", value, d)
		}
	})
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2015, 10, 21, 7, 27, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                                  0,
		"0":                                 0,
		"120":                               2 * time.Minute,
		" 5 ":                               5 * time.Second,
		"-1":                                0,
		"9223372036854775807":               maxPause,
		"Wed, 21 Oct 2015 07:28:00 GMT":     time.Minute,
		"Wednesday, 21-Oct-15 07:28:00 GMT": time.Minute,
		"Wed, 21 Oct 2015 07:00:00 GMT":     0,
		"Wed, 21 Oct 2065 07:28:00 GMT":     maxPause,
		"tomorrow":                          0,
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}

// Our clock is behind by an hour, or ahead. That makes no pause longer or shorter.
func TestRetryAfterByTheirClock(t *testing.T) {
	header := make(http.Header)
	header.Set("Retry-After", "Wed, 21 Oct 2015 08:27:30 GMT")
	header.Set("Date", "Wed, 21 Oct 2015 08:27:00 GMT")
	theirs := time.Date(2015, 10, 21, 8, 27, 0, 0, time.UTC)
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour} {
		if d := retryAfter(header, theirs.Add(ahead)); d != 30*time.Second {
			t.Errorf("with a clock %v ahead, the pause is %v", ahead, d)
		}
	}
}
