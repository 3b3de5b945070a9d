package store

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/audit"
)

// The parts are all threads with their subjects. Each is read from where its subjects are after the one that
// was asked for: no row of it is read in vain, but that of the id itself.
func TestHeadParts(t *testing.T) {
	parts := rapid.SampledFrom([]string{"thread:", "thread", "message:", "dead-letter:", "alarm:", "erasure", ":", ";", " ", "1", "a", "z", "é"})
	draw := func(t *rapid.T, label string) string {
		return strings.Join(rapid.SliceOfN(parts, 1, 4).Draw(t, label), "")
	}
	rapid.Check(t, func(t *rapid.T) {
		id, after, in := draw(t, "id"), draw(t, "after"), 0
		if rapid.Bool().Draw(t, "a subject") {
			after = audit.ThreadSubject(after)
		}
		for i, p := range headParts {
			if id < p.First || p.End != "" && id >= p.End {
				continue
			}
			in++
			subject := p.prefix + id
			if subject != audit.ThreadSubject(id) {
				t.Fatalf("%q has the subject %q in its part", id, subject)
			}
			from := HeadsArguments(after, 1)[2+i].(string)
			if id != from && id > from != (subject > after) || id == from && subject < after {
				t.Fatalf("after %q, the part of %q is read from %q", after, id, from)
			}
		}
		if in != 1 {
			t.Fatalf("%q is in %d parts", id, in)
		}
	})
}
