package requestid

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	for _, id := range []string{"a", "0", "abc-1", "!~", strings.Repeat("a", 128)} {
		if got := Of(http.Header{Header: {id}}); got != id {
			t.Errorf("%q became %q", id, got)
		}
	}
	for _, values := range [][]string{
		nil, {}, {""}, {" "}, {"a b"}, {"a\x00"}, {"a\n"}, {"\x7f"}, {"é"}, {"a", "b"}, {strings.Repeat("a", 129)},
	} {
		got := Of(http.Header{Header: values})
		if !isFit(got) || slices.Contains(values, got) {
			t.Errorf("%q became %q", values, got)
		}
	}
	if a, b := Of(nil), Of(nil); a == b {
		t.Errorf("two requests are both called %q", a)
	}
}

// The handler and the sender see the same id, even when the answer is an error.
func TestHandler(t *testing.T) {
	for given, isKept := range map[string]bool{"abc-1": true, "a b": false, "": false} {
		var seen string
		h := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = r.Header.Get(Header)
			http.Error(w, "no", http.StatusTeapot)
		}))
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set(Header, given)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if told := w.Result().Header.Values(Header); len(told) != 1 || told[0] != seen || (seen == given) != isKept {
			t.Errorf("%q: the handler sees %q, the sender %q", given, seen, told)
		}
	}
}

func TestContext(t *testing.T) {
	if id := From(t.Context()); id != "" {
		t.Errorf("%q of no request", id)
	}
	if id := From(With(t.Context(), "r1")); id != "r1" {
		t.Errorf("%q, want r1", id)
	}
}
