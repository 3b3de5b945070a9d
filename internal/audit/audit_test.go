package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var now = time.Date(2026, 3, 1, 10, 0, 0, 123456000, time.UTC)

// chain writes a chain of n entries about a subject.
func chain(subject string, n int) ([]Entry, Head) {
	var head Head
	var entries []Entry
	for i := range n {
		note := Note{Subject: subject, Action: ActionPush, Outcome: "acknowledged", Detail: Detail{"version": i, "status": 200}}
		entries = append(entries, head.Append(note, now.Add(time.Duration(i)*time.Second)))
	}
	return entries, head
}

func verify(entries []Entry, heads map[string]Head) []Problem {
	v := &Verifier{Heads: heads}
	for _, e := range entries {
		v.Entry(e)
	}
	v.Finish()
	return v.Problems
}

func TestVerify(t *testing.T) {
	a, headA := chain("a", 3)
	b, headB := chain("b", 2)
	heads := map[string]Head{"a": headA, "b": headB, "empty": {}}
	whole := slices.Concat(a, b)
	for _, test := range []struct {
		name   string
		change func(entries []Entry) []Entry
		want   string // part of the only problem; "" is none
	}{
		{"as written", func(e []Entry) []Entry { return e }, ""},
		{"the id is the store's", func(e []Entry) []Entry { e[1].ID = 7; return e }, ""},
		{"written to meanwhile", func(e []Entry) []Entry {
			head := headB
			return append(e, head.Append(Note{Subject: "b"}, now))
		}, ""},
		{"outcome changed", func(e []Entry) []Entry { e[1].Outcome = "failed"; return e }, "a, entry 2: was changed"},
		{"detail changed", func(e []Entry) []Entry { e[0].Detail = "{}"; return e }, "a, entry 1: was changed"},
		{"time changed", func(e []Entry) []Entry { e[4].At = e[4].At.Add(time.Microsecond); return e }, "b, entry 2: was changed"},
		{"entry changed with its hash", func(e []Entry) []Entry {
			e[1].Outcome = "failed"
			e[1].Hash = e[1].sum()
			return e
		}, "a, entry 3: does not carry the hash"},
		{"last entry changed with its hash", func(e []Entry) []Entry {
			e[2].Outcome = "failed"
			e[2].Hash = e[2].sum()
			return e
		}, "a, entry 3: is not the one that was written"},
		{"first taken out", func(e []Entry) []Entry { return e[1:] }, "a, entry 2: follows entry 0"},
		{"middle taken out", func(e []Entry) []Entry { return slices.Delete(e, 1, 2) }, "a, entry 3: follows entry 1"},
		{"end cut off", func(e []Entry) []Entry { return e[:4] }, "b, entry 2: is missing"},
		{"chain removed", func(e []Entry) []Entry { return e[3:] }, "a, entry 3: is missing"},
		{"put in", func(e []Entry) []Entry { return slices.Insert(e, 1, e[0]) }, "a, entry 1: follows entry 1"},
		{"moved to another subject", func(e []Entry) []Entry { e[4].Subject = "c"; return e }, "c, entry 2: follows entry 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			problems := verify(test.change(slices.Clone(whole)), heads)
			switch {
			case test.want == "" && len(problems) > 0:
				t.Errorf("found %v", problems)
			case test.want != "" && (len(problems) == 0 || !strings.Contains(problems[0].String(), test.want)):
				t.Errorf("found %v, want %q", problems, test.want)
			}
		})
	}
}

// Whatever is changed in one field of one entry shows.
func TestAnyChangeShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries, head := chain("thread", rapid.IntRange(1, 10).Draw(t, "entries"))
		e := &entries[rapid.IntRange(0, len(entries)-1).Draw(t, "changed")]
		text := rapid.StringN(1, 5, -1).Draw(t, "text")
		switch rapid.IntRange(0, 6).Draw(t, "field") {
		case 0:
			e.Outcome += text
		case 1:
			e.Detail += text
		case 2:
			e.Action += Action(text)
		case 3:
			e.At = e.At.Add(time.Duration(rapid.IntRange(1, 1e9).Draw(t, "µs")) * time.Microsecond)
		case 4:
			e.Hash[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 5:
			e.Prev[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 6:
			e.Outcome, e.Detail = e.Outcome+e.Detail[:1], e.Detail[1:] // the same bytes, cut elsewhere
		}
		if len(verify(entries, map[string]Head{"thread": head})) == 0 {
			t.Fatalf("nothing found in %+v", *e)
		}
	})
}

// A chain that is written to while the log is read by parts goes on in the next part.
func TestVerifyByParts(t *testing.T) {
	a, headA := chain("a", 2)
	b, _ := chain("b", 3)
	c, headC := chain("c", 1)
	v := &Verifier{Heads: map[string]Head{"a": headA, "b": {Seq: 2, Hash: b[1].Hash}}}
	for _, e := range slices.Concat(a[:1], b[:2]) { // the end of a is cut off
		v.Entry(e)
	}
	v.Finish()
	v.Heads = map[string]Head{"c": headC}
	for _, e := range slices.Concat(b[2:], c) {
		v.Entry(e)
	}
	v.Finish()
	if len(v.Problems) != 1 || v.Problems[0].Subject != "a" || v.Chains != 3 || v.Entries != 5 {
		t.Errorf("%d entries in %d chains, problems %v, want only that the end of a is missing", v.Entries, v.Chains, v.Problems)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	v := &Verifier{}
	for i := range 2 * maxProblems {
		v.Entry(Entry{Subject: fmt.Sprint(i), Seq: 7})
	}
	if len(v.Problems) != maxProblems || v.Entries != 2*maxProblems || v.Chains != 2*maxProblems {
		t.Errorf("%d problems, %d entries, %d chains", len(v.Problems), v.Entries, v.Chains)
	}
}
