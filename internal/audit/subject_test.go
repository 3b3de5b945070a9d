package audit

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestThreadSubject(t *testing.T) {
	for id, want := range map[string]string{
		"t-1": "t-1", "fb:1": "fb:1", "message": "message", "messages:1": "messages:1", "Message:1": "Message:1",
		"erasure-1": "erasure-1", "alarm": "alarm", "xthread:1": "xthread:1", "é": "é",
		"erasure": "thread:erasure", "message:1": "thread:message:1", "message:": "thread:message:",
		"dead-letter:7": "thread:dead-letter:7", "alarm:slow-carrier:X": "thread:alarm:slow-carrier:X",
		"thread:": "thread:thread:", "thread:message:1": "thread:thread:message:1",
	} {
		if got := ThreadSubject(id); got != want {
			t.Errorf("ThreadSubject(%q) = %q, want %q", id, got, want)
		}
	}
}

// drawID draws ids that are likely to be in each other's way.
func drawID(t *rapid.T, label string) string {
	parts := rapid.SampledFrom([]string{"thread:", "message:", "dead-letter:", "alarm:", "erasure", "slow-carrier", ":", ";", " ", "1", "a", "é"})
	return strings.Join(rapid.SliceOfN(parts, 0, 4).Draw(t, label), "")
}

// Threads have different subjects, and none has that of anything else.
func TestSubjectsStayApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawID(t, "a"), drawID(t, "b")
		if (ThreadSubject(a) == ThreadSubject(b)) != (a == b) {
			t.Fatalf("the threads %q and %q have the subjects %q and %q", a, b, ThreadSubject(a), ThreadSubject(b))
		}
		number := rapid.Int64().Draw(t, "number")
		for _, other := range []string{
			ErasureSubject, MessageSubject(b), DeadLetterSubject(number), AlarmSubject("slow-carrier", b),
		} {
			for _, id := range []string{a, b, other} {
				if ThreadSubject(id) == other {
					t.Fatalf("the thread %q has the subject %q of something else", id, other)
				}
			}
		}
	})
}

// What a store leaves to the spans is what ThreadSubject changes.
func TestEscapedThreads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, in := drawID(t, "id"), 0
		for _, s := range EscapedThreads() {
			if s.First <= id && id < s.End {
				in++
			}
		}
		if isEscaped := ThreadSubject(id) != id; in > 1 || (in == 1) != isEscaped {
			t.Fatalf("%q is in %d spans, and its subject is %q", id, in, ThreadSubject(id))
		}
	})
	for _, s := range EscapedThreads() {
		if strings.ContainsAny(s.First+s.End, `'"\`) {
			t.Errorf("%q cannot be written into SQL", s)
		}
	}
}
