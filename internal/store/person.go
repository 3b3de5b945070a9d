package store

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// What replaces something that named a person who was erased.
const (
	ErasedBody = sms.ErasedRaw // for the body of a receipt, an event or a dead letter
	ErasedText = "erased"      // for a text
)

// Seeker finds a person in what is stored.
type Seeker struct {
	number phone
	ids    []string // of participants, and of people on their platforms
}

// Seeker returns what finds the person: a number in the forms in which people write it, and an id where it
// is a whole value in JSON, or stands by itself in another text.
func (p Person) Seeker() *Seeker {
	s := &Seeker{number: parsePhone(p.Recipient)}
	if p.Participant != "" {
		s.ids = append(s.ids, p.Participant)
	}
	return s
}

// With returns a Seeker that finds some participants, too.
func (s *Seeker) With(participants []string) *Seeker {
	if len(participants) == 0 {
		return s
	}
	return &Seeker{s.number, slices.Concat(s.ids, participants)}
}

// Needles returns texts. Whatever s finds contains at least one of them, byte by byte or in its Digits, so
// a database can rule out most other rows. For an id it is the part that is written in one way only,
// whoever wrote the JSON; that may be "", which every text contains.
func (s *Seeker) Needles() []string {
	needles := s.number.needles()
	for _, id := range s.ids {
		longest := ""
		for _, run := range strings.FieldsFunc(id, func(r rune) bool { return r >= utf8.RuneSelf || !isWord(r) }) {
			if len(run) > len(longest) {
				longest = run
			}
		}
		needles = append(needles, longest)
	}
	slices.Sort(needles)
	return slices.Compact(needles)
}

// In reports whether a text names the person: JSON, whatever its shape, or words.
func (s *Seeker) In(text []byte) bool {
	return s.number.isIn(text) || len(s.ids) > 0 && s.hasID(text)
}

// InKey reports whether the id of something other than a participant, such as a thread, names the
// number of the person: ids of threads may be made of it.
func (s *Seeker) InKey(id []byte) bool { return s.number.isIn(id) }

func (s *Seeker) hasID(text []byte) bool {
	if found, isJSON := s.idInJSON(text); isJSON {
		return found
	}
	for _, id := range s.ids {
		if contains(text, id, isWord) {
			return true
		}
	}
	return false
}

// isWord reports whether ids are made of such runes.
func isWord(r rune) bool { return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// contains reports whether a part is in a text, between runes that do not continue it.
func contains(text []byte, part string, goesOn func(rune) bool) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(part))
		if i < 0 {
			return false
		}
		begin, end := from+i, from+i+len(part)
		before, _ := utf8.DecodeLastRune(text[:begin])
		after, _ := utf8.DecodeRune(text[end:])
		if !goesOn(before) && !goesOn(after) {
			return true
		}
		from = begin + 1
	}
}

// idInJSON reports whether one of the ids is a value in a JSON object or list.
func (s *Seeker) idInJSON(text []byte) (found, isJSON bool) {
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
		return false, false
	}
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return found, err == io.EOF
		}
		if found || token.Kind() != '"' && token.Kind() != '0' {
			continue
		}
		in, n := d.StackIndex(d.StackDepth())
		isName := in == '{' && n%2 == 1
		found = !isName && slices.Contains(s.ids, token.String()) && !isOfThing(d.StackPointer())
	}
}

// isOfThing reports whether a place in an event or a delta holds the id of a thread or a message, or
// no id: ids are unique among those of one kind only.
func isOfThing(place jsontext.Pointer) bool {
	list := place.Parent().Parent().LastToken()
	switch place.LastToken() {
	case "threadId", "parentThreadId", "messageId", "version", "thread", "parent", "about": // the last ones in the audit
		return true
	case "id":
		return list == "messages" || list == "addedMessages" || list == "updatedMessages"
	}
	return place.Parent().LastToken() == "removedMessages"
}

