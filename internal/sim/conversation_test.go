package sim_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sim"
)

func newConversations(seed uint64, social sim.Social) *sim.Conversations {
	return sim.NewConversations(rand.New(rand.NewPCG(seed, 0)), social)
}

// talkOf returns n posts, 5 ms apart, and then the rest.
func talkOf(c *sim.Conversations, n int) []sim.Post {
	var posts []sim.Post
	for i := range n {
		posts = append(posts, c.Next(start.Add(time.Duration(i)*5*time.Millisecond)))
	}
	return append(posts, restOf(c)...)
}

func restOf(c *sim.Conversations) (posts []sim.Post) {
	for p, more := c.Rest(); more; p, more = c.Rest() {
		posts = append(posts, p)
	}
	return posts
}

// event is an event as its body tells it.
type event struct {
	Event     string
	Timestamp string
	Data      map[string]json.RawMessage
}

func (e *event) text(t rapid.TB, name string) (s string) {
	t.Helper()
	if raw, named := e.Data[name]; named {
		if err := json.Unmarshal(raw, &s); err != nil && string(raw) != "null" {
			t.Fatalf("%s is %s", name, raw)
		}
	}
	return s
}

func (e *event) version(t rapid.TB) int64 {
	t.Helper()
	var v int64
	if err := json.Unmarshal(e.Data["version"], &v); err != nil {
		t.Fatalf("version is %s", e.Data["version"])
	}
	return v
}

func (e *event) updatedAt(t rapid.TB) time.Time {
	t.Helper()
	text := e.text(t, "updatedAt")
	if text == "" {
		text = e.Timestamp
	}
	at, ok := readMoment(text)
	if !ok {
		t.Fatalf("%q is no time", text)
	}
	return at
}

