package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

var (
	noHead       = cmpopts.IgnoreFields(store.ThreadRow{}, "Audit")
	outcomeKnown = store.Outcome{Duplicate: true, Stale: true, Rev: 1}
	outcomeFresh = store.Outcome{Rev: 1}
	outcomeStale = store.Outcome{Stale: true, Rev: 1}
	outcomeRev   = func(rev int64) store.Outcome { return store.Outcome{Rev: rev} }
	outcomeRevs  = func(rev, parent int64) store.Outcome { return store.Outcome{Rev: rev, ParentRev: parent} }
)

func testThreadCommit(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)

	t.Run("Fresh", func(t *testing.T) {
		e := updated("fresh", 3, message("m", 1))
		e.Participants = []thread.Participant{person("p", "Ann")}
		requireEqual(t, "outcomes", accept(t, s, sealed(e)), []store.Outcome{outcomeFresh})
		state := stateOf(e)
		requireState(t, s, state, revisions)
		requireEqual(t, "row", *readThread(t, s, "fresh"), store.ThreadRow{
			Thread: *state.Threads["fresh"], Sync: store.Sync{Want: 1, Since: at(3600)}, FirstSeen: at(3), Changed: at(3600),
		}, noHead)
	})

	t.Run("Outcomes", func(t *testing.T) {
		first, second := updated("o", 5, message("m", 1)), updated("o", 6)
		older := updated("o", 4, message("m", 1))
		requireEqual(t, "twice in a batch", accept(t, s, first, first), []store.Outcome{outcomeFresh, outcomeKnown})
		requireEqual(t, "again", accept(t, s, first), []store.Outcome{outcomeKnown})
		requireEqual(t, "nothing new", accept(t, s, older), []store.Outcome{outcomeStale})
		requireEqual(t, "nothing new, again", accept(t, s, older), []store.Outcome{outcomeKnown})
		requireEqual(t, "a version alone", accept(t, s, second), []store.Outcome{outcomeRev(2)})
		third, fourth := updated("o", 7, message("n", 2)), updated("o", 4, message("late", 0))
		requireEqual(t, "once for a batch", accept(t, s, third, fourth), []store.Outcome{outcomeRev(3), outcomeRev(3)})
		requireState(t, s, stateOf(first, second, older, third, fourth), ways)
	})

	t.Run("ChangesWhatIsNew", func(t *testing.T) {
		e := updated("when", 1, message("m", 1))
		commitAt(t, s, at(100), events(e)...)
		commitAt(t, s, at(200), events(e, updated("when", 0))...)
		if row := readThread(t, s, "when"); !row.Changed.Equal(at(100)) || !row.Sync.Since.Equal(at(100)) {
			t.Errorf("changed %v, lacking since %v, want %v", row.Changed, row.Sync.Since, at(100))
		}
		commitAt(t, s, at(300), events(updated("when", 2))...)
		row := readThread(t, s, "when")
		if !row.Changed.Equal(at(300)) || !row.Sync.Since.Equal(at(100)) || !row.FirstSeen.Equal(at(1)) {
			t.Errorf("changed %v, lacking since %v, first seen %v", row.Changed, row.Sync.Since, row.FirstSeen)
		}
	})

	t.Run("EventsOfEveryKindInABatch", func(t *testing.T) {
		commit(t, s, letters(letter("x", "bad", "resolved"))...)
		old := newest(t, s)
		r := receipt("mixed", sms.Delivered, at(0), at(1))
		entries := append(receipts(r), letters(letter("x", "bad", "mixed"))...)
		entries = append(entries, events(updated("mixed", 1))...)
		entries[2].Resolves = old.ID
		again := append(entries, receipts(r)...)
		requireEqual(t, "outcomes", commitAt(t, s, at(3600), again...), []store.Outcome{{}, {}, outcomeFresh, {Duplicate: true}})
		if _, err := s.DeadLetter(t.Context(), old.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the dead letter that is resolved: %v, want ErrNotFound", err)
		}
		requireEqual(t, "outcomes of a repetition", commitAt(t, s, at(3600), entries...),
			[]store.Outcome{{Duplicate: true}, {Duplicate: true}, outcomeKnown})
		entry, err := s.AuditEntries(t.Context(), "mixed", 0, 10)
		if err != nil || len(entry) != 1 || entry[0].Action != audit.ActionReplay {
			t.Errorf("audit of a replay: %+v, %v", entry, err)
		}
	})

	t.Run("KnownEventsResolve", func(t *testing.T) {
		e := updated("resolves", 1)
		accept(t, s, e)
		commit(t, s, letters(letter("x", "bad", "known thread"))...)
		old := newest(t, s)
		requireEqual(t, "outcomes", commitAt(t, s, at(3600), store.Entry{Thread: e, Resolves: old.ID}), []store.Outcome{outcomeKnown})
		if _, err := s.DeadLetter(t.Context(), old.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the dead letter that is resolved: %v, want ErrNotFound", err)
		}
	})

	t.Run("Splits", func(t *testing.T) { testSplits(t, s) })
	t.Run("Merges", func(t *testing.T) { testMerges(t, s) })
}

