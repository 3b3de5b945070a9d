package store

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// phone is a number as it may be written. docs/privacy.md lists the forms.
type phone struct {
	international []string // digits from the calling code on, also behind an international prefix
	national      []string // digits as they are dialled within the country
	exact         []string // where libphonenumber sees no number: the text as it was given, and its digits
}

// parsePhone reads a number with its calling code: behind +, 00 or 011, or with nothing before it.
func parsePhone(text string) (p phone) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "+")
	digits := string(Digits([]byte(text)))
	for _, prefix := range []string{"", "00", "011"} {
		rest, ok := strings.CutPrefix(digits, prefix)
		if !ok {
			continue
		}
		n, err := phonenumbers.Parse("+"+rest, "ZZ") // it has a region of its own
		if err == nil && phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE {
			p.add(n)
		}
	}
	if len(p.international) == 0 {
		p.exact = slices.DeleteFunc(slices.Compact([]string{text, digits}), func(form string) bool { return form == "" })
	}
	return p
}

// add adds the forms of a number.
func (p *phone) add(n *phonenumbers.PhoneNumber) {
	code, significant := strconv.Itoa(int(n.GetCountryCode())), phonenumbers.GetNationalSignificantNumber(n)
	dialled := string(Digits([]byte(phonenumbers.Format(n, phonenumbers.NATIONAL))))
	for _, within := range slices.Compact([]string{significant, dialled}) {
		for _, prefix := range []string{"", "00", "011"} {
			p.international = append(p.international, prefix+code+within) // also as in +44 (0)7700 900888
		}
		if len(within) >= leastWhole {
			p.national = append(p.national, within)
		}
	}
}

// needles returns texts, mostly digits. Whatever names the number has one of them in it, or in its Digits.
func (p *phone) needles() (needles []string) {
	forms := slices.Concat(p.national, p.international)
	for _, form := range p.exact {
		if digits := string(Digits([]byte(form))); digits != "" {
			form = digits
		}
		forms = append(forms, form)
	}
	for _, form := range forms {
		if !slices.ContainsFunc(needles, func(n string) bool { return strings.Contains(form, n) }) {
			needles = append(needles, form)
		}
	}
	return needles
}

// How many digits a number without its calling code must have to be found: within a text, where eight
// digits may be a date, and where it is the whole text.
const (
	leastNational = 9
	leastWhole    = 7
)

// isIn reports whether the number is in a text, and not a part of a longer one.
func (p *phone) isIn(text []byte) bool {
	if len(p.international)+len(p.exact) == 0 {
		return false
	}
	text = unescape(text)
	for _, form := range p.exact {
		if contains(text, form, func(r rune) bool { return r >= '0' && r <= '9' }) {
			return true
		}
	}
	for i := range text {
		if isDigit(text[i]) && (i == 0 || !isDigit(text[i-1])) && p.beginsAt(text, i) {
			return true
		}
	}
	return p.isWhole(text)
}

// beginsAt reports whether a form of the number begins at a place in a text.
func (p *phone) beginsAt(text []byte, i int) bool {
	isForm := func(form string) bool { return isWritten(text[i:], form) }
	if slices.ContainsFunc(p.international, isForm) {
		return true
	}
	return slices.ContainsFunc(p.national, func(form string) bool {
		return len(form) >= leastNational && isForm(form) && !isAbroad(text[:i])
	})
}

// isWhole reports whether a text is nothing but the number as it is dialled within its country, however
// short.
func (p *phone) isWhole(text []byte) bool {
	return slices.Contains(p.national, string(Digits(text))) &&
		!bytes.ContainsFunc(text, func(r rune) bool { return !isSign(r) && (r < '0' || r > '9') })
}

// mostSigns is how many signs may stand between two digits of a number.
const mostSigns = 4

// isWritten reports whether a text begins with digits, with signs between them or not, and does not go on
// with another digit.
func isWritten(text []byte, digits string) bool {
	for i := range len(digits) {
		if len(text) == 0 || text[0] != digits[i] {
			return false
		}
		text = text[1:]
		if i < len(digits)-1 {
			text = skipSigns(text)
		}
	}
	return len(text) == 0 || !isDigit(text[0])
}

func skipSigns(text []byte) []byte {
	for range mostSigns {
		r, size := utf8.DecodeRune(text)
		if size == 0 || !isSign(r) {
			break
		}
		text = text[size:]
	}
	return text
}

// isSign reports whether people write a rune between the digits of a number.
func isSign(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Dash, unicode.Cf) || strings.ContainsRune("./()[]~", r)
}

// isAbroad reports whether a text ends with an international prefix and a calling code, so that what follows
// is a number in that country.
func isAbroad(before []byte) bool {
	var digits []byte // the last one first
	for len(before) > 0 && len(digits) < len("00")+len("3530") {
		r, size := utf8.DecodeLastRune(before)
		before = before[:len(before)-size]
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r))
		case r == '+':
			return len(digits) > 0 && len(digits) <= len("3530") // as in +353 (0)
		case !isSign(r):
			before = nil
		}
	}
	return len(digits) > len("00") && bytes.HasSuffix(digits, []byte("00"))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Digits returns the ASCII digits of a text, in JSON or not, and nothing else of it.
func Digits(text []byte) []byte {
	var digits []byte
	for _, c := range unescape(text) {
		if isDigit(c) {
			digits = append(digits, c)
		}
	}
	return digits
}

// unescape resolves the escapes of JSON, wherever they are, so that their digits do not count as those of a
// number. Nobody escapes a digit, so an escaped digit does not count either.
func unescape(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			plain = append(plain, text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 'u':
			code, err := strconv.ParseUint(string(text[i+1:min(i+5, len(text))]), 16, 16)
			if err == nil && i+4 < len(text) {
				i += 4
				if code >= '0' && code <= '9' {
					code = utf8.RuneError
				}
				plain = utf8.AppendRune(plain, rune(code))
			}
		case 'b', 'f', 'n', 'r', 't':
			plain = append(plain, ' ')
		default:
			plain = append(plain, c)
		}
	}
	return plain
}
