package sms_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestRegionOf(t *testing.T) {
	for number, want := range map[string]string{
		"+12025550123":       "US",
		"+1 (202) 555-0123":  "US",
		"+1.202.555.0123":    "US",
		"0012025550123":      "US",
		"12025550123":        "US",
		"  +12025550123 ":    "US",
		"+14165550123":       "CA",
		"+18765550123":       "JM",
		"+17875550123":       "PR",
		"+18005550123":       "US", // toll-free numbers have no country; the main region
		"+11115550123":       "US", // no valid number: the main region
		"+19999999999":       "US",
		"+14160000000":       "CA", // no valid number, but an area code of Canada
		"+447700900123":      "GB",
		"+44 (0)7700 900123": "GB",
		"+44 (0)1534 900123": "JE",
		"+441481234567":      "GG",
		"+447624000000":      "IM",
		"+74951234567":       "RU",
		"+77011234567":       "KZ",
		"+390669812345":      "VA",
		"+393401234567":      "IT",
		"+61891621234":       "CC",
		"+61891641234":       "CX",
		"+61412345678":       "AU",
		"+4779123456":        "SJ",
		"+212528812345":      "MA",
		"+262269601234":      "YT",
		"+262692123456":      "RE",
		"+35818123456":       "AX",
		"+5997171234":        "BQ",
		"+59996711234":       "CW",
		"+4915112345678":     "DE",
		"+919812345678":      "IN",
		"+6591234567":        "SG",
		"6591234567":         "SG",
		"+2908123":           "TA",
		"+80012345678":       "", // freephone of no country
		"+881612345678":      "", // satellites
		"+2101234567":        "", // a calling code that nobody has
		"+999123456789":      "",
		"":                   "",
		"+":                  "",
		"00":                 "",
		"+49":                "",
		"+491234":            "", // too short
		"12345":              "",
		"6512345":            "", // too short to be international without a plus sign
		"07700900123":        "", // national
		"+0123456789":        "",
		"+1234567890123456":  "", // more than 15 digits
		"ACME":               "",
		"+1202555ACME":       "",
		"++12025550123":      "",
		"+１２０２５５５０１２３":       "", // full-width digits
		"anonymous":          "",
	} {
		if got := sms.RegionOf(number); got != want {
			t.Errorf("RegionOf(%q) = %q, want %q", number, got, want)
		}
	}
}

// library is libphonenumber's answer for the calling code and the national digits: a region for a
// valid number, else "".
func library(t interface{ Fatal(...any) }, code int, national string) string {
	n, err := strconv.ParseUint(national, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	country := int32(code)
	number := &phonenumbers.PhoneNumber{CountryCode: &country, NationalNumber: &n}
	if zeros := int32(len(national)-len(strings.TrimLeft(national[:len(national)-1], "0"))) - 1; zeros > 0 {
		leading := true
		number.ItalianLeadingZero, number.NumberOfLeadingZeros = &leading, &zeros
	}
	if !phonenumbers.IsValidNumber(number) {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForNumber(number); region != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		return region
	}
	return ""
}

var callingCodes = slices.Sorted(maps.Keys(phonenumbers.GetSupportedCallingCodes()))

// Where the library knows the number, RegionOf gives the same region. Where it does not, RegionOf
// still gives one of the regions of the calling code.
func TestRegionOfIsTheLibrarys(t *testing.T) {
	var shared []int
	for _, code := range callingCodes {
		if len(phonenumbers.GetRegionCodesForCountryCode(code)) > 1 {
			shared = append(shared, code)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.OneOf(rapid.SampledFrom(callingCodes), rapid.SampledFrom(shared)).Draw(t, "calling code")
		national := rapid.StringMatching(fmt.Sprintf(`[0-9]{6,%d}`, min(12, 15-len(strconv.Itoa(code))))).Draw(t, "national digits")
		compareWithLibrary(t, code, national)
	})
}

// Random digits seldom meet the small ranges, so every example number of every region is tried with
// its last digits changed.
func TestRegionOfIsTheLibrarysInEveryRegion(t *testing.T) {
	kinds := []phonenumbers.PhoneNumberType{
		phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.TOLL_FREE, phonenumbers.PREMIUM_RATE,
		phonenumbers.SHARED_COST, phonenumbers.VOIP, phonenumbers.PERSONAL_NUMBER, phonenumbers.UAN,
	}
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range kinds {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			national := phonenumbers.GetNationalSignificantNumber(example)
			for last := 0; last < 1000; last += 37 {
				digits := national[:len(national)-3] + fmt.Sprintf("%03d", last)
				compareWithLibrary(t, int(example.GetCountryCode()), digits)
			}
		}
	}
}

