// Package refusal says why an event cannot be applied, in terms fit for its sender. It is pure; sms
// and thread share it, so that the webhooks answer alike.
package refusal

import "strings"

// InvalidError says why a payload is not the event that it should be. The payload is understood and
// refused: it is kept as a dead letter, and the sender gets the message, which holds no value from the
// payload that could be private.
type InvalidError struct {
	Problems []Problem // at least one
}

// Problem is one thing that is wrong with a payload.
type Problem struct {
	Path   string // JSON Pointer (RFC 6901) to the field within the item; "" is the item itself
	Reason string // fit to be shown to the sender
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.Reason
	}
	return p.Path + ": " + p.Reason
}

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

// Invalid returns an InvalidError with a single problem.
func Invalid(path, reason string) *InvalidError {
	return &InvalidError{Problems: []Problem{{Path: path, Reason: reason}}}
}

// MalformedError says that a body is not JSON at all.
type MalformedError struct {
	Reason string
}

func (e *MalformedError) Error() string { return "malformed JSON: " + e.Reason }
