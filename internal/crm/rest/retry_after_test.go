package rest

import (
	"net/http"
	"testing"
	"time"
)

var now = time.Date(2015, 10, 21, 7, 27, 0, 0, time.UTC)

func FuzzParseRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "+5", "1e3", "1.5", "99999999999999999999", " 5 ", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed Oct 21 07:28:00 2015"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d := parseRetryAfter(value, now); d < 0 || d > maxRetryAfter {
			t.Errorf("%q is %s", value, d)
		}
	})
}

func TestParseRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"":                                  0,
		"0":                                 0,
		"120":                               2 * time.Minute,
		" 5 ":                               5 * time.Second,
		"-1":                                0,
		"+5":                                0,
		"1.5":                               0,
		"301":                               maxRetryAfter,
		"99999999999999999999999":           maxRetryAfter,
		"Wed, 21 Oct 2015 07:28:00 GMT":     time.Minute,
		"Wednesday, 21-Oct-15 07:28:00 GMT": time.Minute,
		"Wed Oct 21 07:28:00 2015":          time.Minute,
		"Wed, 21 Oct 2015 07:00:00 GMT":     0,
		"Wed, 21 Oct 2065 07:28:00 GMT":     maxRetryAfter,
		"tomorrow":                          0,
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}

// A CRM whose clock is an hour off means the same pause.
func TestRetryAfterByTheirClock(t *testing.T) {
	header := http.Header{}
	header.Set("Retry-After", "Wed, 21 Oct 2015 08:28:00 GMT")
	if got := retryAfter(header, now); got != maxRetryAfter {
		t.Errorf("by our clock it is %s", got)
	}
	header.Set("Date", "Wed, 21 Oct 2015 08:27:00 GMT")
	if got := retryAfter(header, now); got != time.Minute {
		t.Errorf("by theirs it is %s", got)
	}
}