// InItem reports whether an item of a thread is the person, is by the person, or names the person's
// number.
func (s *Seeker) InItem(i *thread.Item) bool {
	if s.number.isIn([]byte(i.ID)) || s.number.isIn(i.Content) {
		return true
	}
	fields := fieldsOf(i.Content)
	if i.Kind == thread.KindMessage {
		return slices.Contains(s.ids, fields["authorId"])
	}
	return slices.Contains(s.ids, i.ID) || slices.Contains(s.ids, fields["platformId"])
}

// InRow reports whether a row of a table names the person, in whatever column. An id of something
// else, such as a thread, is only looked at for the number.
func (s *Seeker) InRow(table string, columns map[string][]byte) bool {
	for name, value := range columns {
		switch name {
		case "thread_id", "parent_id", "message_id", "subject", "links", "crm":
			if s.InKey(value) {
				return true
			}
			continue
		}
		if table != "thread_items" && s.In(value) || name == "detail" && s.inReason(value) {
			return true
		}
	}
	return table == "thread_items" && s.InItem(&thread.Item{
		ItemKey: thread.ItemKey{Kind: thread.ItemKind(columns["kind"]), ID: string(columns["item_id"])},
		Content: columns["content"],
	})
}

// inReason reports whether the reason in the detail of an audit entry or an alarm names the person, in
// whatever words.
func (s *Seeker) inReason(detail []byte) bool {
	var d struct {
		Reason string `json:"reason"`
	}
	return json.Unmarshal(detail, &d) == nil && s.In([]byte(d.Reason))
}

// Aliases returns under which ids the person takes part in threads, by thread: as a participant of
// the thread itself, or of one above it, from which a split may have taken its messages. Links and
// people are those of the threads and of all above them.
func (s *Seeker) Aliases(threads []string, links map[string]thread.Link, people []*thread.Item) map[string][]string {
	in := make(map[string][]string)
	for _, p := range people {
		if s.InItem(p) {
			in[p.ThreadID] = append(in[p.ThreadID], p.ID)
		}
	}
	aliases := make(map[string][]string)
	for _, id := range threads {
		seen := make(map[string]bool)
		for at := id; at != "" && !seen[at]; at = links[at].Parent {
			seen[at] = true
			aliases[id] = append(aliases[id], in[at]...)
		}
	}
	return aliases
}

// EraseLetter takes the person out of a dead letter, and reports whether any part of it named the
// person. The subject of a letter about a thread in the database stays: without it nobody could try
// again.
func (s *Seeker) EraseLetter(l *DeadLetter) (named bool) {
	if s.In(l.Raw) {
		l.Raw, named = []byte(ErasedBody), true
	}
	if s.In([]byte(l.Reason)) {
		l.Reason, named = ErasedText, true
	}
	if s.InKey([]byte(l.Subject)) && (l.Kind == KindSMS || l.Kind == KindThread) {
		l.Subject, named = "", true
	}
	return named
}

// EraseMessage returns the content of a message without its author and text. Nil stays nil.
func EraseMessage(content []byte) []byte {
	if content == nil {
		return nil
	}
	fields := fieldsOf(content)
	m := thread.Message{ID: fields["id"], Timestamp: fields["timestamp"], Direction: fields["direction"]}
	return m.Content()
}

// EraseParticipant returns the content of a participant with nothing but the role, under another id. Nil
// stays nil.
func EraseParticipant(content []byte, id string) []byte {
	if content == nil {
		return nil
	}
	p := thread.Participant{ID: id, Role: fieldsOf(content)["role"]}
	return p.Content()
}

// fieldsOf reads the content of an item. What is not read is "".
func fieldsOf(content []byte) map[string]string {
	fields := make(map[string]string)
	_ = json.Unmarshal(content, &fields, jsontext.AllowInvalidUTF8(true)) // we wrote it, and texts alone
	return fields
}
