package store_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/store"
)

// requireNeedle checks that a database does not sort out what is found.
func requireNeedle(t interface{ Fatalf(string, ...any) }, s *store.Seeker, text []byte) {
	digits := store.Digits(text)
	if !slices.ContainsFunc(s.Needles(), func(n string) bool { return bytes.Contains(text, []byte(n)) || bytes.Contains(digits, []byte(n)) }) {
		t.Fatalf("none of %q is in %q", s.Needles(), text)
	}
}

// requireFound looks for a number in texts.
func requireFound(t *testing.T, recipient string, texts map[string]bool) {
	t.Helper()
	s := store.Person{Recipient: recipient}.Seeker()
	for text, want := range texts {
		if got := s.In([]byte(text)); got != want {
			t.Errorf("%s in %q: %v", recipient, text, got)
		} else if got {
			requireNeedle(t, s, []byte(text))
		}
	}
}

func TestSeekerFindsNumbers(t *testing.T) {
	const digits = "4915112345678"
	for _, recipient := range []string{digits, "+" + digits, "+49 151-12345678", "00" + digits, "011 49 151 12345678", "+49 (0)151 12345678"} {
		requireFound(t, recipient, map[string]bool{
			"+" + digits: true, digits: true, `{"to":"+` + digits + `"}`: true, `{"to":` + digits + `}`: true,
			`{"to":"\u002b` + digits + `"}`: true, "call " + digits + "!": true, "sms:" + digits: true, "\xff" + digits + "\x00": true,
			"1" + digits: false, digits + "0": false, "000" + digits: false, digits[1:]: false, "": false,
			digits + "0 " + digits: true, // the second one
		})
	}
	requireFound(t, "+49 151 1", map[string]bool{`{"to":"+49 151 1"}`: true, "491511": true, "49-1511": true, "1511": false})
	requireFound(t, "20260301", map[string]bool{"20260301": true, "2026-03-01T10:00:00Z": false})
	requireFound(t, "", map[string]bool{"": false, "0": false, "+": false})
}

// A number is found however people write it.
func TestSeekerFindsForms(t *testing.T) {
	requireFound(t, "+447700900888", map[string]bool{
		"00447700900888": true, "011447700900888": true, "+44 7700 900 888": true, "+44 (0)7700 900888": true, "0044 (0) 7700-900-888": true,
		"call me on +44 7700 900888": true, "+44.7700.900.888": true, "+44/7700/900888": true, "(+44) 7700 900888": true, "[44] 7700~900888": true,
		"+44\u00a07700\u202f900\u2011888": true, "\u202a+44 7700 900888\u202c": true, "+44 7700\n900888": true,
		`{"text":"+44\u00a07700\u00A0900\u2011888"}`: true, `{"text":"at:\u00a007700 900888"}`: true, `{"to":"+44\/7700\/900888"}`: true,
		"+44 - (7700) - 900888": true, "+44 7700      900888": false, "+44 7700, 900888": false, "+44 7700x900888": false,

		"07700 900888": true, "07700900888": true, "ring 07700-900-888 now": true, "7700900888": true, "(07700) 900888": true,
		"+49 7700 900888": false, "+49 (0)7700 900888": false, "0049 7700900888": false, "+353 (0) 7700 900888": false,
		"+447700900889 07700900888": true, "+44 7700 900889, 07700 900888": true, "room 12 07700 900888": true,

		"+44 7700 9008881": false, "1447700900888": false, "107700900888": false, "+44 7700 900887": false, "+44 7700 90088": false,
	})
	requireFound(t, "+12025550100", map[string]bool{
		"(202) 555-0100": true, "202.555.0100": true, "1-202-555-0100": true, "+1 (202) 555-0100": true, "12025550100": true,
		"+44 2025 550100": false, "2025550101": false, "x2025550100": true,
	})
	requireFound(t, "+5491123456789", map[string]bool{"+54 9 11 2345-6789": true, "91123456789": true, "+54 9 11 2345-6788": false})
	// Within Denmark a number has eight digits, as a date has.
	requireFound(t, "+4520260301", map[string]bool{
		"+45 20 26 03 01": true, "20260301": true, " 20 26 03 01 ": true, "2026-03-01T10:00:00Z": false, `{"version":20260301}`: false, "on 20260301": false,
	})
}

// Whatever stands between the digits, and before them, the number is found and not sorted out.
func TestSeekerFindsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.SampledFrom([]string{"447700900888", "12025550100", "4520260301", "5491123456789", "390669812345"}).Draw(t, "number")
		var b strings.Builder
		b.WriteString(rapid.SampledFrom([]string{"", "+", "00", "011", "tel:", `\u002B`, "1,", "x", "\u202a+"}).Draw(t, "before"))
		for i := range number {
			b.WriteByte(number[i])
			if i < len(number)-1 {
				b.WriteString(rapid.SampledFrom([]string{"", "", " ", "-", ") (", `\u00a0`, "\u00a0", `\/`, "\u2013", " \u200b. "}).Draw(t, "sign"))
			}
		}
		b.WriteString(rapid.SampledFrom([]string{"", " ", ".", `"}`, "\\", `\u0020`, "a1"}).Draw(t, "behind"))
		s := store.Person{Recipient: "+" + number}.Seeker()
		if !s.In([]byte(b.String())) {
			t.Fatalf("+%s is not found in %q", number, b.String())
		}
		requireNeedle(t, s, []byte(b.String()))
	})
}

// What is found is never sorted out, whatever it is.
func FuzzNeedles(f *testing.F) {
	f.Add("+447700900888", []byte(`{"to":"+44\u00a07700 900888\"}`))
	f.Add("+49 151 1", []byte("+49 151 1"))
	f.Add("a b", []byte(`a b\`))
	f.Fuzz(func(t *testing.T, number string, text []byte) {
		s := store.Person{Recipient: number}.Seeker()
		if s.In(text) && len(store.Digits([]byte(number))) > 0 {
			requireNeedle(t, s, text)
		}
	})
}

func TestDigits(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "+44 7700": "447700", `\u00a07\u0037`: "7", `\\u0037`: "0037", `a\`: "", `\u12`: "12", `\u`: "", `1\n2`: "12", "\u06607": "7",
	} {
		if got := string(store.Digits([]byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
