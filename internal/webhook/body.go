package webhook

import (
	"errors"
	"io"
)

// The ways in which a body cannot be read.
var (
	errTooLarge = errors.New("the body is too large")
	errNoRoom   = errors.New("too many bytes in flight")
)

// firstRead is how much room a body gets at first, in bytes, when its length or the caller is not
// known. Nearly all bodies are shorter.
const firstRead = 64 << 10

// readBody reads a whole body of the given length, -1 if it is not known, and reserves its bytes on
// the ticket. It makes room once when it may rely on the length. Otherwise the room grows with what
// has arrived, so that announcing a large body takes up no memory.
//
// It returns errTooLarge, errNoRoom, io.ErrUnexpectedEOF, or what the reader returns.
func readBody(r io.Reader, length int64, t *ticket) ([]byte, error) {
	limit := t.limits.Body
	if length > limit {
		return nil, errTooLarge
	}
	end := length
	if length < 0 {
		end = limit + 1 // one byte over the limit shows that the body is too large
	}
	room := min(end, firstRead)
	if t.known && length >= 0 {
		room = end
	}
	if !t.reserve(room) {
		return nil, errNoRoom
	}
	body := make([]byte, 0, room)
	for int64(len(body)) < end {
		if len(body) == cap(body) {
			narrow, wide := int64(cap(body)), min(2*int64(cap(body)), end)
			if !t.reserve(wide) {
				return nil, errNoRoom
			}
			body = append(make([]byte, 0, wide), body...)
			t.unreserve(narrow)
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if length >= 0 && int64(len(body)) < length {
		return nil, io.ErrUnexpectedEOF
	}
	if int64(len(body)) > limit {
		return nil, errTooLarge
	}
	return body, nil
}
