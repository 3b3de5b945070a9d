package thread

import (
	"encoding/json"
	"slices"
	"time"
)

// Thread is a conversation without its items: registers of what its events say, and what the CRM
// has of it.
type Thread struct {
	ID string

	// Own says that an event of the thread itself has come. One that is known only because a split
	// took messages out of it is not shown and not pushed.
	Own bool

	Version   int64     // CXone's count: the highest one
	UpdatedAt time.Time // of the highest event that names one; zero when none did

	Links Links
	CRM   Copy
}

// Links are the registers of a thread, most of them about how it is linked to another.
type Links struct {
	Parent Register // the thread it is linked to; "" for none
	Branch Register // the parent of its newest merge or split, and which of the two it was

	// Past holds the parents that it has had, the latest last.
	Past []string `json:",omitempty"`

	// Loose holds the parents from which to look for rings: those that the thread was linked to, or
	// unlinked from, since that was last done. See Disturbed.
	Loose []string `json:",omitempty"`

	// LooseRev is the revision of the thread at which it was last linked or unlinked: a search for
	// rings that was made before must be made again.
	LooseRev int64 `json:",omitempty"`

	// TimedBy is the version of the event that gave the thread its UpdatedAt. It is not a link; it is
	// kept here with the other registers.
	TimedBy int64 `json:",omitempty"`
}

// Register is a value and the stamp of the event that gave it.
type Register struct {
	Stamp Stamp
	Value string
	Type  Type `json:",omitempty"` // of the event, where it matters
}

// set gives the register a value, unless it has a higher one. It reports whether anything changed.
func (r *Register) set(s Stamp, value string, t Type) bool {
	s.Hash = HashOf([]byte(string(t) + "\x00" + value))
	if s.Compare(r.Stamp) <= 0 {
		return false
	}
	*r = Register{s, value, t}
	return true
}

// Encode writes the registers as text, for a store.
func (l *Links) Encode() string {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // texts and numbers alone
	}
	return string(b)
}

// ParseLinks reads what Encode wrote.
func ParseLinks(text string) (l Links, err error) {
	err = json.Unmarshal([]byte(text), &l)
	return l, err
}

// LinkKind says how a thread is linked to its parent.
type LinkKind string

// The kinds of links. A thread without a parent has the empty one.
const (
	LinkMerged LinkKind = "merged"
	LinkSplit  LinkKind = "split"
)

// Parent returns the thread that this one is linked to, "" for none, and how. A parent that only
// THREAD_UPDATED has named counts as that of a merge.
func (t *Thread) Parent() (id string, kind LinkKind) {
	id = t.Links.Parent.Value
	switch {
	case id == "":
		return "", ""
	case t.Links.Branch.Value == id && t.Links.Branch.Type == Split:
		return id, LinkSplit
	}
	return id, LinkMerged
}

// State is some threads and some of their items, as far as events are about them.
type State struct {
	Threads map[string]*Thread
	Items   map[ItemKey]*Item

	// What Fold has changed, even if it does not show.
	ChangedThreads map[string]bool
	ChangedItems   map[ItemKey]bool
}

// NewState returns a State with nothing in it.
func NewState() *State {
	return &State{
		Threads: make(map[string]*Thread), Items: make(map[ItemKey]*Item),
		ChangedThreads: make(map[string]bool), ChangedItems: make(map[ItemKey]bool),
	}
}

// Fold applies an event. The state must hold those of the event's ThreadIDs and Items that exist;
// Fold adds those that do not. It returns the threads that show something new, sorted: none when
// the event is stale.
//
// Every register is a maximum, so neither the order nor the number of events matters.
func (s *State) Fold(e *Event) (shown []string) {
	stamp := Stamp{Version: e.Version, UpdatedAt: e.UpdatedAt}
	isShown := s.foldThread(e, stamp)
	for i := range e.Messages {
		m := &e.Messages[i]
		at, _ := ParseTime(m.Timestamp)
		isShown = s.list(ItemKey{e.ThreadID, KindMessage, m.ID}, stamp, m.Content(), at) || isShown
	}
	for i := range e.Participants {
		p := &e.Participants[i]
		isShown = s.list(ItemKey{e.ThreadID, KindParticipant, p.ID}, stamp, p.Content(), time.Time{}) || isShown
	}
	if isShown {
		shown = append(shown, e.ThreadID)
	}
	if e.TakesFromParent() && s.takeFromParent(e) {
		shown = append(shown, e.Parent)
		slices.Sort(shown)
	}
	return shown
}

