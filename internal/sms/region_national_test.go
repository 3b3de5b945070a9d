package sms_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestRegionFrom(t *testing.T) {
	for _, c := range []struct{ number, home, want string }{
		{"2125551234", "US", "US"}, // and not MA
		{"3105551234", "US", "US"}, // NL
		{"4155551234", "US", "US"}, // CH
		{"(650) 253-0000", "US", "US"},
		{"1 (650) 253-0000", "US", "US"},
		{"4165550123", "US", "CA"}, // the plan is one
		{"6582345678", "US", "SG"}, // JM, but none of the US
		{"4792345678", "US", "US"}, // NO, too
		{"6502530000", "CA", "US"},
		{"2125551234", "GB", "MA"}, // none of GB
		{"2125551234", "", "MA"},
		{"2125551234", "ZZ", "MA"},

		{"07400 123456", "GB", "GB"},
		{"7400123456", "GB", "GB"}, // and not RU
		{"(0)7400 123456", "GB", "GB"},
		{"07797 712345", "GB", "JE"},
		{"07400123456", "US", ""},
		{"0151 12345678", "DE", "DE"},
		{"15112345678", "DE", "DE"}, // and not US: no valid number there
		{"8 (912) 345-67-89", "RU", "RU"},
		{"06 20 123 4567", "HU", "HU"},
		{"9812345678", "IN", "IN"}, // IR
		{"612345678", "FR", "FR"},  // AU
		{"412345678", "AU", "AU"},  // CH
		{"91234567", "SG", "SG"},   // IN
		{"0669812345", "IT", "VA"},
		{"5123456", "EE", "EE"},
		{"011 44 7400 123456", "US", "GB"}, // as it is dialled abroad

		{"", "US", ""},
		{"()", "US", ""},
		{"12345", "US", ""},
		{"ACME", "US", ""},
		{"1-800-FLOWERS", "US", ""},
	} {
		if got := sms.RegionFrom(c.number, c.home); got != c.want {
			t.Errorf("RegionFrom(%q, %q) = %q, want %q", c.number, c.home, got, c.want)
		}
	}
}

var regions = slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))

// A number with + or 00 names its region, whatever the home.
func TestRegionFromAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.SampledFrom([]string{"+", "00", " + "}).Draw(t, "prefix") + rapid.StringMatching(`[0-9]{5,16}`).Draw(t, "digits")
		home := rapid.SampledFrom(regions).Draw(t, "home")
		if got, want := sms.RegionFrom(number, home), sms.RegionOf(number); got != want {
			t.Fatalf("RegionFrom(%q, %q) = %q, want %q", number, home, got, want)
		}
	})
}

// Without a plus sign a number in international form keeps its region. Only where the digits are those of a
// mobile phone at home as well, nothing tells which one is meant.
func TestRegionFromInternationalForm(t *testing.T) {
	for _, number := range []string{"447911123456", "12125551234", "33612345678", "4915112345678", "919812345678", "6581234567", "4520123456"} {
		want := sms.RegionOf("+" + number)
		for _, home := range []string{"GB", "US", "DE", "FR", "IN", "SG", "DK", "AT", "CA", "ZZ", ""} {
			if got := sms.RegionFrom(number, home); got != want {
				t.Errorf("RegionFrom(%q, %q) = %q, want %q", number, home, got, want)
			}
		}
	}
	for _, n := range mobiles() {
		number := strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
		if len(number) < 8 {
			continue // too short to be believed without a plus sign
		}
		want := phonenumbers.GetRegionCodeForNumber(n)
		for _, home := range []string{"US", "GB", "DE", "AT", "IN", "IT", "RU"} { // AT and DE have the loosest plans
			if got := sms.RegionFrom(number, home); got != want && !isMobileIn(home, number) {
				t.Errorf("RegionFrom(%q, %q) = %q, want %q", number, home, got, want)
			}
		}
	}
}

// A mobile number as it is dialled at home is of home, with the trunk prefix and without, where the library
// can read it.
func TestRegionFromIsTheLibrarys(t *testing.T) {
	for _, n := range mobiles() {
		home := phonenumbers.GetRegionCodeForNumber(n)
		for _, number := range []string{phonenumbers.Format(n, phonenumbers.NATIONAL), phonenumbers.GetNationalSignificantNumber(n)} {
			if got := sms.RegionFrom(number, home); got != home && isMobileIn(home, number) {
				t.Errorf("RegionFrom(%q, %q) = %q", number, home, got)
			}
		}
	}
}

// mobiles returns valid mobile numbers of every region.
var mobiles = func() (all []*phonenumbers.PhoneNumber) {
	for _, region := range regions {
		example := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
		if example == nil {
			continue
		}
		e164 := phonenumbers.Format(example, phonenumbers.E164)
		for last := 0; last < 1000; last += 499 {
			n, err := phonenumbers.Parse(fmt.Sprintf("%s%03d", e164[:len(e164)-3], last), "")
			if err == nil && phonenumbers.IsValidNumberForRegion(n, region) {
				all = append(all, n)
			}
		}
	}
	return all
}

func isMobileIn(home, number string) bool {
	n, err := phonenumbers.Parse(number, home)
	if err != nil || !phonenumbers.IsValidNumberForRegion(n, home) {
		return false
	}
	kind := phonenumbers.GetNumberType(n)
	return kind == phonenumbers.MOBILE || kind == phonenumbers.FIXED_LINE_OR_MOBILE
}