func readMoment(text string) (at time.Time, ok bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

func list[T any](t rapid.TB, e *event, name string) (items []T) {
	t.Helper()
	if raw, named := e.Data[name]; named {
		if err := json.Unmarshal(raw, &items); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return items
}

// eventsIn returns the good events of a post.
func eventsIn(t rapid.TB, p sim.Post) []*event {
	t.Helper()
	items := []json.RawMessage{p.Body}
	switch p.Kind {
	case sim.Malformed, sim.Invalid:
		return nil
	case sim.Array:
		items = nil
		if err := json.Unmarshal(p.Body, &items); err != nil {
			t.Fatal(err)
		}
		items = items[:len(items)-p.Invalid]
	}
	var events []*event
	for _, item := range items {
		e := new(event)
		if err := json.Unmarshal(item, e); err != nil {
			t.Fatalf("%v: %s", err, item)
		}
		events = append(events, e)
	}
	if len(events) != len(p.Threads) {
		t.Fatalf("%d events about %q", len(events), p.Threads)
	}
	return events
}

// applier makes conversations of events that come once and in their order.
type applier map[string]*sim.Conversation

func (a applier) apply(t rapid.TB, e *event) {
	t.Helper()
	id := e.text(t, "threadId")
	c := a[id]
	if c == nil {
		c = &sim.Conversation{ThreadID: id}
		a[id] = c
	}
	c.Version, c.UpdatedAt = e.version(t), e.updatedAt(t)
	parent := e.text(t, "parentThreadId")
	if _, named := e.Data["parentThreadId"]; named || e.Event == "THREAD_SPLIT" {
		if c.ParentThreadID = nil; parent != "" {
			c.ParentThreadID = &parent
		}
	}
	for _, m := range list[sim.Message](t, e, "messages") {
		if m.Direction == "" {
			m.Direction = "INBOUND"
		}
		if at, ok := readMoment(m.Timestamp); ok {
			m.Timestamp = at.Format(time.RFC3339Nano)
		}
		has := func(other sim.Message) bool { return other.ID == m.ID }
		c.Messages = append(slices.DeleteFunc(c.Messages, has), m)
		if above := a[parent]; e.Event == "THREAD_SPLIT" && above != nil {
			above.Messages = slices.DeleteFunc(above.Messages, has)
		}
	}
	for _, p := range list[sim.Participant](t, e, "participants") {
		if p.Name == "" {
			p.Name = "Unknown"
		}
		c.Participants = append(slices.DeleteFunc(c.Participants, func(other sim.Participant) bool { return other.ID == p.ID }), p)
	}
}

// conversations returns what was applied, by id.
func (a applier) conversations() (list []sim.Conversation) {
	for _, id := range slices.Sorted(maps.Keys(a)) {
		list = append(list, sortedByID(*a[id]))
	}
	return list
}

// truth returns the conversations as CXone tells them: every link as it is.
func truth(c *sim.Conversations) (list []sim.Conversation) {
	for _, expected := range c.Expected() {
		conversation, _ := c.Thread(expected.ThreadID)
		list = append(list, sortedByID(conversation))
	}
	return list
}

// sortedByID sorts the lists of a conversation. Empty ones become nil.
func sortedByID(c sim.Conversation) sim.Conversation {
	c.Messages = slices.SortedFunc(slices.Values(c.Messages), func(a, b sim.Message) int { return strings.Compare(a.ID, b.ID) })
	c.Participants = slices.SortedFunc(slices.Values(c.Participants), func(a, b sim.Participant) int { return strings.Compare(a.ID, b.ID) })
	return c
}

func drawSocial(t *rapid.T) sim.Social {
	return sim.Social{
		Threads: rapid.IntRange(1, 40).Draw(t, "threads"), Messages: rapid.IntRange(1, 60).Draw(t, "messages"),
		UUIDs: rapid.Bool().Draw(t, "uuids"), Flaws: rapid.Bool().Draw(t, "flaws"),
	}
}

// Events that come once and in their order give the truth. They tell every version there was, and
// their times go up.
func TestConversationsAreWhatIsTold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		social := drawSocial(rt)
		social.Orderly = true
		c := newConversations(rapid.Uint64().Draw(rt, "seed"), social)
		posts := rapid.IntRange(1, 150).Draw(rt, "posts")
		if rapid.Bool().Draw(rt, "storm") {
			c.Storm(posts)
		}
		told := make(applier)
		var last time.Time
		for _, p := range talkOf(c, posts) {
			e := eventsIn(rt, p)[0]
			id, version, at := e.text(rt, "threadId"), e.version(rt), e.updatedAt(rt)
			switch before := told[id]; {
			case before == nil && version >= 1: // some are older than the subscription
			case before != nil && version == before.Version && at.Equal(before.UpdatedAt) && e.Event == "THREAD_UPDATED": // told again
			case before == nil || version != before.Version+1 || !at.After(last):
				rt.Fatalf("version %d of %s at %s follows %+v and %s", version, id, at, before, last)
			}
			last = at
			told.apply(rt, e)
		}
		if diff := cmp.Diff(truth(c), told.conversations()); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestConversationsAreDeterministic(t *testing.T) {
	messy := sim.Social{Flaws: true, Lost: 0.1}
	posts := func(seed uint64) []sim.Post { return talkOf(newConversations(seed, messy), 500) }
	if !reflect.DeepEqual(posts(7), posts(7)) {
		t.Error("one seed gives two streams")
	}
	if reflect.DeepEqual(posts(7), posts(8)) {
		t.Error("two seeds give one stream")
	}
}

func TestConversationsShowEveryKind(t *testing.T) {
	kinds := make(map[sim.Kind]int)
	shapes := map[string]int{
		`"parentThreadId":null`: 0, `"messages":[]`: 0, `"name":null`: 0, "+0100": 0, "+05:30": 0, "\n  ": 0, `<script>`: 0, `\u003cscript`: 0,
		`\u0000`: 0, "👨‍👩‍👧‍👦": 0, "مرحبا": 0, "SUPERVISOR": 0, "2026-02-30": 0, `"text":null`: 0, "(edited)": 0, "группа": 0, "Case ": 0,
	}
	c := newConversations(1, sim.Social{Flaws: true})
	longest := 0
	for _, p := range talkOf(c, 2500) {
		kinds[p.Kind]++
		for shape := range shapes {
			if bytes.Contains(p.Body, []byte(shape)) {
				shapes[shape]++
			}
		}
		for _, e := range eventsIn(t, p) {
			for _, m := range list[sim.Message](t, e, "messages") {
				longest = max(longest, len([]rune(m.Text)))
			}
		}
	}
	for _, k := range []sim.Kind{
		sim.Malformed, sim.Invalid, sim.Array, sim.Repeat, sim.Late, sim.OutOfOrder, sim.Flawed, sim.Merged, sim.Split, sim.Updated,
	} {
		if kinds[k] == 0 {
			t.Errorf("no post is %q: %v", k, kinds)
		}
	}
	for shape, n := range shapes {
		if n == 0 {
			t.Errorf("no post holds %q", shape)
		}
	}
	folded := make(map[string]bool)
	for _, conversation := range c.Expected() {
		folded[strings.ToUpper(conversation.ThreadID)] = true
	}
	if len(folded) == len(c.Expected()) {
		t.Error("no two ids differ by case alone")
	}
	if longest <= 5000 {
		t.Errorf("the longest text has %d characters", longest)
	}
}

// The stream is without end, and what it keeps is not.
func TestConversationsAreBounded(t *testing.T) {
	social := sim.Social{Threads: 6, Messages: 10, Flaws: true}
	c := newConversations(3, social)
	for range 5000 {
		c.Next(start) // the clock of the caller stands still
	}
	if rest := len(restOf(c)); rest < 700 || rest > 1100 {
		t.Errorf("%d events wait, want about 1000", rest)
	}
	list := c.Expected()
	if len(list) > social.Threads {
		t.Errorf("%d threads, want at most %d", len(list), social.Threads)
	}
	for _, conversation := range list {
		if n := len(conversation.Messages); n > social.Messages {
			t.Errorf("%d messages, want at most %d", n, social.Messages)
		}
	}
}

// A storm is on few threads, ends, and leaves merges and splits.
func TestStorm(t *testing.T) {
	c := newConversations(5, sim.Social{Orderly: true})
	for range 200 {
		c.Next(start)
	}
	restOf(c)
	c.Storm(150)
	threads := make(map[string]bool)
	kinds := make(map[sim.Kind]int)
	for c.Storming() {
		p := c.Next(start)
		threads[p.Threads[0]] = true
		kinds[p.Kind]++
	}
	if len(threads) > 30 || kinds[sim.Merged] < 5 || kinds[sim.Split] < 5 {
		t.Errorf("%d threads, %v", len(threads), kinds)
	}
}

// Rings of links come about. Of each one the newest is not expected, and whoever asks CXone for the
// threads finds the same one.
func TestConversationsCutRings(t *testing.T) {
	cut := 0
	for seed := range uint64(10) {
		c := newConversations(seed, sim.Social{Threads: 8, Messages: 5, Orderly: true})
		for range 200 {
			c.Next(start)
			cut += checkCuts(t, c)
		}
	}
	if cut == 0 {
		t.Error("there was no ring")
	}
}

// checkCuts checks that the links that are not expected are those that close rings, and counts them.
func checkCuts(t *testing.T, c *sim.Conversations) (cut int) {
	t.Helper()
	threads := make(map[string]sim.Conversation)
	for _, conversation := range truth(c) {
		threads[conversation.ThreadID] = conversation
	}
	for _, expected := range c.Expected() {
		told := threads[expected.ThreadID]
		isCut := told.ParentThreadID != nil && expected.ParentThreadID == nil
		if isCut {
			cut++
		}
		if newest := newestOfRing(threads, told); isCut != (newest == told.ThreadID) {
			t.Errorf("cut is %t, and %q is the newest of the ring of %q", isCut, newest, told.ThreadID)
		}
	}
	return cut
}

// newestOfRing returns the id of the newest thread of the ring that one is on; "" when it is on none.
func newestOfRing(threads map[string]sim.Conversation, from sim.Conversation) string {
	newest := from
	at := from
	for range len(threads) {
		if at.ParentThreadID == nil {
			return ""
		}
		at = threads[*at.ParentThreadID]
		if at.ThreadID == from.ThreadID {
			return newest.ThreadID
		}
		if at.UpdatedAt.After(newest.UpdatedAt) {
			newest = at
		}
	}
	return ""
}
