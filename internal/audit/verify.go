package audit

import "fmt"

// Verifier checks chains. Its entries come by subject and then by seq.
type Verifier struct {
	Entries  int64 // checked so far
	Chains   int64
	Problems []Problem // at most maxProblems

	subject string
	head    Head
	broken  bool // in the chain of subject: what follows proves nothing
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

// maxProblems bounds what is kept of a log that is wrong throughout.
const maxProblems = 1000

// Entry checks the next entry.
func (v *Verifier) Entry(e Entry) {
	if e.Subject != v.subject || v.Chains == 0 {
		v.subject, v.head, v.broken = e.Subject, Head{}, false
		v.Chains++
	}
	v.Entries++
	switch {
	case v.broken:
	case e.Seq != v.head.Seq+1:
		v.found(e.Seq, fmt.Sprintf("follows entry %d: entries are missing or were put in", v.head.Seq))
	case e.Prev != v.head.Hash:
		v.found(e.Seq, "does not carry the hash of the entry before: one of them was changed")
	case e.Hash != e.sum():
		v.found(e.Seq, "was changed: its hash is not that of what it says")
	}
	v.head = Head{Seq: e.Seq, Hash: e.Hash}
}

// Head checks the end of the chain whose entries came last, or of one that has no entries.
func (v *Verifier) Head(subject string, kept Head) {
	last := v.head
	if subject != v.subject || v.Chains == 0 {
		v.subject, v.broken = subject, false
		last = Head{}
	}
	if !v.broken && last != kept {
		v.found(last.Seq, fmt.Sprintf("is the last one, but %d were written: the end was cut off or changed", kept.Seq))
	}
}

func (v *Verifier) found(seq int64, reason string) {
	v.broken = true
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, Problem{v.subject, seq, reason})
	}
}
