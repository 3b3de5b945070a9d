package sms

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/refusal"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte(tutorialPayload))
	f.Add([]byte(wrappedPayload))
	zones := Zones{"": time.FixedZone("NPT", 5*3600+45*60)}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		r, err := Decode(raw, zones)
		if string(raw) != before {
			t.Fatal("the bytes changed")
		}
		again, errAgain := Decode(raw, zones)
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("not deterministic: %s", diff)
		}
		if (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Fatalf("not deterministic: %v, then %v", err, errAgain)
		}
		checkDecoded(t, r, err)
	})
}

// checkDecoded checks what holds for everything that Decode returns.
func checkDecoded(t *testing.T, r *Receipt, err error) {
	var malformed *refusal.MalformedError
	var invalid *refusal.InvalidError
	switch {
	case err == nil:
		checkReceipt(t, r)
	case errors.As(err, &malformed):
		if r != nil || malformed.Reason == "" {
			t.Fatalf("malformed: %+v, %v", r, err)
		}
	case errors.As(err, &invalid):
		if len(invalid.Problems) == 0 || r != nil && r.MessageID == "" {
			t.Fatalf("invalid: %+v, %v", r, err)
		}
	default:
		t.Fatalf("the error is of another kind: %v", err)
	}
}

func checkReceipt(t *testing.T, r *Receipt) {
	if r.MessageID == "" || r.RawStatus == "" {
		t.Fatalf("no id or no status: %+v", r)
	}
	if _, err := ParseStatus(r.Status.String()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		r.MessageID, r.RawStatus, r.Carrier, r.ErrorCode, r.SenderID, r.Recipient, r.Region, r.Cost, r.Currency,
	} {
		if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\r\n\x7f") {
			t.Fatalf("no text for a column: %q", text)
		}
	}
	if r.Cost != "" && decimal(r.Cost) != r.Cost {
		t.Fatalf("cost %q is not in plain notation", r.Cost)
	}
	for _, at := range []time.Time{r.At, r.Submitted} {
		if at.Location() != time.UTC || at.Year() < 1 || at.Year() > 9999 || at.Nanosecond()%1000 != 0 {
			t.Fatalf("no time for a column: %v", at)
		}
	}
	if r.Segments < 0 || r.Segments > 255 || r.Raw != nil || !r.Received.IsZero() || r.RecipientRegion != "" {
		t.Fatalf("%+v", r)
	}
}

func FuzzReceiptText(f *testing.F) {
	for _, tt := range receiptTexts {
		f.Add(tt.text)
	}
	for _, tt := range brokenTexts {
		f.Add(tt.text)
	}
	for _, tt := range ruledTexts {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := parseReceiptText(text, time.UTC)
		if got != parseReceiptText(text, time.UTC) {
			t.Fatal("not deterministic")
		}
		for _, value := range []string{got.id, got.stat, got.err} {
			if !strings.Contains(text, value) || strings.TrimFunc(value, blank) != value || value != "" && placeholder(value) {
				t.Fatalf("no value of the text: %q", value)
			}
		}
		for _, word := range []string{got.stat, got.err} {
			if strings.ContainsFunc(word, blank) {
				t.Fatalf("more than a word: %q", word)
			}
		}
		if got.done.Year() > 2099 || got.submitted.Year() > 2099 {
			return // by its offset, a date of the last day of 2099; it has no other form
		}
		// What is read can be written in the standard form, and is read from there the same.
		standard := "id:" + got.id + " submit date:" + dateText(got.submitted) + " done date:" + dateText(got.done) +
			" stat:" + got.stat + " err:" + got.err + " text:" + text
		got.done, got.submitted = got.done.Truncate(time.Second), got.submitted.Truncate(time.Second)
		if again := parseReceiptText(standard, time.UTC); again != got {
			t.Fatalf("%q: got %+v, want %+v", standard, again, got)
		}
	})
}

func dateText(at time.Time) string {
	if at.IsZero() {
		return "00000000000000"
	}
	return at.Format("20060102150405")
}
