package sms_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestDefaultRules(t *testing.T) {
	const (
		ok        = sms.Compliant
		violation = sms.Violation
		unchecked = sms.Unchecked
	)
	for _, c := range []struct {
		region, sender string
		want           sms.Compliance
	}{
		{"US", "ACME", violation},
		{"US", "SENDER42", violation},
		{"US", "+12025550123", ok},
		{"US", "12025550123", ok},
		{"US", "2025550123", ok},
		{"US", "+1 (202) 555-0123", ok},
		{"US", "+18885550123", ok},
		{"US", "+11115550123", violation},
		{"US", "+447700900123", violation},
		{"US", "12345", ok},
		{"US", "123456", ok},
		{"US", "1234", violation},
		{"US", "1234567", violation},
		{"CA", "ACME", violation},
		{"CA", "+14165550123", ok},
		{"CA", "+18005550123", ok},
		{"CA", "123456", ok},
		{"PR", "ACME", violation},
		{"PR", "+18005550123", ok},
		{"PR", "+17875550123", unchecked},
		{"GB", "ACME", ok},
		{"GB", "Acme & Co.", ok},
		{"GB", "AB", violation},
		{"GB", "TWELVE CHARS", violation},
		{"GB", "ACME@HOME", violation},
		{"GB", "+447700900123", ok},
		{"GB", "07700900123", ok},
		{"GB", "+12025550123", violation},
		{"GB", "60777", ok},
		{"GB", "12345", violation},
		{"DE", "ACME", ok},
		{"DE", "A", ok},
		{"DE", "Zwölf", violation},
		{"DE", "+4915112345678", ok},
		{"DE", "12345", ok},
		{"FR", "ACME", ok},
		{"FR", "ACME FR", violation},
		{"FR", "36123", ok},
		{"FR", "12345", violation},
		{"FR", "+33612345678", ok},
		{"ES", "Peña", ok},
		{"ES", "AB", violation},
		{"ES", "MI BANCO", ok},
		{"ES", " BANCO", violation},
		{"ES", "MI  BANCO", violation},
		{"ES", "MI_TIENDA_12", violation},
		{"ES", "+34612345678", ok},
		{"ES", "25123", ok},
		{"IT", "ACME", ok},
		{"IT", "LONGERTHAN11", violation},
		{"IT", "+393401234567", ok},
		{"IT", "48123", unchecked},
		{"NL", "ACME", ok},
		{"NL", "AB", violation},
		{"NL", "+31612345678", ok},
		{"NL", "1234", unchecked},
		{"IN", "ABCDEF", ok},
		{"IN", "VM-ABCDEF-S", ok},
		{"IN", "ABCDEF-T", ok},
		{"IN", "ABCDEF-X", violation},
		{"IN", "ABCDE", violation},
		{"IN", "ABCDEFG", violation},
		{"IN", "123456", ok},
		{"IN", "1234567", violation},
		{"IN", "+919812345678", violation},
		{"AU", "ACME", ok},
		{"AU", "LONGERTHAN11", violation},
		{"AU", "+61412345678", ok},
		{"AU", "191234", unchecked},
		{"SG", "ACME", ok},
		{"SG", "LONGERTHAN11", violation},
		{"SG", "+6591234567", ok},
		{"BR", "ACME", ok},
		{"BR", "AC ME", violation},
		{"BR", "28123", ok},
		{"MX", "ACME", ok},
		{"MX", "LONGERTHAN11", violation},
		{"MX", "12345", ok},
		{"ZA", "ACME", violation},
		{"ZA", "+27821234567", ok},
		{"ZA", "31234", ok},
		{"AE", "AD-ACME", ok},
		{"AE", "AD-LONGNAMES", violation},
		{"AE", "4226", ok},
		{"AE", "+971501234567", unchecked},
		{"IE", "ACME", ok},
		{"IE", "+353851234567", unchecked},
		{"NZ", "ACME", violation},
		{"NZ", "+64211234567", violation},
		{"NZ", "4321", ok},
		{"NZ", "12", violation},

		{"GB", "+1234567890123456", violation}, // more digits than a number has
		{"GB", "---", violation},               // neither letter nor digit
		{"GB", "ACME\x00", violation},
		{"GB", "\xff\xfe\xfd", violation},
		{"JP", "ACME", unchecked},
		{"", "ACME", unchecked},
		{"JP", "", violation},
		{"JP", " \t", violation},
		{"US", "", violation},
		{"uk", "ACME", ok},
		{" gb ", "ACME", ok},
		{"us", "ACME", violation},
	} {
		got := sms.DefaultRules().Check(c.sender, c.region)
		if got.Compliance != c.want {
			t.Errorf("Check(%q, %q) = %s (%s), want %s", c.sender, c.region, got.Compliance, got.Reason, c.want)
		}
		if (got.Reason != "") != (got.Compliance == violation) {
			t.Errorf("Check(%q, %q) = %s with reason %q", c.sender, c.region, got.Compliance, got.Reason)
		}
	}
}

