package thread_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// event returns an event whose updatedAt is so many minutes after ten. Its messages are given as id,
// text, id, text; each is written in the minute of its place among them.
func event(typ thread.Type, id string, version int64, at int, parent string, messages ...string) *thread.Event {
	e := &thread.Event{Type: typ, ThreadID: id, Version: version, UpdatedAt: minute(at), Parent: parent, NamesParent: parent != ""}
	for i := 0; i < len(messages); i += 2 {
		e.Messages = append(e.Messages, message(messages[i], messages[i+1]))
	}
	return e
}

// message returns a message that is written in the minute that its id ends in.
func message(id, text string) thread.Message {
	return thread.Message{ID: id, Text: text, Timestamp: "2026-03-14T09:0" + id[len(id)-1:] + ":00Z", AuthorID: "p1", Direction: "INBOUND"}
}

func updated(id string, version int64, at int, messages ...string) *thread.Event {
	return event(thread.Updated, id, version, at, "", messages...)
}

// timeless returns an event that names no time.
func timeless(id string, version int64) *thread.Event {
	e := updated(id, version, 0)
	e.UpdatedAt = time.Time{}
	return e
}

func unlinked(typ thread.Type, id string, version int64, at int) *thread.Event {
	e := event(typ, id, version, at, "")
	e.NamesParent = true
	return e
}

func TestStaleEventsAddAndChangeNothingNewer(t *testing.T) {
	s := thread.NewState()
	steps := []struct {
		e     *thread.Event
		shown []string
		m1    string
		m2    bool
	}{
		{updated("T1", 3, 3, "m1", "Hello!"), []string{"T1"}, "Hello!", false},
		{updated("T1", 1, 1, "m1", "Helo", "m2", "Anyone?"), []string{"T1"}, "Hello!", true},
		{updated("T1", 2, 2, "m1", "Hello"), nil, "Hello!", true},
		{updated("T1", 3, 3, "m1", "Hello!"), nil, "Hello!", true},
		{updated("T1", 4, 4), []string{"T1"}, "Hello!", true}, // a higher version alone
		{updated("T1", 4, 5), []string{"T1"}, "Hello!", true}, // or a later time
		{updated("T1", 4, 4), nil, "Hello!", true},
		{updated("T1", 5, 1, "m1", "Hi"), []string{"T1"}, "Hi", true}, // the version goes before the time
		{timeless("T1", 7), []string{"T1"}, "Hi", true},
		{updated("T1", 6, 1), nil, "Hi", true}, // the same time, by a higher version
		{updated("T1", 5, 9), nil, "Hi", true}, // which counts from then on
		{updated("T1", 6, 2), []string{"T1"}, "Hi", true},
	}
	for i, step := range steps {
		if diff := cmp.Diff(step.shown, s.Fold(step.e)); diff != "" {
			t.Errorf("step %d shows %s", i, diff)
		}
		want := message("m1", step.m1)
		if got := s.Items[thread.ItemKey{ThreadID: "T1", Kind: thread.KindMessage, ID: "m1"}]; string(got.Content) != string(want.Content()) {
			t.Errorf("step %d: %s", i, got.Content)
		}
		if _, is := s.Items[thread.ItemKey{ThreadID: "T1", Kind: thread.KindMessage, ID: "m2"}]; is != step.m2 {
			t.Errorf("step %d: m2 is there: %v", i, is)
		}
	}
}