// Every area code of the North American Numbering Plan, with exchanges spread over the range.
func TestRegionOfIsTheLibrarysForEveryAreaCode(t *testing.T) {
	for area := 200; area < 1000; area++ {
		for exchange := 200; exchange < 1000; exchange += 101 {
			compareWithLibrary(t, 1, fmt.Sprintf("%03d%03d0123", area, exchange))
		}
	}
}

func compareWithLibrary(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, code int, national string) {
	number := "+" + strconv.Itoa(code) + national
	if len(number) > 1+15 || len(number) < 1+7 {
		return
	}
	if code == 1 && len(national) != 10 {
		return // the library lists local numbers of Canada that are dialled without an area code
	}
	got := sms.RegionOf(number)
	if want := library(t, code, national); want != "" && got != want {
		t.Fatalf("RegionOf(%q) = %q, want %q", number, got, want)
	}
	regions := phonenumbers.GetRegionCodesForCountryCode(code)
	if slices.Contains(regions, phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY) {
		regions = []string{""}
	}
	if !slices.Contains(regions, got) {
		t.Fatalf("RegionOf(%q) = %q, which is none of %q", number, got, regions)
	}
}

func FuzzRegionOf(f *testing.F) {
	for _, number := range []string{"+12025550123", "0044 (0)1534 900123", "390669812345", "+", "(0)", "+1(0)(0)", "\xff"} {
		f.Add(number)
	}
	f.Fuzz(func(t *testing.T, number string) {
		region := sms.RegionOf(number)
		for _, got := range []string{region, sms.RegionFrom(number, "US"), sms.RegionFrom(number, "DE")} {
			if got != "" && len(got) != 2 {
				t.Errorf("the region of %q is %q", number, got)
			}
		}
		if trimmed := strings.TrimSpace(number); strings.HasPrefix(trimmed, "+") {
			if same := sms.RegionOf("00" + trimmed[1:]); same != region {
				t.Errorf("RegionOf(%q) = %q, but %q with 00 in front", number, region, same)
			}
		}
	})
}

func BenchmarkRegionOf(b *testing.B) {
	for _, c := range []struct{ name, number, home string }{
		{"US", "+12025550123", "US"},
		{"CA", "+14165550123", "US"},
		{"GB", "+447700900123", "US"},
		{"DE", "+4915112345678", "US"},
		{"written", "+44 (0)1534 900-123", "US"},
		{"bare", "447700900123", "US"},
		{"bare, of home", "4915112345678", "DE"},
		{"bare, and long enough for home", "447700900123", "DE"},
		{"national", "2025550123", "US"},
	} {
		b.Run(c.name, func(b *testing.B) {
			sms.RegionFrom(c.number, c.home)
			b.ReportAllocs()
			for b.Loop() {
				sms.RegionFrom(c.number, c.home)
			}
		})
	}
	b.Run("libphonenumber", func(b *testing.B) {
		for b.Loop() {
			n, err := phonenumbers.Parse("+12025550123", "")
			if err != nil {
				b.Fatal(err)
			}
			phonenumbers.GetRegionCodeForNumber(n)
		}
	})
}
