package thread

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Content returns the message as it goes to the CRM. A field that the event left out is left out.
func (m *Message) Content() []byte {
	const names = 96 // bytes, roughly, of names and punctuation
	return m.appendTo(make([]byte, 0, names+len(m.ID)+len(m.Text)+len(m.Timestamp)+len(m.AuthorID)+len(m.Direction)))
}

func (m *Message) appendTo(b []byte) []byte {
	return appendObject(b, "id", m.ID, "text", m.Text, "timestamp", m.Timestamp, "authorId", m.AuthorID, "direction", m.Direction)
}

// Content returns the participant as it goes to the CRM. A field that the event left out is left
// out.
func (p *Participant) Content() []byte { return p.appendTo(nil) }

func (p *Participant) appendTo(b []byte) []byte {
	return appendObject(b, "id", p.ID, "role", p.Role, "name", p.Name, "platformId", p.PlatformID)
}

// digest returns the Key: the digest of the fields that are read, in one canonical spelling, so that
// the same event is recognized however it is written.
func (e *Event) digest() Key {
	hash := sha256.New()
	b := appendObject(nil, "event", string(e.Type), "threadId", e.ThreadID, "parentThreadId", e.Parent,
		"namesParent", strconv.FormatBool(e.NamesParent), "version", strconv.FormatInt(e.Version, 10), "updatedAt", FormatTime(e.UpdatedAt))
	hash.Write(b)
	for i := range e.Messages {
		b = e.Messages[i].appendTo(append(b[:0], "\nmessage "...))
		hash.Write(b)
	}
	for i := range e.Participants {
		b = e.Participants[i].appendTo(append(b[:0], "\nparticipant "...))
		hash.Write(b)
	}
	return Key(hash.Sum(nil))
}

// appendObject appends a JSON object of texts, given as name, value, name, value. An empty value is
// left out.
func appendObject(b []byte, texts ...string) []byte {
	b = append(b, '{')
	isFirst := true
	for i := 0; i < len(texts); i += 2 {
		if texts[i+1] == "" {
			continue
		}
		if !isFirst {
			b = append(b, ',')
		}
		isFirst = false
		b = appendText(b, texts[i])
		b = append(b, ':')
		b = appendText(b, texts[i+1])
	}
	return append(b, '}')
}

// appendText appends text as a JSON string. Invalid UTF-8 in it is replaced; the ignored error would
// only report that.
func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

// FormatTime writes a time as the CRM gets it: RFC 3339 in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ParseTime reads an RFC 3339 time, and the variants of it that are in use: a space for the T,
// lower-case letters, an offset without its colon. The time is in UTC and whole microseconds. A text
// that cannot be read, or a time outside the years 1 to 9999, is not ok.
func ParseTime(text string) (t time.Time, ok bool) {
	text = strings.TrimSpace(text)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		if t, err = parseVariant(text); err != nil {
			return time.Time{}, false
		}
	}
	t = t.UTC().Truncate(time.Microsecond)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

// parseVariant reads a time in a variant of RFC 3339. A leap second, which Go does not accept, is
// read as the second that follows it.
func parseVariant(text string) (time.Time, error) {
	const clock = len("2006-01-02T15:04:05")
	text = strings.ToUpper(text)
	leap := time.Duration(0)
	if len(text) > clock {
		if text[10] == ' ' {
			text = text[:10] + "T" + text[11:]
		}
		if text[clock-3:clock] == ":60" {
			text, leap = text[:clock-3]+":59"+text[clock:], time.Second
		}
		if n := len(text); text[n-5] == '+' || text[n-5] == '-' {
			text = text[:n-2] + ":" + text[n-2:]
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	return t.Add(leap), err
}

// CanonicalTime returns a time as FormatTime writes it, where it can be read, else the text unchanged.
func CanonicalTime(text string) string {
	if t, ok := ParseTime(text); ok {
		return FormatTime(t)
	}
	return text
}
