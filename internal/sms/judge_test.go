package sms_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestExamineTakesTheBestKnownRegion(t *testing.T) {
	for _, c := range []struct {
		name          string
		receipt       sms.Receipt
		defaultRegion string
		want          sms.Verdict
		recipient     string // region noted on the receipt
	}{
		{
			name:    "payload before recipient",
			receipt: sms.Receipt{SenderID: "ACME", Region: "DE", Recipient: "+12025550123"},
			want:    sms.Verdict{Compliance: sms.Compliant, Region: "DE"}, recipient: "US", defaultRegion: "US",
		},
		{
			name:    "recipient before default",
			receipt: sms.Receipt{SenderID: "ACME", Recipient: "+12025550123"}, defaultRegion: "DE",
			want:      sms.Verdict{Compliance: sms.Violation, Region: "US", Reason: "alphanumeric sender IDs are impossible in US"},
			recipient: "US",
		},
		{
			name:    "recipient as it is dialled in the default region",
			receipt: sms.Receipt{SenderID: "ACME", Recipient: "(650) 253-0000"}, defaultRegion: "US",
			want:      sms.Verdict{Compliance: sms.Violation, Region: "US", Reason: "alphanumeric sender IDs are impossible in US"},
			recipient: "US",
		},
		{
			name:    "default for a recipient that tells nothing",
			receipt: sms.Receipt{SenderID: "ACME", Recipient: "07700900123"}, defaultRegion: "GB",
			want: sms.Verdict{Compliance: sms.Compliant, Region: "GB"},
		},
		{
			name:    "default without a recipient",
			receipt: sms.Receipt{SenderID: "ACME"}, defaultRegion: "US",
			want: sms.Verdict{Compliance: sms.Violation, Region: "US", Reason: "alphanumeric sender IDs are impossible in US"},
		},
		{
			name:    "no region at all",
			receipt: sms.Receipt{SenderID: "ACME"},
			want:    sms.Verdict{Compliance: sms.Unchecked},
		},
		{
			name:    "recipient region known before",
			receipt: sms.Receipt{SenderID: "ACME", Recipient: "+12025550123", RecipientRegion: "FR"},
			want:    sms.Verdict{Compliance: sms.Compliant, Region: "FR"}, recipient: "FR",
		},
		{
			name:    "unlisted region",
			receipt: sms.Receipt{SenderID: "ACME", Recipient: "+81312345678"}, defaultRegion: "US",
			want: sms.Verdict{Compliance: sms.Unchecked, Region: "JP"}, recipient: "JP",
		},
		{
			name:    "no sender",
			receipt: sms.Receipt{Recipient: "+81312345678"},
			want:    sms.Verdict{Compliance: sms.Violation, Region: "JP", Reason: "sender ID is empty"}, recipient: "JP",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			judge := &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: c.defaultRegion}
			if got := judge.Examine(&c.receipt); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if c.receipt.RecipientRegion != c.recipient {
				t.Errorf("recipient region %q, want %q", c.receipt.RecipientRegion, c.recipient)
			}
		})
	}
}

// The default region is that of today, not of the day when the message came.
func TestSettleFollowsTheDefaultRegion(t *testing.T) {
	m := sms.Message{SenderID: "ACME"}
	(&sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "US"}).Settle(&m)
	(&sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "GB"}).Settle(&m)
	if m.Region != "GB" || m.RegionSource != sms.RegionDefault || m.Compliance != sms.Compliant {
		t.Errorf("%s from %s, %s", m.Region, m.RegionSource, m.Compliance)
	}
}

// The verdict on a sender ID that was erased stays as it is.
func TestSettleKeepsTheVerdictOnAnErasedSender(t *testing.T) {
	m := sms.Message{Raw: []byte(sms.ErasedRaw), Region: "GB", RegionSource: sms.RegionNamed, Compliance: sms.Compliant}
	(&sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "US"}).Settle(&m)
	if m.Compliance != sms.Compliant || m.ComplianceReason != "" {
		t.Errorf("%s (%s)", m.Compliance, m.ComplianceReason)
	}
}

