package sms_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestParseKey(t *testing.T) {
	key := (&sms.Receipt{MessageID: "m"}).Key()
	if got, err := sms.ParseKey(key[:]); err != nil || got != key {
		t.Errorf("ParseKey = %x, %v, want %x", got, err, key)
	}
	for _, b := range [][]byte{nil, key[:15], append(key[:], 0)} {
		if _, err := sms.ParseKey(b); err == nil {
			t.Errorf("ParseKey takes %d bytes", len(b))
		}
	}
}

func TestRanksAreReadBack(t *testing.T) {
	for want, ranks := range map[string]sms.Ranks{
		"": nil,
		`{"region":1,"sender_id":9223372036854775807}`: {"sender_id": 1<<63 - 1, "region": 1},
	} {
		text := ranks.Encode()
		if text != want {
			t.Errorf("Encode = %q, want %q", text, want)
		}
		got, err := sms.ParseRanks([]byte(text))
		if diff := cmp.Diff(ranks, got); err != nil || diff != "" {
			t.Errorf("ParseRanks: %v (-want +got)\n%s", err, diff)
		}
	}
	if got := (sms.Ranks{}).Encode(); got != "" {
		t.Errorf("Encode of no ranks = %q", got)
	}
	if _, err := sms.ParseRanks([]byte(`{"region":"1"}`)); err == nil {
		t.Error("ParseRanks takes a text for a rank")
	}
}
