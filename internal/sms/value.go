package sms

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/refusal"
)

// value is a member of an item.
type value struct {
	json  string // its JSON text; "" when the field is not named
	place place
	slot  slot
}

// find returns the first member that names a field. An SMPP field in the smpp object goes before
// one beside the JSON fields.
func (it *item) find(f field) value {
	if f.ofSMPP() {
		if v := it.findIn(inSMPP, f); v.json != "" {
			return v
		}
	}
	return it.findIn(inPayload, f)
}

func (it *item) findIn(p place, f field) value {
	for i, m := range it.members[p][f] {
		json := it.text[m.start:m.end]
		if json != "" && json != "null" && json != `""` {
			return value{json: json, place: p, slot: slot{f, uint8(i)}}
		}
	}
	return value{}
}

// isHex reports whether the value is given in hexadecimal.
func (v value) isHex() bool { return v.slot.field.ofSMPP() && v.slot.name >= firstHex }

// isNumber reports whether the value is a JSON number.
func (v value) isNumber() bool {
	return v.json != "" && (v.json[0] == '-' || v.json[0] >= '0' && v.json[0] <= '9')
}

// text returns the text of a string, or the literal of a number, digit for digit. Other kinds of
// values are not ok.
func (v value) text() (text string, ok bool) {
	switch {
	case v.isNumber():
		return v.json, true
	case v.json == "" || v.json[0] != '"':
		return "", false
	case strings.IndexByte(v.json, '\\') < 0:
		return v.json[1 : len(v.json)-1], true
	}
	// The error can only be a lone surrogate, which is read as U+FFFD.
	unquoted, _ := jsontext.AppendUnquote(nil, v.json)
	return string(unquoted), true
}

// path is the JSON Pointer to a member.
func (it *item) path(p place, s slot) string {
	path := it.base
	if p == inSMPP {
		path += "/smpp"
	}
	return path + "/" + names[s.field][s.name]
}

// reject notes what is wrong with a value.
func (it *item) reject(v value, reason string) { it.problem(it.path(v.place, v.slot), reason) }

// problem notes what is wrong with a member, once.
func (it *item) problem(path, reason string) {
	for _, p := range it.problems {
		if p.Path == path {
			return
		}
	}
	it.problems = append(it.problems, refusal.Problem{Path: path, Reason: reason})
}

// Reasons of problems.
const (
	notText = "must be text or a number"
	tooLong = "is longer than 256 bytes"
)

// textOf returns the text of a field, or "" when it is not named. What is neither text nor a number
// is a problem.
func (it *item) textOf(f field) (text string, v value) {
	v = it.find(f)
	if v.json == "" {
		return "", v
	}
	text, ok := v.text()
	if !ok {
		it.reject(v, notText)
	}
	return text, v
}

// lenient returns the text of a field, or "" when it has none.
func (it *item) lenient(f field) string {
	text, _ := it.find(f).text()
	return text
}

// id returns an id as it is given.
func (it *item) id(f field) string {
	text, v := it.textOf(f)
	if text == "" {
		return ""
	}
	return it.checkID(text, v)
}

// checkID returns an id that was read from a value, or "" when it cannot serve as one, which is a
// problem. A bad id is refused and not repaired, because a repaired one would name another message.
func (it *item) checkID(id string, from value) string {
	reason := ""
	switch {
	case len(id) > maxText:
		reason = tooLong
	case strings.TrimSpace(id) == "":
		reason = "is blank"
	case strings.ContainsFunc(id, unreadable) || !utf8.ValidString(id):
		reason = "holds a control character or broken text"
	default:
		return id
	}
	it.reject(from, reason)
	return ""
}

// word returns the text of a field as it goes into a column.
func (it *item) word(f field) string {
	text, v := it.textOf(f)
	if text == "" {
		return ""
	}
	return it.checkWord(text, v)
}

// checkWord returns a text that was read from a value, without the spaces around it and with U+FFFD
// in place of control characters and broken text: PostgreSQL takes no NUL in a text, and none of them
// belongs on a screen. A text that is too long is a problem.
func (it *item) checkWord(text string, from value) string {
	text = strings.TrimSpace(text)
	if !printableASCII(text) {
		text = strings.Map(func(r rune) rune {
			if unreadable(r) {
				return utf8.RuneError
			}
			return r
		}, text)
	}
	if len(text) > maxText {
		it.reject(from, tooLong)
		return ""
	}
	return text
}

func unreadable(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// time returns the time in a field, or the zero time where it cannot be read: RFC 3339, in the zone
// where it has no offset, or the seconds or milliseconds since 1970 as a number.
func (it *item) time(f field, zone *time.Location) time.Time {
	v := it.find(f)
	text, ok := v.text()
	switch {
	case !ok:
		return time.Time{}
	case v.isNumber():
		return parseEpoch(text)
	}
	return parseTime(text, zone)
}