func testSplits(t *testing.T, s store.Store) {
	t.Run("FromAKnownParent", func(t *testing.T) {
		parent, child := updated("sp", 1, message("a", 1), message("b", 2)), split("sc", "sp", 2, message("b", 2))
		accept(t, s, parent)
		requireEqual(t, "outcomes", accept(t, s, child), []store.Outcome{outcomeRevs(1, 2)})
		requireState(t, s, stateOf(parent, child), revisions)
		requireEqual(t, "parent", ids(itemsOf(t, s, "sp", thread.KindMessage, 10)), []string{"a"})
		if row := readThread(t, s, "sp"); row.Sync.Want != 2 || !row.Sync.Since.Equal(at(3600)) {
			t.Errorf("the parent that lost a message: %+v", row.Sync)
		}
		requireEqual(t, "the parent lists it later", accept(t, s, updated("sp", 3, message("b", 2))), []store.Outcome{outcomeRev(3)})
		requireEqual(t, "parent", ids(itemsOf(t, s, "sp", thread.KindMessage, 10)), []string{"a", "b"})
	})

	t.Run("FromAParentThatNobodyHasSeen", func(t *testing.T) {
		child := split("uc", "up", 2, message("b", 2))
		requireEqual(t, "outcomes", accept(t, s, child), []store.Outcome{outcomeFresh})
		requireState(t, s, stateOf(child), revisions)
		for what, err := range map[string]error{
			"DoneRev of the child": func() error { _, _, err := s.DoneRev(t.Context(), "uc"); return err }(),
			"Items of the parent": func() error {
				_, err := s.Items(t.Context(), "up", thread.KindMessage, store.ItemPosition{}, 1)
				return err
			}(),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if all := threads(t, s, store.ThreadQuery{Text: "up", Limit: 10}); len(all) != 0 {
			t.Errorf("a thread that is only somebody's parent is listed: %v", all)
		}
		late := updated("up", 1, message("a", 1), message("b", 2))
		requireEqual(t, "outcomes", accept(t, s, late), []store.Outcome{outcomeFresh})
		requireState(t, s, stateOf(late, child), ways)
		requireEqual(t, "parent", ids(itemsOf(t, s, "up", thread.KindMessage, 10)), []string{"a"})
	})

	t.Run("InOneBatchWithTheParent", func(t *testing.T) {
		parent, child := updated("op", 1, message("a", 1), message("b", 2)), split("oc", "op", 2, message("b", 2))
		again := store.Outcome{Duplicate: true, Stale: true, Rev: 1, ParentRev: 1}
		requireEqual(t, "outcomes", accept(t, s, child, parent, child), []store.Outcome{outcomeFresh, outcomeFresh, again})
		requireState(t, s, stateOf(parent, child), ways)
		if row := readThread(t, s, "op"); row.Sync.Want != 1 {
			t.Errorf("want %d of a parent that was changed once", row.Sync.Want)
		}
	})

	t.Run("RevisionsOfTheParent", func(t *testing.T) { testRevisionsOfTheParent(t, s) })

	t.Run("WithoutAParent", func(t *testing.T) {
		e := split("np", "", 1)
		e.NamesParent = true
		accept(t, s, split("np", "np-parent", 0, message("a", 1)), sealed(e))
		requireEqual(t, "links", linksOf(t, s, "np"), map[string]thread.Link{})
	})
}

// The outcome of a split says when the CRM has it: when it has the child, and the parent without what was
// taken out of it.
func testRevisionsOfTheParent(t *testing.T, s store.Store) {
	parent := updated("rp", 1, message("a", 1), message("b", 2), message("c", 3))
	first := split("rc", "rp", 2, message("b", 2))
	requireEqual(t, "in one batch with the parent", accept(t, s, parent, first), []store.Outcome{outcomeFresh, outcomeRevs(1, 1)})
	for _, test := range []struct {
		name  string
		event *thread.Event
		want  store.Outcome
	}{
		{"takes a message", split("rd", "rp", 2, message("c", 3)), outcomeRevs(1, 2)},
		{"takes what an earlier one took", split("re", "rp", 3, message("b", 2)), outcomeRevs(1, 2)},
		{"takes one of each", split("rf", "rp", 4, message("x", 1), message("a", 1)), outcomeRevs(1, 3)},
		{"is known", first, store.Outcome{Duplicate: true, Stale: true, Rev: 1, ParentRev: 3}},
		{"brings nothing new", split("rc", "rp", 1, message("b", 2)), store.Outcome{Stale: true, Rev: 1, ParentRev: 3}},
		{"takes what the parent never had", split("rg", "rp", 5, message("x", 1)), outcomeFresh},
		{"takes nothing", split("rh", "rp", 5), outcomeFresh},
		{"is a merge", merged("ri", "rp", 5, message("a", 1)), outcomeFresh},
	} {
		requireEqual(t, "an event that "+test.name, accept(t, s, test.event), []store.Outcome{test.want})
	}
	accept(t, s, updated("rp", 9, message("d", 9)))
	late := split("rd", "rp", 8, message("d", 9))
	requireEqual(t, "changes the child alone", accept(t, s, late), []store.Outcome{outcomeRevs(2, 4)})
	accept(t, s, merged("rj", "rp", 9, message("d", 9)))
	low := split("rj", "rp", 10, message("d", 9))
	low.Version = 0
	requireEqual(t, "changes the parent alone", accept(t, s, sealed(low)), []store.Outcome{outcomeRevs(1, 5)})
}

func testMerges(t *testing.T, s store.Store) {
	e := merged("mc", "mp", 2, message("b", 2))
	requireEqual(t, "under a parent that nobody has seen", accept(t, s, e), []store.Outcome{outcomeFresh})
	if _, err := s.Thread(t.Context(), "mp"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the parent: %v, want ErrNotFound", err)
	}
	parent := updated("mp", 1, message("a", 1))
	requireEqual(t, "the parent comes", accept(t, s, parent), []store.Outcome{outcomeFresh})
	unlinked := updated("mc", 3)
	unlinked.NamesParent = true
	elsewhere := merged("mc", "mq", 4)
	accept(t, s, sealed(unlinked), elsewhere)
	state := stateOf(e, parent, unlinked, elsewhere)
	requireState(t, s, state, revisions)
	requireEqual(t, "former parents", readThread(t, s, "mc").Links.Past, []string{"mp", "", "mq"})
	requireEqual(t, "a link that is older", accept(t, s, merged("mc", "mr", 1)), []store.Outcome{{Stale: true, Rev: 2}})
	requireTimelines(t, s, state, 2, revisions)
}
