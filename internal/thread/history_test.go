package thread_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// minute returns a time; the zero time for 0.
func minute(n int) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return date(3, 14, 10, n, 0, 0)
}

// events draws an event of a few threads with a few messages, so that events often meet.
func events() *rapid.Generator[*thread.Event] {
	threads := rapid.SampledFrom([]string{"A", "B", "C", "D"})
	return rapid.Custom(func(t *rapid.T) *thread.Event {
		e := &thread.Event{
			Type:     rapid.SampledFrom([]thread.Type{thread.Updated, thread.Updated, thread.Merged, thread.Split}).Draw(t, "type"),
			ThreadID: threads.Draw(t, "thread"), Version: rapid.Int64Range(0, 4).Draw(t, "version"),
			UpdatedAt: minute(rapid.IntRange(0, 5).Draw(t, "minute")),
		}
		others := threads.Filter(func(id string) bool { return id != e.ThreadID })
		e.NamesParent = e.Type != thread.Updated || rapid.Bool().Draw(t, "names its parent")
		if e.Type == thread.Merged || e.NamesParent && rapid.IntRange(0, 3).Draw(t, "has a parent") > 0 {
			e.Parent = others.Draw(t, "parent")
		}
		for _, id := range rapid.SliceOfN(rapid.SampledFrom([]string{"m1", "m2", "m3"}), 0, 3).Draw(t, "messages") {
			e.Messages = append(e.Messages, thread.Message{
				ID: id, Text: rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "text"), AuthorID: "p1",
				Timestamp: rapid.SampledFrom([]string{"2026-03-14T09:00:00Z", "2026-03-14T09:01:00Z", "soon"}).Draw(t, "written"),
			})
		}
		if rapid.Bool().Draw(t, "has a participant") {
			e.Participants = []thread.Participant{{ID: "p1", Role: "AGENT", Name: rapid.SampledFrom([]string{"Ada", "Bob"}).Draw(t, "name")}}
		}
		return e
	})
}

func histories(most int) *rapid.Generator[[]*thread.Event] { return rapid.SliceOfN(events(), 1, most) }

func fold(events ...*thread.Event) *thread.State {
	s := thread.NewState()
	for _, e := range events {
		s.Fold(e)
	}
	return s
}

func linksOf(s *thread.State) map[string]thread.Link {
	links := make(map[string]thread.Link)
	for id, t := range s.Threads {
		if link := t.Link(); link.Parent != "" {
			links[id] = link
		}
	}
	return links
}

// timelineOf returns the ids of the messages that a thread shows, each with the thread it stands in.
func timelineOf(s *thread.State, id string) []string {
	timeline := []string{}
	for _, item := range thread.Timeline(thread.Family(id, linksOf(s)), slices.Collect(maps.Values(s.Items))) {
		timeline = append(timeline, item.ThreadID+"/"+item.ID)
	}
	return timeline
}

// registers returns all of a state that may not depend on the order of events.
func registers(s *thread.State) map[string]any {
	all := make(map[string]any)
	for id, t := range s.Threads {
		c := *t
		c.Links.Past, c.Links.Loose = nil, nil
		all["thread "+id], all["timeline "+id] = c, timelineOf(s, id)
	}
	for key, item := range s.Items {
		c := *item
		c.Past = nil
		all[fmt.Sprint(key)] = c
	}
	return all
}

func TestOrderAndRepetitionDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := histories(8).Draw(t, "history")
		again := append(rapid.SliceOf(rapid.SampledFrom(history)).Draw(t, "repeated"), history...)
		shuffled := rapid.Permutation(again).Draw(t, "shuffled")
		if diff := gocmp.Diff(registers(fold(history...)), registers(fold(shuffled...))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A store may empty a thread whose events are old: its items go, and its registers stay. Whatever comes
// then takes back neither its version nor its time, and ends as if the thread had never been emptied.
func TestEmptiedThreadsGoOnWhereTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := histories(6).Draw(t, "before"), histories(6).Draw(t, "after")
		s := fold(before...)
		for id := range s.Threads {
			s.Threads[id].Own = false
		}
		clear(s.Items)
		for _, e := range after {
			was := s.Threads[e.ThreadID]
			isHidden := was == nil || !was.Own
			if isShown := slices.Contains(s.Fold(e), e.ThreadID); isHidden && !isShown {
				t.Fatalf("%s is not shown again", e.ThreadID)
			}
		}
		want := fold(slices.Concat(before, after)...)
		for id, got := range s.Threads {
			whole := want.Threads[id]
			if got.Version != whole.Version || !got.UpdatedAt.Equal(whole.UpdatedAt) || got.Links.TimedBy != whole.Links.TimedBy {
				t.Fatalf("%s has version %d of %v, want %d of %v", id, got.Version, got.UpdatedAt, whole.Version, whole.UpdatedAt)
			}
		}
	})
}

