// Package eventjson is what the readers of receipts and of thread events share: how strict they are with JSON,
// and how they say where it is broken.
package eventjson

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/refusal"
)

// maxDepth is how many levels of objects and lists an event may have.
const maxDepth = 64

var errDepth = fmt.Errorf("nested deeper than %d levels", maxDepth)

// Options are those of a decoder. Its reader refuses a name that it reads and that is written twice, since
// nothing says which of the two is meant; every other name may be. Lone surrogates are allowed, because
// gateways cut texts in the middle of a character; they are read as U+FFFD.
var Options = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// Malformed returns a *refusal.MalformedError that says where the JSON breaks. It quotes nothing of it but the
// character there.
func Malformed(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		return &refusal.MalformedError{Reason: fmt.Sprintf("%v, at byte %d", syntax.Err, syntax.ByteOffset)}
	case err == io.EOF:
		return &refusal.MalformedError{Reason: "there is no value"}
	}
	return &refusal.MalformedError{Reason: err.Error()}
}

// End makes sure that nothing follows the value that was read. The error is a *refusal.MalformedError.
func End(dec *jsontext.Decoder) error {
	switch _, err := dec.ReadToken(); err {
	case io.EOF:
		return nil
	case nil:
		return &refusal.MalformedError{Reason: fmt.Sprintf("there is more than one value, at byte %d", dec.InputOffset())}
	default:
		return Malformed(err)
	}
}

// Skip reads past the next value.
func Skip(dec *jsontext.Decoder) error {
	depth := dec.StackDepth()
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	return SkipRest(dec, depth)
}

// SkipRest reads on until the nesting is back at a depth.
func SkipRest(dec *jsontext.Decoder, depth int) error {
	for dec.StackDepth() > depth {
		if dec.StackDepth() > maxDepth {
			return errDepth
		}
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
	}
	return nil
}
