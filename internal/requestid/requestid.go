// Package requestid gives every request an id, by which its lines in one log can be found in another. The
// header is X-Request-Id.
package requestid

import (
	"context"
	"crypto/rand"
	"net/http"
)

// Header is the header of the id, in its canonical form.
const Header = "X-Request-Id"

// maxLength bounds the ids of others, in bytes.
const maxLength = 128

// New draws an id: 26 letters and digits.
func New() string { return rand.Text() }

// Of returns the id that the sender or a proxy gave a request, if it is fit for a log and a header:
// 1 to 128 printable ASCII characters, none of them a space. Otherwise it draws one.
func Of(h http.Header) string {
	if values := h[Header]; len(values) == 1 && isFit(values[0]) {
		return values[0]
	}
	return New()
}

func isFit(id string) bool {
	if id == "" || len(id) > maxLength {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// Handler gives each request an id, in its header, before next sees it, and puts the same id into the
// header of the answer.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := []string{Of(r.Header)}
		r.Header[Header] = id
		w.Header()[Header] = id
		next.ServeHTTP(w, r)
	})
}

type key struct{}

// With returns a context whose requests to others are to carry an id.
func With(ctx context.Context, id string) context.Context { return context.WithValue(ctx, key{}, id) }

// From returns the id that requests to others are to carry, and "" when there is none.
func From(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}
