package proof

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// The CRM's copy of a thread is a register whose value is named by its version: every change raises it.
// A replica changes it by a comparison and a swap: it names the state that its delta was made for, by
// the ETag of that state (If-Match), and the version that the thread has afterwards. A history is right
// if each operation can be put at one moment between its call and its return so that
//
//   - a read returns the last version (no update that was acknowledged is lost);
//   - a write that is applied was made for the version that it replaces (nothing newer is overwritten by an
//     older delta), and raises it;
//   - a write with a key that was applied before changes nothing (nothing is applied twice);
//   - a write that is refused had to be refused;
//   - another writer's work raises the version by one, and is in what the replicas read afterwards.
//
// A write that was carried out while its answer was lost is applied if it could be, and otherwise not.

// These stand for the version that a write was made for, if there is none.
const (
	none   = -1 // the write names no state
	unseen = -2 // the write names a state that no answer has shown
)

// asked is an operation as the register sees it.
type asked struct {
	*Operation
	base int64 // the version that a write was made for
}

// register is the state of a thread in the CRM.
type register struct {
	exists  bool
	version int64
	applied *applied // the last write of a replica
}

// applied is a write that was applied, and those before it.
type applied struct {
	key    string
	before *applied
	hash   uint64 // of the keys, in their order
}

var hashSeed = maphash.MakeSeed()

func (a *applied) sum() uint64 {
	if a == nil {
		return 0
	}
	return a.hash
}

func (a *applied) has(key string) bool {
	for ; a != nil; a = a.before {
		if a.key == key {
			return true
		}
	}
	return false
}

// after is the register once a write was applied.
func (r register) after(o asked) register {
	sum := maphash.Comparable(hashSeed, struct {
		before uint64
		key    string
	}{r.applied.sum(), o.Key})
	return register{true, o.Version, &applied{o.Key, r.applied, sum}}
}

// takes reports whether a CRM that keeps its rules applies a write.
func (r register) takes(o asked) bool {
	if o.Method == http.MethodPost {
		return !r.exists
	}
	return r.exists && o.base == r.version && o.Version > r.version
}

// step reports whether an operation can happen to the register, and what it is then.
func (r register) step(o asked) (bool, register) {
	switch {
	case o.Replica == "":
		return r.exists, register{true, r.version + 1, r.applied}
	case o.Method == http.MethodGet:
		return r.tells(o), r
	case r.applied.has(o.Key):
		return o.Status == 0 || o.Status < 300 && o.Told == o.Version, r
	case o.Status == 0 && r.takes(o):
		return true, r.after(o)
	case o.Status == 0:
		// A CRM also applies a write that names no state, which then overwrites what its sender has not seen.
		blind := o.Method == http.MethodPatch && o.base == none && r.exists && o.Version > r.version
		return !blind, r
	case o.Status < 300:
		return r.takes(o) && o.Told == o.Version, r.after(o)
	}
	return !r.takes(o), r
}

// tells reports whether a read, if it was answered, returns what the register has.
func (r register) tells(o asked) bool {
	switch {
	case o.Status == http.StatusOK:
		return r.exists && o.Told == r.version
	case o.Status == http.StatusNotFound:
		return !r.exists
	}
	return true
}

var registerModel = porcupine.Model{
	Init: func() any { return register{} },
	Step: func(state, input, _ any) (bool, any) {
		ok, next := state.(register).step(input.(asked))
		return ok, next
	},
	Equal: func(a, b any) bool {
		x, y := a.(register), b.(register)
		return x.exists == y.exists && x.version == y.version && x.applied.sum() == y.applied.sum()
	},
	Hash: func(state any) uint64 {
		r := state.(register)
		return r.applied.sum() ^ uint64(r.version)
	},
}

// Histories is the result of the check of all threads.
type Histories struct {
	Threads int
	Reads   int // that were carried out
	Writes  int // that were carried out
	Lost    int // writes that were carried out, and the answer was lost
	Others  int // changes of the other writer
	Wrong   []string
}

