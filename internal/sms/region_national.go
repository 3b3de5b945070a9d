package sms

import (
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// nationalRegion returns the region of a number by its digits as they are dialled in the home region, or ""
// if they are not a valid number there. It may be another region than home where both share a calling code,
// as Canada and the US do.
//
// In some plans, such as Germany's, so many numbers are valid that most international ones without a plus
// sign are among them. Messages go to mobile phones: digits that are not a mobile number of the home region
// itself, but are one abroad, are read as the latter.
func nationalRegion(digits, home string) string {
	if !planOf(home).mayHave(digits) {
		return ""
	}
	n, err := phonenumbers.Parse(digits, home)
	if err != nil {
		return ""
	}
	kind := phonenumbers.GetNumberType(n)
	if kind == phonenumbers.UNKNOWN { // it is not valid
		return ""
	}
	region := RegionOf(phonenumbers.Format(n, phonenumbers.E164))
	if (region != home || !isMobile(kind)) && isMobileAbroad(digits) {
		return ""
	}
	return region
}

// isMobile also holds where a plan does not distinguish mobile numbers from others.
func isMobile(kind phonenumbers.PhoneNumberType) bool {
	return kind == phonenumbers.MOBILE || kind == phonenumbers.FIXED_LINE_OR_MOBILE
}

// isMobileAbroad reports whether digits are the number of a mobile phone, calling code included.
func isMobileAbroad(digits string) bool {
	n, err := phonenumbers.Parse("+"+digits, "")
	return err == nil && isMobile(phonenumbers.GetNumberType(n))
}

// plan distinguishes most international numbers from those of a region without asking libphonenumber, which
// takes some 20 µs.
type plan struct {
	lengths uint32 // bit n: a number may have n digits, without the trunk prefix
	trunk   string // what is dialled before a number within the country; "" for none
}

// mayHave reports whether digits may be a number as it is dialled in the region. No calling code begins with 0.
func (p plan) mayHave(digits string) bool {
	if p.lengths == 0 || digits == "" {
		return false
	}
	rest, hasTrunk := strings.CutPrefix(digits, p.trunk)
	return digits[0] == '0' || p.lengths>>len(digits)&1 != 0 || hasTrunk && p.lengths>>len(rest)&1 != 0
}

var plans sync.Map // plan by region

// planOf returns the plan of a region. One that libphonenumber does not know has no numbers.
func planOf(region string) plan {
	if p, ok := plans.Load(region); ok {
		return p.(plan)
	}
	p := newPlan(region)
	plans.Store(region, p)
	return p
}

func newPlan(region string) (p plan) {
	code := phonenumbers.GetCountryCodeForRegion(region)
	if code == 0 {
		return p
	}
	// Behind the trunk prefix of North America, which is its calling code, a number is international as well.
	if trunk := phonenumbers.GetNddPrefixForRegion(region, true); trunk != strconv.Itoa(code) {
		p.trunk = trunk
	}
	country, number := int32(code), uint64(1)
	for digits := 1; digits <= maxDigits; digits++ {
		n := &phonenumbers.PhoneNumber{CountryCode: &country, NationalNumber: &number}
		if phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE {
			p.lengths |= 1 << digits
		}
		number *= 10
	}
	return p
}
