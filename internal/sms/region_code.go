package sms

import "strings"

// ParseRegion reads the code of a region, in any case and with spaces around it. It returns ISO
// 3166-1 alpha-2 in capitals, and GB for UK, which people write although it is no code of the
// standard. It is not ok, and the region "", for anything but two letters. Whether the code is assigned
// is not checked.
func ParseRegion(code string) (region string, ok bool) {
	region = strings.ToUpper(strings.TrimSpace(code))
	switch {
	case region == "UK":
		return "GB", true
	case len(region) == 2 && capitals(region):
		return region, true
	}
	return "", false
}
