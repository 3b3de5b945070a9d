package sms

import (
	"cmp"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// The digits of an international number, calling code included. E.164 ends at 15; the shortest
// numbers in use, those of small islands, have 7.
const (
	minDigits = 7
	maxDigits = 15
)

// minBareDigits is the least digits of a number that is taken as international without a plus sign.
// Shorter ones are short codes and national numbers.
const minBareDigits = 8

// numberSigns are the signs that people write between the digits of a number.
const numberSigns = " -./()"

// RegionOf returns the region that a phone number belongs to, as ISO 3166-1 alpha-2, or "" when it
// cannot tell: the number is not international, has too few or too many digits, has a calling code
// that is not assigned, or one that belongs to no country, as +800 does.
//
// A number is international if it starts with + or 00, or starts with neither and has at least 8
// digits, as SMPP gateways write them. Spaces and the signs - . / ( ) between the digits do not
// count, nor does a national prefix in the form (0).
//
// For every valid E.164 number the answer is that of libphonenumber. Unlike libphonenumber, RegionOf
// does not ask whether the number is valid: carriers open new ranges faster than tables learn of them,
// and the rules of the destination hold for a mistyped number too. The longest known prefix decides.
// Where no region claims the range of a shared calling code, the answer is the main region of the
// code, as US for +1.
func RegionOf(number string) string { return RegionFrom(number, "") }

// RegionFrom is RegionOf for numbers as people in the home region write them: a number that starts with
// neither + nor 00 is read first as it is dialled there, and only then as an international one. See
// nationalRegion.
func RegionFrom(number, home string) string {
	var buffer [maxDigits]byte
	n, isBare, ok := scanNumber(number, &buffer)
	if !ok {
		return ""
	}
	digits, least := buffer[:n], minDigits
	if isBare {
		least = minBareDigits
	}
	region := ""
	if n >= least {
		region = internationalRegion(digits)
	}
	if isBare && region != home {
		region = cmp.Or(nationalRegion(string(digits), home), region)
	}
	return region
}

// internationalRegion returns the region of a number by its digits, from the calling code on.
func internationalRegion(digits []byte) string {
	table := numberPrefixes()
	for n := min(len(digits), maxPrefix); n > 0; n-- {
		if region, ok := table[string(digits[:n])]; ok {
			return region
		}
	}
	return ""
}

// scanNumber writes the digits of a number, without a leading + or 00, and returns how many there are. A
// bare number starts with neither. It is not ok for a text that cannot be a number.
func scanNumber(number string, digits *[maxDigits]byte) (n int, isBare, ok bool) {
	number = strings.TrimSpace(number)
	switch {
	case strings.HasPrefix(number, "+"):
		number = number[1:]
	case strings.HasPrefix(number, "00"):
		number = number[2:]
	default:
		isBare = true
	}
	for i := 0; i < len(number); i++ {
		switch c := number[i]; {
		case c >= '0' && c <= '9':
			if n == maxDigits {
				return 0, false, false
			}
			digits[n] = c
			n++
		case c == '(' && n > 0 && strings.HasPrefix(number[i:], "(0)"):
			i += len("(0)") - 1
		case strings.IndexByte(numberSigns, c) < 0:
			return 0, false, false
		}
	}
	return n, isBare, true
}

// maxPrefix is the length of the longest prefix in the table.
const maxPrefix = 8

// numberPrefixes returns the region of every prefix that determines one. Calling codes and their main
// regions are libphonenumber's. Asking libphonenumber for each number would take some 20 µs; the
// table takes 0.2 µs.
var numberPrefixes = sync.OnceValue(func() map[string]string {
	table := make(map[string]string, 512)
	for code := range phonenumbers.GetSupportedCallingCodes() {
		region := phonenumbers.GetRegionCodeForCountryCode(code)
		if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
			region = ""
		}
		table[strconv.Itoa(code)] = region
	}
	for region, prefixes := range sharedCodes {
		for prefix := range strings.FieldsSeq(prefixes) {
			table[prefix] = region
		}
	}
	return table
})

// sharedCodes lists where a region shares its calling code with others and is not the main one:
// the shortest prefixes, calling code included, under which every number that libphonenumber
// considers valid is of that region. A test compares the two.
var sharedCodes = map[string]string{
	// +1, the North American Numbering Plan; main region US.
	"AG": "1268", "AI": "1264", "AS": "1684", "BB": "1246", "BM": "1441", "BS": "1242",
	"CA": "1204 1226 1236 1249 1250 1257 1263 1289 1306 1343 1354 1365 1367 1368 1382 1403 1416" +
		" 1418 1428 1431 1437 1438 1450 1468 1474 1506 1514 1519 1548 1579 1581 1584 1587 1600" +
		" 1604 1613 1622 1633 1639 1647 1672 1683 1705 1709 1742 1753 1778 1780 1782 1807 1819" +
		" 1825 1867 1873 1879 1902 1905 1942",
	"DM": "1767", "DO": "18001 1809 1829 1849", "GD": "1473", "GU": "1671", "JM": "1658 1876",
	"KN": "1869", "KY": "1345", "LC": "1758", "MP": "1670", "MS": "1664", "PR": "1787 1939",
	"SX": "1721", "TC": "1649", "TT": "1868", "VC": "1784", "VG": "1284", "VI": "1340",

	// Every other shared code, with its main region.
	"KZ": "77",             // RU
	"VA": "3906698",        // IT
	"SJ": "4779",           // NO
	"TA": "2908",           // SH
	"AX": "35818",          // FI
	"BQ": "5993 5994 5997", // CW

	// GB
	"GG": "441481 447781 447839 4479111 4479117 44980 44981",
	"IM": "441624 4474576 447524 447624",
	"JE": "441534 447509 4477003 4477007 4477008 447797 447829 447937",

	// AU
	"CC": "61851002 61851031 61851060 61851089 61851118 61851176 61851223 6189162 61891703",
	"CX": "61851001 61851030 61851059 61851088 61851117 61851146 61851175 61851222 61851235 6189164 61891958",

	// RE
	"YT": "2622689 262269 26263 2627093 2629398 2629478 2629769",

	// GP
	"BL": "59059027 59059029 59059051 59059052 59059087",
	"MF": "59059000 59059007 59059009 59059013 59059030 59059043 59059050 59059056 59059058 59059077 59059079",
}
