package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// errTooMany says that an array has more items than the limit.
var errTooMany = errors.New("too many items")

// isArray reports whether a body is to be read as an array, because it begins as one.
func isArray(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && body[0] == '['
}

// split returns the items of a JSON array, as parts of the body. It checks the grammar only: what the
// reader of the items makes of a repeated name, or of a text that is not UTF-8, concerns that item
// alone, and not its neighbours.
//
// It returns errTooMany, or else an error that says where the JSON breaks off. The error holds
// nothing of the body.
func split(body []byte, limit int) ([][]byte, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := d.ReadToken(); err != nil {
		return nil, broken(err)
	}
	var items [][]byte
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, broken(err)
		}
		if len(items) == limit {
			return nil, errTooMany
		}
		end := int(d.InputOffset())
		items = append(items, body[end-len(value):end:end])
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, broken(err)
	}
	end := d.InputOffset()
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, fmt.Errorf("something follows the array at byte %d", end)
	}
	return items, nil
}

func broken(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("syntax error at byte %d", syntax.ByteOffset)
	}
	return errors.New("it ends too early")
}