// shows is what others see of a thread: what it answers, and what the CRM is told of it.
func shows(s *thread.State, id string) map[string]any {
	t := s.Threads[id]
	if t == nil || !t.Own {
		return nil
	}
	all := map[string]any{"version": t.Version, "updatedAt": t.UpdatedAt, "link": t.Link()}
	for key, item := range s.Items {
		if key.ThreadID == id && !item.View().IsZero() {
			all[string(key.Kind)+" "+key.ID] = item.View()
		}
	}
	return all
}

func TestFoldTellsWhatShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := thread.NewState()
		for _, e := range histories(8).Draw(t, "history") {
			// An event that lists a message twice may be said to show what it takes back itself.
			slices.SortStableFunc(e.Messages, func(a, b thread.Message) int { return strings.Compare(a.ID, b.ID) })
			e.Messages = slices.CompactFunc(e.Messages, func(a, b thread.Message) bool { return a.ID == b.ID })
			before := make(map[string]any)
			for _, id := range e.ThreadIDs() {
				before[id] = shows(s, id)
			}
			saved := registers(s)
			clear(s.ChangedThreads)
			clear(s.ChangedItems)
			shown := s.Fold(e)
			var want []string
			for _, id := range e.ThreadIDs() {
				if !gocmp.Equal(before[id], any(shows(s, id))) {
					want = append(want, id)
				}
			}
			if diff := gocmp.Diff(want, shown); diff != "" {
				t.Fatalf("shown: %s", diff)
			}
			checkChanged(t, s, saved)
			clear(s.ChangedThreads)
			clear(s.ChangedItems)
			if again := s.Fold(e); len(again)+len(s.ChangedThreads)+len(s.ChangedItems) > 0 {
				t.Fatalf("the second time it changes %v, %v, %v", again, s.ChangedThreads, s.ChangedItems)
			}
		}
	})
}

// checkChanged checks that everything that is not as it was is marked as changed.
func checkChanged(t *rapid.T, s *thread.State, before map[string]any) {
	now := registers(s)
	for id := range s.Threads {
		name := "thread " + id
		if !s.ChangedThreads[id] && !gocmp.Equal(before[name], now[name]) {
			t.Fatalf("%s changed unmarked", name)
		}
	}
	for key := range s.Items {
		name := fmt.Sprint(key)
		if !s.ChangedItems[key] && !gocmp.Equal(before[name], now[name]) {
			t.Fatalf("%s changed unmarked", name)
		}
	}
}

// The state in the words of the documentation, from all events at once.

// newest returns the highest event for which value gives something, and that value: "" when there is
// none.
func newest(history []*thread.Event, value func(*thread.Event) (string, bool)) (text string, at time.Time) {
	var best thread.Stamp
	isFound := false
	for _, e := range history {
		v, names := value(e)
		if !names {
			continue
		}
		s := thread.Stamp{Version: e.Version, UpdatedAt: e.UpdatedAt, Hash: thread.HashOf([]byte("\x00" + v))}
		if !isFound || s.Compare(best) > 0 {
			best, text, at, isFound = s, v, e.UpdatedAt, true
		}
	}
	return text, at
}

