package thread

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/eventjson"
)

// IDFormat says what the ids of threads look like.
type IDFormat string

// The formats of ids.
const (
	AnyID IDFormat = "any"  // 1 to 256 printable characters
	UUIDs IDFormat = "uuid" // 8-4-4-4-12 hexadecimal digits
)

// Decode reads an event: a JSON object {"event", "timestamp", "data": {…}}. Received and Raw are
// the caller's to set.
//
// The error is a *refusal.MalformedError when raw is not JSON in UTF-8 or is nested deeper than 64
// levels, and a *refusal.InvalidError when it is JSON but not an event: it lists the problems up to
// a hundred, and the number of the others. With an InvalidError the event is nil unless its ThreadID
// could be read, and then has nothing else.
//
// What is refused and what is forgiven: ids, the type of the event, its version, its time and its
// lists must be right, because the state depends on them. The other fields of messages and
// participants are "" where they are not strings, since one bad message must not hold up the others:
// what the CRM does not accept is set aside when it is to be pushed.
func Decode(raw []byte, ids IDFormat) (*Event, error) {
	d := &eventReader{reader: newReader(raw), ids: ids}
	if err := d.whole(d.readEnvelope); err != nil {
		return nil, err
	}
	if err := d.refused(); err != nil {
		if d.event.ThreadID == "" {
			return nil, err
		}
		return &Event{ThreadID: d.event.ThreadID}, err
	}
	d.event.Key = d.event.digest()
	return &d.event, nil
}

// Snapshot returns the body of an event that holds a thread as it was fetched from CXone. Data that
// is not JSON is returned as it is: Decode says what is wrong with it.
func Snapshot(data []byte) []byte {
	if !jsontext.Value(data).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return data
	}
	body := append([]byte(`{"event":"`+Updated+`","data":`), data...)
	return append(body, '}')
}

// eventReader reads one event.
type eventReader struct {
	*reader
	ids   IDFormat
	event Event
	items int // in its lists
}

// maxItems limits the messages and participants of an event, as it takes far more to store them than
// to send them. A body of 8 MiB has room for more only if they hold next to no text.
const maxItems = 50_000

var envelopeNames = []string{"event", "timestamp", "data"}

func (d *eventReader) readEnvelope() error {
	var thread [6]value
	var members [3]value
	isObject, err := d.object(envelopeNames, members[:], func(i int) error {
		if i != 2 || d.decoder.PeekKind() != '{' {
			return eventjson.Skip(d.decoder)
		}
		return d.readData(thread[:])
	})
	if err != nil || !isObject {
		return err
	}
	typ, timestamp, data := members[0], members[1], members[2]
	d.event.Type = d.eventType(typ)
	switch {
	case !data.isNamed():
		d.problem("data", "is required")
	case data != "{":
		d.problem("data", "must be an object")
	default:
		d.setThread(thread[:], timestamp)
	}
	return nil
}

func (d *eventReader) eventType(v value) Type {
	text, _ := v.text()
	switch t := Type(text); {
	case !v.isNamed():
		d.problem("event", "is required")
	case t == Updated || t == Merged || t == Split:
		return t
	default:
		d.problem("event", "must be "+string(Updated+", "+Merged+" or "+Split))
	}
	return ""
}

var threadNames = []string{"threadId", "parentThreadId", "version", "updatedAt", "messages", "participants"}

// readData reads the members of data, and the lists among them.
func (d *eventReader) readData(members []value) error {
	_, err := d.object(threadNames, members, func(i int) error {
		isList := d.decoder.PeekKind() == '['
		switch {
		case isList && threadNames[i] == "messages":
			return d.list(d.upToMax(d.readMessage))
		case isList && threadNames[i] == "participants":
			return d.list(d.upToMax(d.readParticipant))
		}
		return eventjson.Skip(d.decoder)
	})
	return err
}

// upToMax reads items by a function, and skips those above maxItems.
func (d *eventReader) upToMax(read func() error) func() error {
	return func() error {
		if d.items++; d.items > maxItems {
			return eventjson.Skip(d.decoder)
		}
		return read()
	}
}

// setThread sets what the members of data say about the thread. The whole event has been read by
// then: its type is known, and its lists are filled.
func (d *eventReader) setThread(members []value, timestamp value) {
	id, parent, version, updatedAt := members[0], members[1], members[2], members[3]
	for i, list := range members[4:] {
		if list.isNamed() && list != "[" {
			d.problem("data/"+threadNames[4+i], "must be a list")
		}
	}
	if d.items > maxItems {
		d.problem("data", fmt.Sprintf("has more than %d messages and participants", maxItems))
	}
	e := &d.event
	e.ThreadID = d.threadID("data/threadId", id)
	d.setParent(parent)
	if version.isNamed() {
		e.Version = d.version(version)
	}
	path := "data/updatedAt"
	if !updatedAt.isNamed() {
		path, updatedAt = "timestamp", timestamp
	}
	if updatedAt.isNamed() {
		var ok bool
		if e.UpdatedAt, ok = updatedAt.time(); !ok {
			d.problem(path, "must be a time of RFC 3339")
		}
	}
}

