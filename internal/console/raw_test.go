package console

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestRaw(t *testing.T) {
	nested := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for body, want := range map[string]string{
		`{"a":[1,"x"]}`:   "{\n  \"a\": [\n    1,\n    \"x\"\n  ]\n}",
		`{"a":1,"a":2}`:   "{\n  \"a\": 1,\n  \"a\": 2\n}",
		`{"a":`:           `{"a":`,
		`{} {}`:           `{} {}`,
		"no JSON\x00\xff": "no JSON\x00\xff",
		"":                "",
		nested:            nested,
	} {
		if got := raw([]byte(body)); got != want {
			t.Errorf("%.40q is shown as %.80q", body, got)
		}
	}
	long := raw([]byte(`"` + strings.Repeat("ä", rawShown) + `"`))
	if len(long) > rawShown+40 || !strings.HasSuffix(long, "… 256 KiB in all") || !utf8.ValidString(long) {
		t.Errorf("%d bytes, ends with %q", len(long), long[len(long)-40:])
	}
}

// What is shown of a body is not much longer than a body may be that is shown in whole.
func TestRawIsBounded(t *testing.T) {
	deep := strings.Repeat("[", rawDepth) + strings.Repeat("1,", rawShown/2-2*rawDepth) + "1" + strings.Repeat("]", rawDepth)
	if n := len(raw([]byte(deep))); n > 4*rawShown {
		t.Errorf("%d bytes", n)
	}
}

func TestCutText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		most := rapid.IntRange(0, 20).Draw(t, "most")
		shown, isCut := cutText(text, most)
		if len(shown) > most && isCut || !strings.HasPrefix(text, shown) || isCut != (len(shown) < len(text)) || !utf8.ValidString(shown) || isCut && most-len(shown) >= utf8.UTFMax {
			t.Fatalf("%q at %d: %q", text, most, shown)
		}
	})
}

// What turns text about is told, not done: a body is shown in the order that it has.
func TestRawDirections(t *testing.T) {
	for body, want := range map[string]string{"{\"a\":\"x\u202ey\u2066\"}": "{\n  \"a\": \"x\\u202ey\\u2066\"\n}", "x\u200fy": `x\u200fy`, "é🦊": "é🦊"} {
		if got := raw([]byte(body)); got != want {
			t.Errorf("%q is %q, want %q", body, got, want)
		}
	}
}