func TestTimelines(t *testing.T) {
	type timelines map[string][]string
	tests := []struct {
		name    string
		history []*thread.Event
		want    timelines
	}{
		{"merge", []*thread.Event{
			updated("T1", 1, 1, "m1", "", "m3", ""), updated("T2", 1, 1, "m2", ""),
			event(thread.Merged, "T2", 2, 2, "T1", "m4", ""),
		}, timelines{"T1": {"T1/m1", "T2/m2", "T1/m3", "T2/m4"}, "T2": {"T2/m2", "T2/m4"}}},

		{"chain of merges", []*thread.Event{
			event(thread.Merged, "T2", 2, 2, "T1", "m2", ""), event(thread.Merged, "T1", 2, 2, "T0", "m1", ""), updated("T0", 1, 1, "m3", ""),
		}, timelines{"T0": {"T1/m1", "T2/m2", "T0/m3"}, "T1": {"T1/m1", "T2/m2"}}},

		{"one message in parent and child", []*thread.Event{
			updated("T1", 1, 1, "m1", "parent"), event(thread.Merged, "T2", 9, 9, "T1", "m1", "child"),
		}, timelines{"T1": {"T1/m1"}}},

		{"parent that nobody has heard of", []*thread.Event{
			event(thread.Merged, "T2", 4, 4, "T1", "m2", ""),
		}, timelines{"T1": {"T2/m2"}}},

		{"parent named by an update is that of a merge", []*thread.Event{
			event(thread.Updated, "T2", 4, 4, "T1", "m2", ""),
		}, timelines{"T1": {"T2/m2"}}},

		{"unlinked again", []*thread.Event{
			event(thread.Merged, "T2", 1, 1, "T1", "m2", ""), unlinked(thread.Updated, "T2", 2, 2),
		}, timelines{"T1": {}, "T2": {"T2/m2"}}},

		{"ring: the newest link is not followed", []*thread.Event{
			event(thread.Merged, "T2", 1, 1, "T1", "m2", ""), event(thread.Merged, "T1", 1, 2, "T2", "m1", ""),
		}, timelines{"T1": {"T1/m1", "T2/m2"}, "T2": {"T2/m2"}}},

		{"ring: opened again", []*thread.Event{
			event(thread.Merged, "T2", 1, 1, "T1", "m2", ""), event(thread.Merged, "T1", 1, 2, "T2", "m1", ""), unlinked(thread.Updated, "T2", 2, 3),
		}, timelines{"T1": {"T1/m1"}, "T2": {"T1/m1", "T2/m2"}}},

		{"split", []*thread.Event{
			updated("T1", 1, 1, "m1", "", "m2", "", "m3", ""), event(thread.Split, "T5", 2, 5, "T1", "m2", "", "m3", ""),
		}, timelines{"T1": {"T1/m1"}, "T5": {"T5/m2", "T5/m3"}}},

		{"split, then an older event of the parent", []*thread.Event{
			event(thread.Split, "T5", 2, 5, "T1", "m2", ""), updated("T1", 9, 3, "m2", ""), updated("T1", 1, 5, "m2", ""),
		}, timelines{"T1": {}, "T5": {"T5/m2"}}},

		{"split, then a later event of the parent", []*thread.Event{
			updated("T1", 1, 7, "m2", ""), event(thread.Split, "T5", 2, 5, "T1", "m2", ""),
		}, timelines{"T1": {"T1/m2"}, "T5": {"T5/m2"}}},

		{"two splits take one message", []*thread.Event{
			updated("T1", 1, 1, "m2", ""), event(thread.Split, "T5", 2, 5, "T1", "m2", ""), event(thread.Split, "T6", 2, 6, "T1", "m2", ""),
		}, timelines{"T1": {}, "T5": {"T5/m2"}, "T6": {"T6/m2"}}},

		{"an update that names the parent of a split", []*thread.Event{
			event(thread.Split, "T5", 2, 5, "T1", "m2", ""), event(thread.Updated, "T5", 3, 6, "T1", "m3", ""),
		}, timelines{"T1": {}, "T5": {"T5/m2", "T5/m3"}}},

		{"split, unlinked, and linked again", []*thread.Event{
			event(thread.Split, "T5", 2, 5, "T1", "m2", ""), unlinked(thread.Split, "T5", 3, 6), event(thread.Updated, "T5", 4, 7, "T1"),
		}, timelines{"T1": {}, "T5": {"T5/m2"}}},

		{"split and merged back", []*thread.Event{
			updated("T1", 1, 1, "m1", "", "m2", ""), event(thread.Split, "T5", 2, 5, "T1", "m2", ""), event(thread.Merged, "T5", 3, 6, "T1"),
		}, timelines{"T1": {"T1/m1", "T5/m2"}}},

		{"split without a parent", []*thread.Event{
			event(thread.Merged, "T5", 1, 1, "T1", "m2", ""), unlinked(thread.Split, "T5", 2, 2),
		}, timelines{"T1": {}, "T5": {"T5/m2"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			backwards := slices.Clone(tt.history)
			slices.Reverse(backwards)
			for _, history := range [][]*thread.Event{tt.history, backwards} {
				got := make(timelines)
				for id := range tt.want {
					got[id] = timelineOf(fold(history...), id)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestTimelineByTimeAndID(t *testing.T) {
	e := updated("T", 1, 1)
	for _, m := range [][2]string{
		{"b", "2026-03-14T09:00:00Z"}, {"a", "2026-03-14T09:00:00Z"}, {"z", "2026-03-14T08:59:59.9Z"}, {"y", "soon"}, {"x", ""}, {"c", "2026-03-14T11:00:00+0200"},
	} {
		e.Messages = append(e.Messages, thread.Message{ID: m[0], Timestamp: m[1]})
	}
	want := []string{"T/x", "T/y", "T/z", "T/a", "T/b", "T/c"}
	if diff := cmp.Diff(want, timelineOf(fold(e), "T")); diff != "" {
		t.Error(diff)
	}
}

// A thread that is known as a parent only is locked by the split, and shows nothing.
func TestParentOnly(t *testing.T) {
	split := event(thread.Split, "T5", 2, 5, "T1", "m2", "")
	s := thread.NewState()
	if diff := cmp.Diff([]string{"T5"}, s.Fold(split)); diff != "" {
		t.Error(diff)
	}
	if s.Threads["T1"].Own {
		t.Error("T1 is said to have an event of its own")
	}
	if diff := cmp.Diff([]string{"T1", "T5"}, split.ThreadIDs()); diff != "" {
		t.Error(diff)
	}
	want := []thread.ItemKey{{ThreadID: "T5", Kind: thread.KindMessage, ID: "m2"}, {ThreadID: "T1", Kind: thread.KindMessage, ID: "m2"}}
	if diff := cmp.Diff(want, split.Items()); diff != "" {
		t.Error(diff)
	}
	for _, e := range []*thread.Event{event(thread.Split, "T5", 2, 5, "T1"), event(thread.Merged, "T5", 2, 5, "T1", "m2", ""), unlinked(thread.Split, "T5", 1, 1)} {
		if diff := cmp.Diff([]string{"T5"}, e.ThreadIDs()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestStoredForms(t *testing.T) {
	s := fold(event(thread.Merged, "A", 1, 1, "B"), event(thread.Split, "A", 2, 2, "C", "m1", ""))
	links := s.Threads["A"].Links
	links.LooseRev = 7
	again, err := thread.ParseLinks(links.Encode())
	if diff := cmp.Diff(links, again); err != nil || diff != "" {
		t.Error(err, diff)
	}
	c := thread.Copy{Exists: true, Version: 1 << 62, ETag: `W/"x"`, Head: 3, UpdatedAt: minute(1).Add(time.Microsecond), Parent: "é", ParentTheirs: true, Shared: true}
	copyAgain, err := thread.ParseCopy(c.Encode())
	if diff := cmp.Diff(c, copyAgain); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, broken := range []string{``, `[]`, `{"Parent":{"Stamp":{"Hash":"0a"}}}`, `{"Parent":{"Stamp":{"Hash":"` + "zz0102030405060708090a0b0c0d0e0f" + `"}}}`} {
		if _, err := thread.ParseLinks(broken); err == nil {
			t.Errorf("%s is read", broken)
		}
	}
	if _, err := thread.ParseCopy(`{"Exists":1}`); err == nil {
		t.Error("a broken copy is read")
	}
}
