package sms

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/eventjson"
	"github.com/cxbridge/cxbridge/internal/refusal"
)

const maxText = 256 // bytes of a field

// item is one JSON object of an event: where in its text the members are that we read, and what is
// wrong with them.
//
// A name that we read must not be written twice, since nothing says which of the two is meant.
// Every other name may.
type item struct {
	text     string // the whole item, in UTF-8
	members  [places][fieldCount][maxNames]span
	base     string // JSON Pointer to the payload: "" when there is no envelope
	wrapped  bool   // there are SMPP fields
	problems []refusal.Problem
}

// span is a part of the item's text. The zero span stands for none.
type span struct{ start, end uint32 }

// place is the object that a member belongs to.
type place uint8

const (
	inPayload place = iota
	inSMPP
	places
)

// reader reads items, one at a time.
type reader struct {
	decoder jsontext.Decoder
	buffer  bytes.Buffer
	item    item
}

var readers = sync.Pool{New: func() any {
	rd := new(reader)
	rd.reset()
	return rd
}}

// release hands the reader back, without the item.
func (rd *reader) release() {
	rd.reset()
	readers.Put(rd)
}

func (rd *reader) reset() {
	rd.item.forget()
	rd.item.text, rd.buffer = "", bytes.Buffer{}
	rd.decoder.Reset(&rd.buffer, eventjson.Options...)
}

// read reads an item. The error is a *refusal.MalformedError or a *refusal.InvalidError.
func (rd *reader) read(raw []byte) error {
	raw = UTF8(raw)
	rd.item.text = string(raw)
	rd.buffer = *bytes.NewBuffer(raw[:len(raw):len(raw)])
	dec, isObject := &rd.decoder, rd.decoder.PeekKind() == '{'
	var err error
	if isObject {
		_, err = rd.item.readObject(dec, inPayload)
	} else {
		err = eventjson.Skip(dec)
	}
	if err != nil {
		return eventjson.Malformed(err)
	}
	if err := eventjson.End(dec); err != nil {
		return err
	}
	if !isObject {
		return refusal.Invalid("", "must be a JSON object")
	}
	return nil
}

// UTF8 returns a body with U+FFFD in place of every run of bytes that is not UTF-8. Gateways pass the
// text of a message on as it was, in the character set of the network: that is no reason to refuse the
// receipt around it. An id with such bytes is refused by itself.
func UTF8(raw []byte) []byte {
	if utf8.Valid(raw) {
		return raw
	}
	return bytes.ToValidUTF8(raw, []byte("\uFFFD"))
}

// readObject reads an object and keeps the members that have a slot. It returns the span of the
// opening brace.
func (it *item) readObject(dec *jsontext.Decoder, p place) (span, error) {
	begin, err := readBegin(dec)
	if err != nil {
		return begin, err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return begin, err
		}
		if s, known := slotOf(name); known {
			err = it.readMember(dec, p, s)
		} else {
			err = eventjson.Skip(dec)
		}
		if err != nil {
			return begin, err
		}
	}
	_, err = dec.ReadToken()
	return begin, err
}

// readBegin reads the brace or bracket that begins an object or an array.
func readBegin(dec *jsontext.Decoder) (span, error) {
	_, err := dec.ReadToken()
	end := uint32(dec.InputOffset())
	return span{end - 1, end}, err
}

// slotOf returns the slot of a name that is still in its quotes.
func slotOf(quoted []byte) (slot, bool) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		s, known := slots[string(quoted[1:len(quoted)-1])]
		return s, known
	}
	name, err := jsontext.AppendUnquote(nil, quoted)
	s, known := slots[string(name)]
	return s, known && err == nil
}

// readMember reads the value of a name that has a slot.
func (it *item) readMember(dec *jsontext.Decoder, p place, s slot) error {
	top, opens := dec.StackDepth() == 1, dec.PeekKind() == '{'
	var value span
	var err error
	switch {
	case top && it.base != "": // beside the payload of an envelope
		if s.field == payloadObject {
			it.problem(it.base, writtenTwice)
		}
		return eventjson.Skip(dec)
	case top && s.field == payloadObject && opens:
		return it.readEnvelope(dec)
	case s.field == smppObject && opens && p == inPayload:
		value, err = it.readObject(dec, inSMPP)
	default:
		value, err = readValue(dec)
	}
	it.keep(p, s, value)
	return err
}

const writtenTwice = "is written twice"

// readEnvelope reads the payload of an envelope and forgets what stood before it: beside a payload,
// the names mean something else.
func (it *item) readEnvelope(dec *jsontext.Decoder) error {
	twice := it.members[inPayload][payloadObject][0] != span{}
	it.forget()
	it.base = "/payload"
	if twice {
		it.problem(it.base, writtenTwice)
	}
	_, err := it.readObject(dec, inPayload)
	return err
}

// forget makes the item one without members.
func (it *item) forget() {
	clear(it.members[inPayload][:])
	if it.wrapped {
		clear(it.members[inSMPP][:])
	}
	it.base, it.wrapped, it.problems = "", false, nil
}

func (it *item) keep(p place, s slot, value span) {
	if it.members[p][s.field][s.name] != (span{}) {
		it.problem(it.path(p, s), writtenTwice)
	}
	it.members[p][s.field][s.name] = value
	it.wrapped = it.wrapped || p == inSMPP || s.field.ofSMPP()
}

// readValue reads past a value and returns its span. For an object or an array it returns the span of
// the opening brace or bracket, because only its kind matters.
func readValue(dec *jsontext.Decoder) (span, error) {
	if kind := dec.PeekKind(); kind == '{' || kind == '[' {
		begin, err := readBegin(dec)
		if err != nil {
			return begin, err
		}
		return begin, eventjson.SkipRest(dec, dec.StackDepth()-1)
	}
	value, err := dec.ReadValue()
	end := uint32(dec.InputOffset())
	return span{end - uint32(len(value)), end}, err
}
