package sms_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/filecheck"
	"github.com/cxbridge/cxbridge/internal/sms"
)

const ownRules = `
title: Our own rules
date: 2026-10-01
unlisted: violation
regions:
  uk:
    name: United Kingdom
    alphanumeric:
      use: registration
      pattern: ACME|ACME-[A-Z]+
      min_length: 4
      max_length: 9
      format: one of our brands
      source: Contract
      url: https://example.com/contract
      date: 2026-10-01
      since: 2026-01-01
      note: >-
        Ask the
        carrier desk.
  NO:
    toll_free:
      use: impossible
      pattern: 47800\d{5}
      source: Contract
      date: 2026-10-01
    long_code: {use: free, source: Contract, date: 2026-10-01}
`

func TestParseRules(t *testing.T) {
	rules, err := sms.ParseRules([]byte(ownRules))
	if err != nil {
		t.Fatal(err)
	}
	if rules.Title() != "Our own rules" || rules.Date() != "2026-10-01" || rules.Unlisted() != sms.Violation {
		t.Errorf("got %q of %s, unlisted %s", rules.Title(), rules.Date(), rules.Unlisted())
	}
	want := []sms.RegionRules{
		{Region: "GB", Name: "United Kingdom", Rules: []sms.Rule{{
			Form: sms.Alphanumeric, Use: sms.Registration, Pattern: "ACME|ACME-[A-Z]+", MinLength: 4, MaxLength: 9,
			Format: "one of our brands", Source: "Contract", URL: "https://example.com/contract",
			Date: "2026-10-01", Since: "2026-01-01", Note: "Ask the carrier desk.",
		}}},
		{Region: "NO", Rules: []sms.Rule{
			{Form: sms.LongCode, Use: sms.Free, Source: "Contract", Date: "2026-10-01"},
			{Form: sms.TollFree, Use: sms.Impossible, Pattern: `47800\d{5}`, Source: "Contract", Date: "2026-10-01"},
		}},
	}
	if diff := cmp.Diff(want, rules.Regions()); diff != "" {
		t.Errorf("regions (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		region, sender string
		want           sms.Compliance
		reason         string
	}{
		{"GB", "ACME", sms.Compliant, ""},
		{"GB", "ACME-SHOP", sms.Compliant, ""},
		{"GB", "ACME-SHOPS", sms.Violation, "alphanumeric sender IDs in GB must be one of our brands"},
		{"GB", "xACME", sms.Violation, "alphanumeric sender IDs in GB must be one of our brands"},
		{"GB", "60777", sms.Unchecked, ""},
		{"NO", "+47 800 12 345", sms.Violation, "toll-free numbers are impossible in NO"},
		{"NO", "+47 412 34 567", sms.Compliant, ""},
		{"NO", "41234567", sms.Unchecked, ""},
		{"SE", "ACME", sms.Violation, "unsupported region"},
	} {
		want := sms.Verdict{Compliance: c.want, Region: c.region, Reason: c.reason}
		if got := rules.Check(c.sender, c.region); got != want {
			t.Errorf("Check(%q, %q)\n got %+v\nwant %+v", c.sender, c.region, got, want)
		}
	}
}

func TestParseRulesTellsEveryProblem(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"the file must hold one YAML document"}},
		{"comment", "# nothing\n", []string{"the file must hold one YAML document"}},
		{"two documents", "title: a\n---\ntitle: b\n", []string{"the file must hold one YAML document"}},
		{"no mapping", "- a\n", []string{"line 1: must be a mapping"}},
		{"no YAML", "title: [a\n", []string{"line 1: sequence end token ']' not found"}},
		{"pattern that leaves its brackets", `{title: a, date: 2026-10-01, unlisted: unchecked, regions: {US: {any:
  {use: free, source: x, date: 2026-10-01, pattern: "a)|(b"}}}}`, []string{
			"line 2: regions.US.any.pattern: is no regular expression: error parsing regexp: unexpected ): `a)|(b`",
		}},
		{"pattern that quotes all that follows", `{title: a, date: 2026-10-01, unlisted: unchecked, regions: {US: {any:
  {use: free, source: x, date: 2026-10-01, pattern: '\Q+1'}}}}`, []string{
			"line 2: regions.US.any.pattern: is no regular expression: error parsing regexp: missing closing ): `\\A(?:\\Q+1)\\z`",
		}},
		{"nothing in it", "title:\n", []string{
			"line 1: title: is missing", "line 1: date: is missing", "line 1: unlisted: is missing", "line 1: regions: is missing",
		}},
		{"many at once", `
title: Bad rules
date: October
unlisted: maybe
version: 2
regions:
  England:
    any: {use: free, source: x, date: 2026-10-01}
  GB:
    alphanumeric:
      use: allowed
      pattern: "[A-Z"
      min_length: 5
      max_length: 3
      date: 2026-13-01
    colour: red
    short_code: 7
    toll_free: {use: free, source: x, date: 2026-10-01}
  UK:
    any: {use: free, source: x, date: 2026-10-01}
    long_code: {use: free, source: [x], date: 2026-10-01, min_length: many}
  US: {}
`, []string{
			"line 3: date: must be a date, as 2026-07-01",
			"line 4: unlisted: must be unchecked or violation",
			"line 5: version: unknown key; known are title, date, unlisted, regions",
			"line 7: regions.England: must be an ISO 3166-1 alpha-2 code of two letters",
			"line 10: regions.GB.alphanumeric.source: is missing",
			"line 11: regions.GB.alphanumeric.use: must be free, registration or impossible",
			"line 12: regions.GB.alphanumeric.pattern: is no regular expression: error parsing regexp: missing closing ]: `[A-Z`",
			"line 13: regions.GB.alphanumeric.min_length: must not exceed max_length",
			"line 15: regions.GB.alphanumeric.date: must be a date, as 2026-07-01",
			"line 16: regions.GB.colour: unknown key; known are name, alphanumeric, long_code, short_code, toll_free, any",
			"line 17: regions.GB.short_code: must be a mapping",
			"line 18: regions.GB.toll_free.pattern: is missing; it tells toll-free numbers from long codes",
			"line 19: regions.UK: the region GB is there twice",
			"line 20: regions.UK.any: stands for all forms; there can be no other rule beside it",
			"line 21: regions.UK.long_code.min_length: must be a whole number from 1",
			"line 21: regions.UK.long_code.source: must be text",
			"line 22: regions.US: has no rule",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, err := sms.ParseRules([]byte(c.text))
			var problems *filecheck.Error
			if rules != nil || !errors.As(err, &problems) {
				t.Fatalf("got %v, %v", rules, err)
			}
			if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if len(problems.Problems) != len(c.want) {
				t.Errorf("%d problems", len(problems.Problems))
			}
		})
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte(ownRules))
	f.Add([]byte("a: &a\n  b: *a\n<<: *a\n"))
	f.Add([]byte("regions: {US: {any: {use: free, pattern: '(', min_length: 99999999999999999999}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := sms.ParseRules(text)
		if (rules == nil) != (err != nil) {
			t.Fatalf("got %v, %v", rules, err)
		}
		if err != nil {
			if err.Error() == "" {
				t.Error("an error that says nothing")
			}
			return
		}
		for _, region := range rules.Regions() {
			if v := rules.Check("ACME", region.Region); v.Region != region.Region {
				t.Errorf("checked for %s instead of %s", v.Region, region.Region)
			}
		}
	})
}