// MaxVersion is the highest version of an event. The CRM counts on from the versions of a thread, so there
// must be room above them. The nanoseconds since 1970, which a sender may count by, are below it.
const MaxVersion = 1 << 62

func (d *eventReader) version(v value) int64 {
	const path = "data/version"
	n, ok := wholeNumber(v)
	switch {
	case !ok:
		d.problem(path, "must be a whole number from 0")
	case n > MaxVersion:
		d.problem(path, fmt.Sprintf("must be at most %d", MaxVersion))
	}
	return n
}

// setParent sets the link. A split that names no parent clears it.
func (d *eventReader) setParent(v value) {
	const path = "data/parentThreadId"
	e := &d.event
	e.NamesParent = v != "" || e.Type == Split
	switch {
	case v.isNamed():
		e.Parent = d.threadID(path, v)
	case e.Type == Merged:
		d.problem(path, "is required of "+string(Merged))
	}
	if e.Parent != "" && e.Parent == e.ThreadID {
		d.problem(path, "is the thread itself")
	}
}

var messageNames = []string{"id", "text", "timestamp", "authorId", "direction"}

func (d *eventReader) readMessage() error {
	var members [5]value
	isObject, err := d.object(messageNames, members[:], nil)
	if err != nil || !isObject {
		return err
	}
	m := Message{ID: d.id("id", members[0])}
	m.Text, _ = members[1].text()
	m.Timestamp = members[2].canonicalTime()
	m.AuthorID, _ = members[3].text()
	m.Direction = members[4].textOr("INBOUND")
	d.event.Messages = append(d.event.Messages, m)
	return nil
}

var participantNames = []string{"id", "role", "name", "platformId"}

func (d *eventReader) readParticipant() error {
	var members [4]value
	isObject, err := d.object(participantNames, members[:], nil)
	if err != nil || !isObject {
		return err
	}
	p := Participant{ID: d.id("id", members[0])}
	p.Role, _ = members[1].text()
	p.Name = members[2].textOr("Unknown")
	p.PlatformID, _ = members[3].text()
	d.event.Participants = append(d.event.Participants, p)
	return nil
}

// threadID returns the id of a thread. The text is a copy: ids outlive the event.
func (d *eventReader) threadID(member string, v value) string {
	id := strings.Clone(d.id(member, v))
	if id != "" && d.ids == UUIDs && !isUUID(id) {
		d.problem(member, "must be a UUID")
	}
	return id
}

// id returns an id as it is given. One that cannot serve as an id is refused, not repaired: a
// repaired id would be that of something else.
func (d *eventReader) id(member string, v value) string {
	if !v.isNamed() {
		d.problem(member, "is required")
		return ""
	}
	id, ok := v.text()
	if !ok || !isID(id) {
		d.problem(member, "must be a text of 1 to 256 printable characters")
		return ""
	}
	return id
}

const maxID = 256 // characters

func isID(text string) bool {
	unprintable := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	return strings.TrimSpace(text) != "" && utf8.RuneCountInString(text) <= maxID && !strings.ContainsFunc(text, unprintable)
}

func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range []byte(text) {
		isDash := i == 8 || i == 13 || i == 18 || i == 23
		isHex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if isDash != (c == '-') || isDash == isHex {
			return false
		}
	}
	return true
}

// wholeNumber reads a whole number from 0, however it is written: 3, 3.0 and 3e0 are the same. One
// that is not written as digits alone is read as JavaScript reads it, up to 2^53.
func wholeNumber(v value) (n int64, ok bool) {
	if !v.isNumber() {
		return 0, false
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n, n >= 0
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f < 0 || f >= 1<<53 || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}

// time reads a time: a text of RFC 3339, or the seconds (10 digits) or milliseconds (13) since 1970
// as a number.
func (v value) time() (t time.Time, ok bool) {
	if text, ok := v.text(); ok {
		return ParseTime(text)
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	switch {
	case err != nil || n < 0:
		return time.Time{}, false
	case len(v) == 10:
		return time.Unix(n, 0).UTC(), true
	case len(v) == 13:
		return time.UnixMilli(n).UTC(), true
	}
	return time.Time{}, false
}

// canonicalTime returns a time as FormatTime writes it, where it can be read, else the text as it
// is.
func (v value) canonicalTime() string {
	if t, ok := v.time(); ok {
		return FormatTime(t)
	}
	text, _ := v.text()
	return text
}

// textOr returns a text: missing where it is empty, null or left out, and "" for any other value.
func (v value) textOr(missing string) string {
	if text, _ := v.text(); text != "" || v.isNamed() && v != `""` {
		return text
	}
	return missing
}
