package sms_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestErasedMessageStaysErased(t *testing.T) {
	base := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	receipt := func(status sms.Status, at time.Time, sender string) *sms.Receipt {
		return &sms.Receipt{
			MessageID: "m", Status: status, RawStatus: status.String(), At: at, Carrier: "TWILIO", SenderID: sender,
			Recipient: "+4915112345678", RecipientRegion: "DE", Received: base, Raw: []byte(`{"to":"+4915112345678"}`),
		}
	}
	first, untimed := receipt(sms.Pending, base, "ACME"), receipt(sms.Pending, time.Time{}, "ACME")
	for name, test := range map[string]struct {
		sender string // that the message has still
		next   *sms.Receipt
		sees   bool // the message changes
	}{
		"the same again":             {"ACME", first, false},
		"the same, without a sender": {"", first, false},
		"an earlier one":             {"ACME", untimed, false},
		"a later one":                {"ACME", receipt(sms.Delivered, base.Add(time.Hour), "ACME"), true},
		"another sender":             {"ACME", receipt(sms.Delivered, base.Add(time.Hour), "OTHER"), true},
		"no sender any more":         {"", receipt(sms.Delivered, base.Add(time.Hour), "+4915112345678"), true},
	} {
		var m sms.Message
		m.Fold(first)
		key := m.Key
		m.Recipient, m.SenderID, m.Raw = "", test.sender, []byte(sms.ErasedRaw)
		want := m
		past := m.PastOf(test.next)
		if past.Key != test.next.Key() || string(past.Raw) != sms.ErasedRaw {
			t.Errorf("%s: the history keeps %+v", name, past)
		}
		if changed := m.Fold(test.next); changed != test.sees || (m.Key == key) == test.sees {
			t.Errorf("%s: changed: %v", name, changed)
		}
		if test.sees {
			want.Status, want.RawStatus, want.StatusAt, want.Key = test.next.Status, test.next.RawStatus, test.next.At, test.next.Key()
			if test.sender != "" {
				want.SenderID = test.next.SenderID
			}
		}
		if diff := cmp.Diff(want, m, cmpopts.IgnoreFields(sms.Message{}, "Ranks")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
