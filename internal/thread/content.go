package thread

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Content returns the message as it goes to the CRM. A field that the event left out is left out.
func (m *Message) Content() []byte {
	return object("id", m.ID, "text", m.Text, "timestamp", m.Timestamp, "authorId", m.AuthorID, "direction", m.Direction)
}

// Content returns the participant as it goes to the CRM. A field that the event left out is left
// out.
func (p *Participant) Content() []byte {
	return object("id", p.ID, "role", p.Role, "name", p.Name, "platformId", p.PlatformID)
}

// object writes a JSON object of texts, given as name, value, name, value. An empty value is left
// out.
func object(texts ...string) []byte {
	b := []byte{'{'}
	for i := 0; i < len(texts); i += 2 {
		if texts[i+1] == "" {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = appendText(b, texts[i])
		b = append(b, ':')
		b = appendText(b, texts[i+1])
	}
	return append(b, '}')
}

// appendText appends text as a JSON string. What is not UTF-8 in it is replaced, which is what the
// error that is passed over would say.
func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

// FormatTime writes a time as the CRM gets it: RFC 3339 in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ParseTime reads a time of RFC 3339, and its variants in the field: a space for the T, small
// letters, an offset without its colon. The time is in UTC and whole microseconds. What cannot be
// read, or is outside the years 1 to 9999, is not ok.
func ParseTime(text string) (t time.Time, ok bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if n := len(text); n > 10 && text[10] == ' ' {
		text = text[:10] + "T" + text[11:]
	}
	if n := len(text); n > 5 && (text[n-5] == '+' || text[n-5] == '-') {
		if _, err := strconv.Atoi(text[n-4:]); err == nil {
			text = text[:n-2] + ":" + text[n-2:]
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, false
	}
	t = t.UTC().Truncate(time.Microsecond)
	return t, t.Year() >= 1 && t.Year() <= 9999
}

// CanonicalTime returns a time as FormatTime writes it, where it can be read, else as it is.
func CanonicalTime(text string) string {
	if t, ok := ParseTime(text); ok {
		return FormatTime(t)
	}
	return text
}