// CheckHistories checks that what was done to each thread is the history of a register. A thread for which that
// cannot be decided within the limit is wrong too.
func CheckHistories(history []*Operation, limit time.Duration) (h Histories) {
	threads := make(map[string][]*Operation)
	for _, o := range history {
		if o.Carried {
			threads[o.Thread] = append(threads[o.Thread], o)
			h.count(o)
		}
	}
	h.Threads = len(threads)
	for id, operations := range threads {
		switch verdict, why := checkThread(operations, limit); verdict {
		case porcupine.Ok:
		case porcupine.Illegal:
			h.Wrong = append(h.Wrong, fmt.Sprintf("thread %q: its %d operations are not those of one register:\n%s", id, len(operations), why))
		default:
			h.Wrong = append(h.Wrong, fmt.Sprintf("thread %q: %s were not enough to decide whether its %d operations are those of one register", id, limit, len(operations)))
		}
	}
	slices.Sort(h.Wrong)
	return h
}

func (h *Histories) count(o *Operation) {
	switch {
	case o.Replica == "":
		h.Others++
	case !o.isWrite():
		h.Reads++
	default:
		h.Writes++
		if o.Status == 0 {
			h.Lost++
		}
	}
}

// checkThread asks porcupine. It describes a fault by the last operations that can be explained, and the first
// one that cannot.
func checkThread(operations []*Operation, limit time.Duration) (porcupine.CheckResult, string) {
	told := make(map[string]int64)
	for _, o := range operations {
		if o.ETag != "" {
			told[o.ETag] = o.Told
		}
	}
	began := operations[0].Call
	history := make([]porcupine.Operation, len(operations))
	for i, o := range operations {
		history[i] = porcupine.Operation{
			Input: asked{o, baseOf(o, told)}, Call: int64(o.Call.Sub(began)), Return: int64(o.Return.Sub(began)),
		}
	}
	if verdict := porcupine.CheckOperationsTimeout(registerModel, history, limit); verdict != porcupine.Illegal {
		return verdict, ""
	}
	_, info := porcupine.CheckOperationsVerbose(registerModel, history, limit)
	return porcupine.Illegal, unexplained(history, info.PartialLinearizations()[0])
}

func baseOf(o *Operation, told map[string]int64) int64 {
	if o.IfMatch == "" {
		return none
	}
	if version, ok := told[o.IfMatch]; ok {
		return version
	}
	return unseen
}

// shown is how many operations are listed before the first one that cannot be explained.
const shown = 4

func unexplained(history []porcupine.Operation, attempts [][]int) string {
	var longest []int
	for _, attempt := range attempts {
		if len(attempt) > len(longest) {
			longest = attempt
		}
	}
	var lines strings.Builder
	for _, id := range longest[max(0, len(longest)-shown):] {
		fmt.Fprintf(&lines, "  %s\n", history[id].Input)
	}
	var rest []porcupine.Operation
	for id, o := range history {
		if !slices.Contains(longest, id) {
			rest = append(rest, o)
		}
	}
	if len(rest) > 0 {
		first := slices.MinFunc(rest, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
		fmt.Fprintf(&lines, "  and then: %s", first.Input)
	}
	return lines.String()
}

// String describes an operation without the texts of messages.
func (o asked) String() string {
	base := fmt.Sprintf("version %d", o.base)
	switch o.base {
	case none:
		base = "no version"
	case unseen:
		base = "a version that no answer has shown"
	}
	switch {
	case o.Replica == "":
		return "another writer changes it"
	case o.Method == http.MethodGet:
		return fmt.Sprintf("%s: GET, answered %d, version %d", o.Replica, o.Status, o.Told)
	case o.Status == 0:
		return fmt.Sprintf("%s: %s of version %d made for %s, the answer lost", o.Replica, o.Method, o.Version, base)
	}
	return fmt.Sprintf("%s: %s of version %d made for %s, answered %d, version %d", o.Replica, o.Method, o.Version, base, o.Status, o.Told)
}