func TestDefaultRulesNameTheUseOfNames(t *testing.T) {
	want := map[sms.Use]string{
		sms.Impossible:   "CA NZ PR US ZA",
		sms.Registration: "AE AU BR ES IE IN IT MX SG",
		sms.Free:         "DE FR GB NL",
	}
	got := make(map[sms.Use]string)
	for _, region := range sms.DefaultRules().Regions() {
		for _, rule := range region.Rules {
			if rule.Form == sms.Alphanumeric {
				got[rule.Use] = strings.TrimSpace(got[rule.Use] + " " + region.Region)
			}
		}
	}
	for use := range want {
		if got[use] != want[use] {
			t.Errorf("%s: got %s, want %s", use, got[use], want[use])
		}
	}
}

func TestReasons(t *testing.T) {
	defaults, seed := sms.DefaultRules(), sms.SeedRules()
	for _, c := range []struct {
		rules          *sms.SenderRules
		region, sender string
		want           sms.Verdict
	}{
		{defaults, "us", "ACME", sms.Verdict{Compliance: sms.Violation, Region: "US", Reason: "alphanumeric sender IDs are impossible in US"}},
		{defaults, "NZ", "+64211234567", sms.Verdict{Compliance: sms.Violation, Region: "NZ", Reason: "long codes are impossible in NZ"}},
		{defaults, "UK", "12345", sms.Verdict{Compliance: sms.Violation, Region: "GB", Reason: "short codes in GB must be 5 digits that begin with 6, 7 or 8"}},
		{defaults, "UK", "", sms.Verdict{Compliance: sms.Violation, Region: "GB", Reason: "sender ID is empty"}},
		{defaults, "jp", "ACME", sms.Verdict{Compliance: sms.Unchecked, Region: "JP"}},
		{defaults, "uk", "ACME", sms.Verdict{Compliance: sms.Compliant, Region: "GB"}},
		{seed, "JP", "ACME", sms.Verdict{Compliance: sms.Violation, Region: "JP", Reason: "unsupported region"}},
		{seed, "JP", "", sms.Verdict{Compliance: sms.Violation, Region: "JP", Reason: "sender ID is empty"}},
		{seed, "IN", "ABC", sms.Verdict{Compliance: sms.Violation, Region: "IN", Reason: "sender IDs in IN must be 6 letters"}},
		{new(sms.SenderRules), "US", "ACME", sms.Verdict{Compliance: sms.Unchecked, Region: "US"}},
		{nil, "US", "ACME", sms.Verdict{Compliance: sms.Unchecked, Region: "US"}},
		{nil, "US", "", sms.Verdict{Compliance: sms.Violation, Region: "US", Reason: "sender ID is empty"}},
	} {
		if got := c.rules.Check(c.sender, c.region); got != c.want {
			t.Errorf("Check(%q, %q)\n got %+v\nwant %+v", c.sender, c.region, got, c.want)
		}
	}
}