func TestSettleFollowsTheFolds(t *testing.T) {
	judge := &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "NL"}
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	var m sms.Message
	for i, step := range []struct {
		receipt    sms.Receipt
		region     string
		source     sms.RegionSource
		compliance sms.Compliance
		reason     string
	}{
		{sms.Receipt{}, "NL", sms.RegionDefault, sms.Violation, "sender ID is empty"},
		{sms.Receipt{SenderID: "ACME"}, "NL", sms.RegionDefault, sms.Compliant, ""},
		{sms.Receipt{Recipient: "+12025550123"}, "US", sms.RegionRecipient, sms.Violation, "alphanumeric sender IDs are impossible in US"},
		{sms.Receipt{Region: "GB"}, "GB", sms.RegionNamed, sms.Compliant, ""},
		{sms.Receipt{SenderID: "A"}, "GB", sms.RegionNamed, sms.Violation, "alphanumeric sender IDs in GB must be 3 to 11 letters, digits, spaces or any of . & _ -"},
		{sms.Receipt{SenderID: "+447700900123"}, "GB", sms.RegionNamed, sms.Compliant, ""},
	} {
		r := step.receipt
		r.MessageID, r.Status, r.RawStatus, r.At = "m-1", sms.Pending, "ENROUTE", at.Add(time.Duration(i)*time.Second)
		judge.Examine(&r)
		m.Fold(&r)
		for range 2 { // to settle twice changes nothing
			judge.Settle(&m)
			if m.Region != step.region || m.RegionSource != step.source {
				t.Errorf("step %d: region %s from %s, want %s from %s", i, m.Region, m.RegionSource, step.region, step.source)
			}
			if m.Compliance != step.compliance || m.ComplianceReason != step.reason {
				t.Errorf("step %d: %s (%s), want %s (%s)", i, m.Compliance, m.ComplianceReason, step.compliance, step.reason)
			}
		}
	}
}

// The verdict must not depend on the order of arrival, nor on whether the message was settled in
// between.
func TestSettleDoesNotDependOnOrder(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	judge := &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "NL"}
	receipt := rapid.Custom(func(t *rapid.T) sms.Receipt {
		r := sms.Receipt{
			MessageID: "m-1",
			Status:    rapid.SampledFrom([]sms.Status{sms.Pending, sms.Failed, sms.Delivered}).Draw(t, "status"),
			SenderID:  rapid.SampledFrom([]string{"", "ACME", "A", "+12025550123", "60777"}).Draw(t, "sender"),
			Recipient: rapid.SampledFrom([]string{"", "+12025550123", "+447700900123", "0770"}).Draw(t, "recipient"),
			Region:    rapid.SampledFrom([]string{"", "", "FR", "ZA"}).Draw(t, "region"),
			At:        at.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "second")) * time.Second),
		}
		r.RawStatus = r.Status.String()
		judge.Examine(&r)
		return r
	})
	type settled struct {
		region     string
		source     sms.RegionSource
		compliance sms.Compliance
		reason     string
	}
	fold := func(receipts []sms.Receipt, settleEach bool) settled {
		var m sms.Message
		for i := range receipts {
			m.Fold(&receipts[i])
			if settleEach {
				judge.Settle(&m)
			}
		}
		judge.Settle(&m)
		return settled{m.Region, m.RegionSource, m.Compliance, m.ComplianceReason}
	}
	rapid.Check(t, func(t *rapid.T) {
		receipts := rapid.SliceOfN(receipt, 1, 6).Draw(t, "receipts")
		want := fold(receipts, false)
		if got := fold(receipts, true); got != want {
			t.Fatalf("settled after each: %+v, once: %+v", got, want)
		}
		if got := fold(rapid.Permutation(receipts).Draw(t, "permuted"), true); got != want {
			t.Fatalf("permuted: %+v, first: %+v", got, want)
		}
	})
}
