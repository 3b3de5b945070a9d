package webhook

import (
	"net/http"
	"testing"
	"time"
)

func TestPreferredWait(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  time.Duration
	}{
		{"none", nil, 0},
		{"empty", []string{""}, 0},
		{"plain", []string{"wait=5"}, 5 * time.Second},
		{"in any case", []string{"WAIT=5"}, 5 * time.Second},
		{"spaces", []string{" \twait = 5 \t"}, 5 * time.Second},
		{"quoted", []string{`wait="5"`}, 5 * time.Second},
		{"with parameters", []string{`wait=5; strictly="a;,b"; x`}, 5 * time.Second},
		{"among others", []string{"respond-async, wait=5, return=minimal"}, 5 * time.Second},
		{"in the second line", []string{"respond-async", "return=minimal;wait=9,wait=5"}, 5 * time.Second},
		{"behind a quoted comma", []string{`a="b, wait=7", wait=5`}, 5 * time.Second},
		{"behind a quoted quote", []string{`a="\", wait=7", wait=5`}, 5 * time.Second},
		{"inside of a quote that does not end", []string{`a="b, wait=7`}, 0},
		{"empty elements", []string{", ,,wait=5,"}, 5 * time.Second},
		{"the first counts", []string{"wait=3, wait=5", "wait=7"}, 3 * time.Second},
		{"the first counts, however bad", []string{"wait=x, wait=5"}, 0},
		{"as a parameter of another", []string{"respond-async; wait=5"}, 0},
		{"another name", []string{"waits=5, wai=5, wait-=5"}, 0},
		{"zero", []string{"wait=0"}, 0},
		{"many zeros", []string{"wait=0005"}, 5 * time.Second},
		{"no value", []string{"wait"}, 0},
		{"empty value", []string{"wait=", "wait=5"}, 0},
		{"empty quoted value", []string{`wait=""`}, 0},
		{"a quote alone", []string{`wait="`}, 0},
		{"negative", []string{"wait=-5"}, 0},
		{"with a sign", []string{"wait=+5"}, 0},
		{"fraction", []string{"wait=1.5"}, 0},
		{"with a unit", []string{"wait=5s"}, 0},
		{"hexadecimal", []string{"wait=0x5"}, 0},
		{"the most", []string{"wait=30"}, 30 * time.Second},
		{"more than the most", []string{"wait=31"}, 30 * time.Second},
		{"more than a number holds", []string{"wait=99999999999999999999999999"}, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := preferredWait(http.Header{"Prefer": test.lines}); got != test.want {
				t.Errorf("%q: %v, want %v", test.lines, got, test.want)
			}
		})
	}
}

// Whatever the header says, a wait is in its bounds, and whatever stands behind a preference for
// waiting does not change it.
func FuzzPrefer(f *testing.F) {
	f.Fuzz(func(t *testing.T, line, more string) {
		wait := preferredWait(http.Header{"Prefer": {line, more}})
		if wait < 0 || wait > mostWait || wait%time.Second != 0 {
			t.Errorf("%q waits %v", line, wait)
		}
		if first := preferredWait(http.Header{"Prefer": {line}}); first != 0 && first != wait {
			t.Errorf("%q waits %v, and with %q behind it %v", line, first, more, wait)
		}
		if got := preferredWait(http.Header{"Prefer": {"wait=7," + line, more}}); got != 7*time.Second {
			t.Errorf("with %q behind it, seven seconds are %v", line, got)
		}
	})
}
