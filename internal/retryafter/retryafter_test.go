package retryafter

import (
	"net/http"
	"testing"
	"time"
)

var now = time.Date(2015, 10, 21, 7, 27, 0, 0, time.UTC)

func FuzzRead(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "+5", "1e3", "1.5", "99999999999999999999", " 5 ",
		"Wed, 21 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed Oct 21 07:28:00 2015"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d := Read(http.Header{"Retry-After": {value}}, now); d < 0 || d > Most {
			t.Errorf("%q is %s", value, d)
		}
	})
}

func TestRead(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"":                                  0,
		"0":                                 0,
		"120":                               2 * time.Minute,
		" 5 ":                               5 * time.Second,
		"-1":                                0,
		"+5":                                0,
		"1.5":                               0,
		"301":                               Most,
		"9223372036854775807":               Most,
		"9223372036854775808":               Most,
		"99999999999999999999999":           Most,
		"Wed, 21 Oct 2015 07:28:00 GMT":     time.Minute,
		"Wednesday, 21-Oct-15 07:28:00 GMT": time.Minute,
		"Wed Oct 21 07:28:00 2015":          time.Minute,
		"Wed, 21 Oct 2015 07:00:00 GMT":     0,
		"Wed, 21 Oct 2065 07:28:00 GMT":     Most,
		"tomorrow":                          0,
	} {
		if got := Read(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
	if got := Read(nil, now); got != 0 {
		t.Errorf("without the header it is %s", got)
	}
}

// Our clock is behind by an hour, or ahead. That makes no pause longer or shorter.
func TestReadByTheirClock(t *testing.T) {
	header := http.Header{"Retry-After": {"Wed, 21 Oct 2015 08:27:30 GMT"}}
	if got := Read(header, now); got != Most {
		t.Errorf("by our clock it is %s", got)
	}
	header.Set("Date", "Wed, 21 Oct 2015 08:27:00 GMT")
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour} {
		if got := Read(header, now.Add(time.Hour+ahead)); got != 30*time.Second {
			t.Errorf("with a clock %v ahead, it is %s", ahead, got)
		}
	}
}
