package thread

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/eventjson"
	"github.com/cxbridge/cxbridge/internal/refusal"
)

const maxProblems = 100 // reported of an event; the others are counted

// reader reads the JSON of an event in one pass, and notes what is wrong with its values.
type reader struct {
	text     string // the whole input; values are parts of it
	decoder  *jsontext.Decoder
	problems []refusal.Problem
	omitted  int // problems above maxProblems
}

// newReader returns a reader of JSON in UTF-8, as strict as eventjson.Options says.
func newReader(raw []byte) *reader {
	return &reader{text: string(raw), decoder: jsontext.NewDecoder(bytes.NewBuffer(raw[:len(raw):len(raw)]), eventjson.Options...)}
}

// whole reads one value by a function, and makes sure that nothing follows it. The error is a
// *refusal.MalformedError.
func (r *reader) whole(read func() error) error {
	if !utf8.ValidString(r.text) {
		return &refusal.MalformedError{Reason: "the text is not UTF-8"}
	}
	if err := read(); err != nil {
		return eventjson.Malformed(err)
	}
	return eventjson.End(r.decoder)
}

// value is the value of a member: its JSON text, or only the first character of an object or a list.
// It is "" when there is no such member.
type value string

// isNamed reports whether there is a value other than null.
func (v value) isNamed() bool { return v != "" && v != "null" }

// isNumber reports whether the value is a number.
func (v value) isNumber() bool { return v != "" && (v[0] == '-' || v[0] >= '0' && v[0] <= '9') }

// text returns the text of a string. Other values are not ok.
func (v value) text() (text string, ok bool) {
	switch {
	case v == "" || v[0] != '"':
		return "", false
	case strings.IndexByte(string(v), '\\') < 0:
		return string(v[1 : len(v)-1]), true
	}
	// The error can only be a lone surrogate, which is read as U+FFFD.
	unquoted, _ := jsontext.AppendUnquote(nil, string(v))
	return string(unquoted), true
}

// object reads an object: the members with the given names, each into its place in values. A member
// that is an object or a list itself is read by open, if there is one. Any other value than an object
// is noted as a problem.
func (r *reader) object(names []string, values []value, open func(i int) error) (isObject bool, err error) {
	if r.decoder.PeekKind() != '{' {
		if err := eventjson.Skip(r.decoder); err != nil {
			return false, err
		}
		r.problem("", "must be an object")
		return false, nil
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return false, err
	}
	for r.decoder.PeekKind() != '}' {
		i, err := r.name(names)
		switch {
		case err != nil:
			return false, err
		case i < 0:
			err = eventjson.Skip(r.decoder)
		case values[i] != "":
			r.problem("", "is written twice")
			err = eventjson.Skip(r.decoder)
		default:
			values[i], err = r.value(i, open)
		}
		if err != nil {
			return false, err
		}
	}
	_, err = r.decoder.ReadToken()
	return err == nil, err
}

// name reads the name of a member and finds it among names: -1 when it is not there.
func (r *reader) name(names []string) (int, error) {
	quoted, err := r.decoder.ReadValue()
	if err != nil {
		return -1, err
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return slices.Index(names, string(quoted[1:len(quoted)-1])), nil
	}
	name, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return -1, nil // a lone surrogate: it is none of ours
	}
	return slices.Index(names, string(name)), nil
}

func (r *reader) value(i int, open func(i int) error) (value, error) {
	if kind := r.decoder.PeekKind(); kind == '{' || kind == '[' {
		v := value(rune(kind))
		if open == nil {
			return v, eventjson.Skip(r.decoder)
		}
		return v, open(i)
	}
	json, err := r.decoder.ReadValue()
	end := int(r.decoder.InputOffset())
	return value(r.text[end-len(json) : end]), err
}

// list reads a list, each item by a function.
func (r *reader) list(item func() error) error {
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	for r.decoder.PeekKind() != ']' {
		if err := item(); err != nil {
			return err
		}
	}
	_, err := r.decoder.ReadToken()
	return err
}

// problem notes what is wrong with the value that was read last, or with a member of it.
func (r *reader) problem(member, reason string) {
	if len(r.problems) == maxProblems {
		r.omitted++
		return
	}
	path := string(r.decoder.StackPointer())
	if member != "" {
		path += "/" + member
	}
	r.problems = append(r.problems, refusal.Problem{Path: path, Reason: reason})
}

// refused returns the problems, as an error if there are any.
func (r *reader) refused() error {
	if len(r.problems) == 0 {
		return nil
	}
	if r.omitted > 0 {
		r.problems = append(r.problems, refusal.Problem{Reason: fmt.Sprintf("and %d more", r.omitted)})
	}
	return &refusal.InvalidError{Problems: r.problems}
}