// foldHead applies the version and the time of an event. It reports whether that changes the thread, and
// whether the change shows: the same time by a higher version does not. An event that names no time leaves
// that of the thread.
//
// A thread that was emptied still has its version. An older event gives it an event of its own again,
// and sets back neither version nor time.
func (t *Thread) foldHead(stamp Stamp) (isChanged, isShown bool) {
	if !t.Own || stamp.Version > t.Version {
		t.Own, t.Version, isChanged, isShown = true, max(t.Version, stamp.Version), true, true
	}
	timed := Stamp{Version: t.Links.TimedBy, UpdatedAt: t.UpdatedAt}
	if !stamp.UpdatedAt.IsZero() && stamp.Compare(timed) > 0 {
		isChanged, isShown = true, isShown || !stamp.UpdatedAt.Equal(t.UpdatedAt)
		t.Links.TimedBy, t.UpdatedAt = stamp.Version, stamp.UpdatedAt
	}
	return isChanged, isShown
}

func (s *State) foldThread(e *Event, stamp Stamp) (isShown bool) {
	t := s.thread(e.ThreadID)
	isChanged, isShown := t.foldHead(stamp)
	if isChanged {
		s.ChangedThreads[t.ID] = true
	}
	before := t.Link()
	changed := false
	if e.NamesParent {
		changed = t.Links.Parent.set(stamp, e.Parent, "")
	}
	if e.Type != Updated && e.Parent != "" {
		changed = t.Links.Branch.set(stamp, e.Parent, e.Type) || changed
	}
	if !changed {
		return isShown
	}
	s.ChangedThreads[t.ID] = true
	after := t.Link()
	if after.Equal(before) {
		return isShown
	}
	// A newer event that names the same parent counts too: which link of a ring is cut depends on it.
	t.Links.relinked(before.Parent, after.Parent)
	return true
}

// pastParents is how many former parents a thread remembers.
const pastParents = 16

func (l *Links) relinked(from, to string) {
	for _, id := range []string{from, to} {
		if id != "" && !slices.Contains(l.Loose, id) {
			l.Loose = append(l.Loose, id)
		}
	}
	l.Past = slices.DeleteFunc(l.Past, func(id string) bool { return id == to })
	l.Past = append(l.Past, to)
	if len(l.Past) > pastParents {
		l.Past = l.Past[1:]
	}
}

// list lists an item in its thread and reports whether the thread shows something new.
func (s *State) list(key ItemKey, stamp Stamp, content []byte, at time.Time) bool {
	item := s.item(key)
	before := item.View()
	if item.list(stamp, content, at) {
		s.ChangedItems[key] = true
	}
	return item.View() != before
}

// takeFromParent takes the messages of a split out of the parent, and reports whether that shows.
func (s *State) takeFromParent(e *Event) (isShown bool) {
	s.thread(e.Parent)
	for i := range e.Messages {
		key := ItemKey{e.Parent, KindMessage, e.Messages[i].ID}
		item := s.item(key)
		before := item.View()
		if item.remove(e.UpdatedAt) {
			s.ChangedItems[key] = true
		}
		isShown = isShown || item.View() != before
	}
	return isShown
}

func (s *State) thread(id string) *Thread {
	t := s.Threads[id]
	if t == nil {
		t = &Thread{ID: id}
		s.Threads[id], s.ChangedThreads[id] = t, true
	}
	return t
}

func (s *State) item(key ItemKey) *Item {
	i := s.Items[key]
	if i == nil {
		i = &Item{ItemKey: key}
		s.Items[key] = i
	}
	return i
}
