package audit

import (
	"fmt"
	"maps"
	"slices"
)

// Verifier checks chains against their ends. It may be given a part of the log at a time: some Heads, then
// each Entry of their chains, then Finish.
type Verifier struct {
	// Heads are the stored ends, by subject, of the chains whose entries come next. A chain may be longer
	// than its end says, if it was written to meanwhile.
	Heads map[string]Head

	Entries  int64 // checked so far
	Chains   int64
	Problems []Problem // at most maxProblems

	subject string
	head    Head
	broken  bool // the chain of subject is: what follows in it proves nothing
	ended   map[string]bool
}

// Problem is a place where a chain is not as it was written.
type Problem struct {
	Subject string
	Seq     int64
	Reason  string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s, entry %d: %s", p.Subject, p.Seq, p.Reason)
}

// maxProblems bounds what is reported of a log that is wrong throughout.
const maxProblems = 1000

// Entry checks the next entry. Entries come by subject and then by seq.
func (v *Verifier) Entry(e Entry) {
	if v.ended == nil {
		v.ended = make(map[string]bool)
	}
	if v.Chains == 0 || e.Subject != v.subject {
		v.subject, v.head, v.broken = e.Subject, Head{}, false
		v.Chains++
	}
	v.Entries++
	switch {
	case v.broken:
	case e.Seq != v.head.Seq+1:
		v.breaks(e.Seq, fmt.Sprintf("follows entry %d: entries are missing or were put in", v.head.Seq))
	case e.Prev != v.head.Hash:
		v.breaks(e.Seq, "does not carry the hash of the entry before: one of them was changed")
	case e.Hash != e.sum():
		v.breaks(e.Seq, "was changed: its hash is not that of what it says")
	}
	v.head = Head{Seq: e.Seq, Hash: e.Hash}
	if kept, ok := v.Heads[e.Subject]; ok && kept.Seq == e.Seq {
		v.ended[e.Subject] = true
		if !v.broken && kept.Hash != e.Hash {
			v.breaks(e.Seq, "is not the one that was written: the chain was written anew from some entry on")
		}
	}
}

// Finish checks, after the last entry of their chains, that none ends before its end in Heads.
func (v *Verifier) Finish() {
	for _, subject := range slices.Sorted(maps.Keys(v.Heads)) {
		if seq := v.Heads[subject].Seq; seq > 0 && !v.ended[subject] {
			v.found(Problem{subject, seq, "is missing, and was written: the end was cut off"})
		}
	}
	v.ended = nil
}

// breaks reports an entry of the current chain.
func (v *Verifier) breaks(seq int64, reason string) {
	v.broken = true
	v.found(Problem{v.subject, seq, reason})
}

func (v *Verifier) found(p Problem) {
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, p)
	}
}
