package rest

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/crm"
)

func TestEscape(t *testing.T) {
	for id, want := range map[string]string{
		"3118d0df-9a": "3118d0df-9a",
		"a b+c":       "a%20b%2Bc",
		"a/b":         "a%2Fb",
		"%2f":         "%252f",
		".":           "%2E",
		"..":          "%2E%2E",
		"...":         "...",
		"a.b":         "a.b",
		"é":           "%C3%A9",
	} {
		if got := escape(id); got != want {
			t.Errorf("%q is %s, want %s", id, got, want)
		}
	}
}

// An id comes back from a path as it was, and is one segment of it.
func TestEscapeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringN(1, 256, -1).Draw(t, "id")
		escaped := escape(id)
		if back, err := url.PathUnescape(escaped); err != nil || back != id {
			t.Fatalf("%q became %q: %v", id, back, err)
		}
		if strings.ContainsAny(escaped, "/?#;+ ") || escaped == "." || escaped == ".." {
			t.Fatalf("%q is no segment", escaped)
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	r := crm.Request{ThreadID: "a/1", Version: 12, Body: []byte(`{"version":12}`)}
	const want = "a%2F1-12-cd7600cf4edfe7e057e81cf99f830b7f"
	if got := idempotencyKey(&r); got != want {
		t.Errorf("the key is %s, want %s", got, want)
	}
	other := r
	if idempotencyKey(&other) != idempotencyKey(&r) {
		t.Error("the same body has another key")
	}
	other.Body = []byte(`{"version":12 }`)
	if idempotencyKey(&other) == idempotencyKey(&r) {
		t.Error("another body has the same key")
	}
}

// A key fits into a column of 255 characters and a header, whatever the id, and another body has
// another one.
func TestIdempotencyKeyProperty(t *testing.T) {
	ids := rapid.OneOf(rapid.StringN(1, 256, -1), rapid.Just(strings.Repeat("é", 256)), rapid.Just(strings.Repeat("x", 256)))
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) *crm.Request {
			return &crm.Request{
				ThreadID: ids.Draw(t, name), Version: rapid.Int64Min(0).Draw(t, name+" version"),
				Body: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, name+" body"),
			}
		}
		a, b := draw("a"), draw("b")
		keyA, keyB := idempotencyKey(a), idempotencyKey(b)
		if string(a.Body) != string(b.Body) && keyA == keyB {
			t.Fatalf("%q and %q have the key %s", a.Body, b.Body, keyA)
		}
		if len(keyA) > maxKey {
			t.Fatalf("%s has %d bytes", keyA, len(keyA))
		}
		if _, err := url.PathUnescape(keyA); err != nil {
			t.Fatalf("%s holds a part of an escape", keyA)
		}
		for _, r := range keyA {
			if r <= ' ' || r > '~' {
				t.Fatalf("%s is no header", keyA)
			}
		}
	})
}