// The first specification, as it reads: one pattern and one length for each of five regions.
func TestSeedRulesAreTheFirstSpecification(t *testing.T) {
	type rule struct {
		pattern *regexp.Regexp
		length  int
	}
	specified := map[string]rule{
		"US": {regexp.MustCompile(`^[A-Za-z0-9]{3,11}$`), 11},
		"UK": {regexp.MustCompile(`^[A-Za-z0-9]{1,11}$`), 11},
		"IN": {regexp.MustCompile(`^[A-Za-z]{6}$`), 6},
		"DE": {regexp.MustCompile(`^[A-Za-z0-9]{1,11}$`), 11},
		"AU": {regexp.MustCompile(`^[A-Za-z0-9]{1,11}$`), 11},
	}
	valid := func(sender, region string) bool {
		r, ok := specified[strings.ToUpper(region)]
		return ok && sender != "" && r.pattern.MatchString(sender) && len(sender) <= r.length
	}
	rapid.Check(t, func(t *rapid.T) {
		region := rapid.SampledFrom([]string{"US", "UK", "IN", "DE", "AU", "us", "in", "FR", "JP", ""}).Draw(t, "region")
		sender := rapid.OneOf(
			rapid.StringMatching(`[A-Za-z0-9]{0,13}`),
			rapid.StringMatching(`[A-Za-z]{6}`),
			rapid.StringMatching(`\+?[0-9 ()-]{0,16}`),
			rapid.String(),
		).Draw(t, "sender")
		want := sms.Violation
		if valid(sender, region) {
			want = sms.Compliant
		}
		if got := sms.SeedRules().Check(sender, region); got.Compliance != want {
			t.Fatalf("Check(%q, %q) = %+v, want %s", sender, region, got, want)
		}
	})
}

func TestRegionTellsTheRules(t *testing.T) {
	r, ok := sms.DefaultRules().Region("uk")
	if !ok || r.Region != "GB" || r.Name != "United Kingdom" || len(r.Rules) != 3 {
		t.Fatalf("Region(uk) = %+v, %v", r, ok)
	}
	in, _ := sms.DefaultRules().Region("IN")
	if a := in.Rules[0]; a.Form != sms.Alphanumeric || a.Use != sms.Registration || a.Since != "2025-05-06" || a.Source == "" || a.Note == "" {
		t.Errorf("Region(IN) starts with %+v", a)
	}
	if _, ok := sms.DefaultRules().Region("JP"); ok {
		t.Error("JP is not in the file")
	}
}

func TestBuiltinRules(t *testing.T) {
	for name, want := range map[string]*sms.SenderRules{"default": sms.DefaultRules(), "seed": sms.SeedRules()} {
		if got, ok := sms.BuiltinRules(name); !ok || got != want {
			t.Errorf("BuiltinRules(%q) = %p, %v, want %p", name, got, ok, want)
		}
	}
	if got, ok := sms.BuiltinRules("./default.yaml"); ok {
		t.Errorf("a path is not the name of a built-in file, got %s", got.Title())
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("ACME", "US")
	f.Add("+12025550123", "us")
	f.Add("VM-ABCDEF-S", "IN")
	f.Add("", "UK")
	f.Add("\xff (0)", "gb")
	f.Add("MI BANCO", "ES")
	f.Fuzz(func(t *testing.T, sender, region string) {
		for _, rules := range []*sms.SenderRules{sms.DefaultRules(), sms.SeedRules()} {
			v := rules.Check(sender, region)
			switch v.Compliance {
			case sms.Violation:
				if v.Reason == "" {
					t.Errorf("Check(%q, %q): a violation without a reason", sender, region)
				}
			case sms.Compliant, sms.Unchecked:
				if v.Reason != "" || strings.TrimSpace(sender) == "" {
					t.Errorf("Check(%q, %q) = %+v", sender, region, v)
				}
			default:
				t.Errorf("Check(%q, %q) = %+v", sender, region, v)
			}
			if len(sender) > 4 && len(v.Reason) > 0 && strings.ContainsAny(sender, "0123456789") && strings.Contains(v.Reason, sender) {
				t.Errorf("the reason %q holds the sender ID", v.Reason)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for _, c := range []struct{ name, sender, region string }{
		{"name free", "ACME Bank", "GB"},
		{"name impossible", "ACME Bank", "US"},
		{"header", "VM-ABCDEF-S", "IN"},
		{"long code", "+12025550123", "US"},
		{"short code", "60777", "GB"},
		{"unlisted", "ACME Bank", "JP"},
	} {
		b.Run(c.name, func(b *testing.B) {
			rules := sms.DefaultRules()
			b.ReportAllocs()
			for b.Loop() {
				rules.Check(c.sender, c.region)
			}
		})
	}
}