// isListed reports whether a message is present in a thread: when the newest of the thread's own
// events that list it is later than all splits that took it.
func isListed(history []*thread.Event, threadID, id string) bool {
	var listed, taken time.Time
	isListed, isTaken := false, false
	for _, e := range history {
		lists := slices.ContainsFunc(e.Messages, func(m thread.Message) bool { return m.ID == id })
		if lists && e.ThreadID == threadID {
			isListed, listed = true, latest(listed, e.UpdatedAt)
		}
		if lists && e.Type == thread.Split && e.Parent == threadID {
			isTaken, taken = true, latest(taken, e.UpdatedAt)
		}
	}
	return isListed && (!isTaken || listed.After(taken))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestStateIsAsDocumented(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := histories(8).Draw(t, "history")
		s := fold(history...)
		for _, id := range []string{"A", "B", "C", "D"} {
			own := slices.DeleteFunc(slices.Clone(history), func(e *thread.Event) bool { return e.ThreadID != id })
			if th := s.Threads[id]; th != nil {
				checkThread(t, th, own)
			} else if len(own) > 0 {
				t.Fatalf("%s is missing", id)
			}
			for _, m := range []string{"m1", "m2", "m3"} {
				item := s.Items[thread.ItemKey{ThreadID: id, Kind: thread.KindMessage, ID: m}]
				is := item != nil && !item.View().IsZero()
				if want := isListed(history, id, m); is != want {
					t.Fatalf("%s in %s: %v, want %v", m, id, is, want)
				}
			}
		}
	})
}

func checkThread(t *rapid.T, th *thread.Thread, own []*thread.Event) {
	if th.Own != (len(own) > 0) {
		t.Fatalf("%s: own is %v", th.ID, th.Own)
	}
	parent, at := newest(own, func(e *thread.Event) (string, bool) { return e.Parent, e.NamesParent })
	if got := th.Link(); got.Parent != parent || parent != "" && !got.UpdatedAt.Equal(at) {
		t.Fatalf("%s: link %+v, want %q of %v", th.ID, got, parent, at)
	}
	if !th.Own {
		return
	}
	head := slices.MaxFunc(own, func(a, b *thread.Event) int { return cmp.Compare(a.Version, b.Version) })
	var timed thread.Event // stays so when no event names a time
	for _, e := range own {
		if !e.UpdatedAt.IsZero() && cmp.Or(cmp.Compare(e.Version, timed.Version), e.UpdatedAt.Compare(timed.UpdatedAt)) > 0 {
			timed = *e
		}
	}
	if th.Version != head.Version || !th.UpdatedAt.Equal(timed.UpdatedAt) {
		t.Fatalf("%s: version %d of %v, want %d of %v", th.ID, th.Version, th.UpdatedAt, head.Version, timed.UpdatedAt)
	}
}

func TestNothingIsLostInAMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := fold(histories(10).Draw(t, "history")...)
		links := linksOf(s)
		for id, link := range links {
			if link.Kind != thread.LinkMerged || thread.FollowedParent(id, links) == "" {
				continue
			}
			parents := messagesOf(timelineOf(s, link.Parent))
			for _, m := range messagesOf(timelineOf(s, id)) {
				if !slices.Contains(parents, m) {
					t.Fatalf("%s of %s is not in the timeline of %s: %v", m, id, link.Parent, parents)
				}
			}
			if slices.Sort(parents); len(slices.Compact(slices.Clone(parents))) != len(parents) {
				t.Fatalf("a message is twice in %v", parents)
			}
		}
	})
}

func messagesOf(timeline []string) []string {
	ids := make([]string, len(timeline))
	for i, entry := range timeline {
		_, ids[i], _ = strings.Cut(entry, "/")
	}
	return ids
}

func TestNoCycleIsFollowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		links := linksOf(fold(histories(12).Draw(t, "history")...))
		cuts := 0
		for id := range links {
			at := id
			for steps := 0; at != ""; steps++ {
				if steps > len(links) {
					t.Fatalf("from %s one comes round and round: %v", id, links)
				}
				at = thread.FollowedParent(at, links)
			}
			if thread.IsCut(id, links) {
				cuts++
				for _, other := range thread.Ring(id, links) {
					if links[other].UpdatedAt.After(links[id].UpdatedAt) {
						t.Fatalf("%s is cut, and %s is newer", id, other)
					}
				}
			} else if ring := thread.Ring(id, links); ring != nil && !slices.ContainsFunc(ring, func(id string) bool { return thread.IsCut(id, links) }) {
				t.Fatalf("no link of %v is cut", ring)
			}
		}
		if cuts > len(links)/2 {
			t.Fatalf("%d cuts among %d links", cuts, len(links))
		}
	})
}
