package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func letter(subject, reason, raw string) *store.DeadLetter {
	return &store.DeadLetter{Kind: store.KindSMS, Subject: subject, Reason: reason, Received: at(1), Raw: []byte(raw)}
}

func letters(all ...*store.DeadLetter) []store.Entry {
	entries := make([]store.Entry, len(all))
	for i, l := range all {
		entries[i].DeadLetter = l
	}
	return entries
}

func list(t failer, s store.Store, before int64, limit int) []store.DeadLetter {
	t.Helper()
	page, err := s.DeadLetters(ctx(), before, limit)
	if err != nil {
		t.Fatalf("DeadLetters: %v", err)
	}
	return page
}

// newest returns the dead letter that came last.
func newest(t failer, s store.Store) store.DeadLetter {
	t.Helper()
	page := list(t, s, 0, 1)
	if len(page) != 1 {
		t.Fatalf("%d dead letters, want 1", len(page))
	}
	return page[0]
}

func testDeadLetters(t *testing.T, create func(t *testing.T) Open) {
	t.Run("KeepsWhatItIsGiven", func(t *testing.T) {
		s := migrated(t, create)
		everyByte := make([]byte, 256)
		for i := range everyByte {
			everyByte[i] = byte(i)
		}
		for name, raw := range map[string][]byte{"every byte": everyByte, "empty": {}, "nil": nil, "large": make([]byte, 100_000)} {
			given := &store.DeadLetter{Kind: "kind of " + store.Kind(name), Subject: "süß", Reason: "because 🙂", Received: at(7), Raw: raw}
			requireEqual(t, name, commit(t, s, letters(given)...), []bool{false})
			got := newest(t, s)
			if got.ID <= 0 {
				t.Errorf("%s: id %d", name, got.ID)
			}
			given.ID = got.ID
			requireEqual(t, name, got, *given)
			one, err := s.DeadLetter(t.Context(), got.ID)
			if err != nil {
				t.Fatal(err)
			}
			requireEqual(t, name, *one, got)
		}
	})

	t.Run("OnceForEachEvent", func(t *testing.T) {
		s := migrated(t, create)
		otherKind := letter("a", "first reason", "{")
		otherKind.Kind = "thread"
		entries := letters(letter("a", "first reason", "{"), letter("b", "second reason", "{"), letter("a", "first reason", "{ "), otherKind)
		requireEqual(t, "duplicates", commit(t, s, entries...), []bool{false, true, false, false})
		requireEqual(t, "duplicates", commit(t, s, entries...), []bool{true, true, true, true})
		for _, l := range list(t, s, 0, 10) {
			if l.Reason != "first reason" || l.Subject != "a" {
				t.Errorf("a repetition changed the dead letter: %+v", l)
			}
		}
	})

	t.Run("Pages", func(t *testing.T) {
		s := migrated(t, create)
		for i := range 25 {
			commit(t, s, letters(letter(fmt.Sprint(i), "bad", fmt.Sprint(i)))...)
		}
		var subjects []string
		var pages []int
		before := int64(0)
		for {
			page := list(t, s, before, 10)
			pages = append(pages, len(page))
			if len(page) == 0 {
				break
			}
			for _, l := range page {
				if before != 0 && l.ID >= before {
					t.Fatalf("id %d follows %d", l.ID, before)
				}
				before = l.ID
				subjects = append(subjects, l.Subject)
			}
		}
		requireEqual(t, "pages", pages, []int{10, 10, 5, 0})
		for i, subject := range subjects {
			if want := fmt.Sprint(24 - i); subject != want {
				t.Fatalf("place %d: %s, want %s", i, subject, want)
			}
		}
	})

	t.Run("FailReplay", func(t *testing.T) {
		s := migrated(t, create)
		commit(t, s, letters(letter("a", "one reason", "1"), letter("b", "other", "2"))...)
		all := list(t, s, 0, 10)
		for _, reason := range []string{"another reason", "a third"} {
			if err := s.FailReplay(t.Context(), all[0].ID, reason); err != nil {
				t.Fatal(err)
			}
		}
		all[0].Replays, all[0].Reason = 2, "a third"
		requireEqual(t, "dead letters", list(t, s, 0, 10), all)
	})

	t.Run("Delete", func(t *testing.T) {
		s := migrated(t, create)
		same := letters(letter("a", "bad", "1"))
		commit(t, s, append(same, letters(letter("b", "bad", "2"))...)...)
		commit(t, s, letters(letter("c", "bad", "3"))...)
		gone := newest(t, s)
		if err := s.DeleteDeadLetter(t.Context(), gone.ID); err != nil {
			t.Fatal(err)
		}
		if left := list(t, s, 0, 10); len(left) != 2 || left[0].ID >= gone.ID {
			t.Errorf("left: %+v", left)
		}
		requireEqual(t, "the event comes again", commit(t, s, letters(letter("c", "bad", "3"))...), []bool{false})
		if again := newest(t, s); again.ID <= gone.ID {
			t.Errorf("id %d was given before %d", again.ID, gone.ID)
		}
	})

	t.Run("NotFound", func(t *testing.T) {
		s := migrated(t, create)
		commit(t, s, letters(letter("a", "bad", "1"))...)
		kept := newest(t, s)
		for _, id := range []int64{-1, 0, kept.ID + 1, 1 << 62} {
			if _, err := s.DeadLetter(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("DeadLetter(%d): %v", id, err)
			}
			if err := s.FailReplay(t.Context(), id, "x"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("FailReplay(%d): %v", id, err)
			}
			if err := s.DeleteDeadLetter(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("DeleteDeadLetter(%d): %v", id, err)
			}
		}
		requireEqual(t, "dead letter", newest(t, s), kept)
	})
}

func testResolves(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	kept := func(raw string) int64 {
		commit(t, s, letters(letter("x", "bad", raw))...)
		return newest(t, s).ID
	}
	exists := func(id int64) bool {
		_, err := s.DeadLetter(t.Context(), id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}

	resolved, other := kept("resolved"), kept("other")
	entry := store.Entry{Receipt: receipt("resolved", sms.Delivered, at(0), at(1)), Resolves: resolved}
	requireEqual(t, "duplicates", commit(t, s, entry), []bool{false})
	if exists(resolved) || !exists(other) {
		t.Errorf("resolved is kept: %v, other is kept: %v", exists(resolved), exists(other))
	}
	// A repetition of a batch finds the dead letter gone.
	requireEqual(t, "duplicates of a repetition", commit(t, s, entry), []bool{true})

	// A known receipt resolves its dead letter as well.
	known := kept("known")
	entry.Resolves = known
	commit(t, s, entry)
	if exists(known) {
		t.Error("a dead letter whose receipt is known stays")
	}

	self := kept("self")
	commit(t, s, store.Entry{DeadLetter: letter("x", "still bad", "self"), Resolves: self})
	if !exists(self) {
		t.Error("a dead letter that came again was lost")
	}

	poison := receipt("poison", sms.Delivered, at(0), at(1))
	poison.ErrorCode = "\x00"
	refused := batchOf([]store.Entry{{Receipt: receipt("neighbour", sms.Delivered, at(0), at(1)), Resolves: other}, {Receipt: poison}})
	if _, err := s.Commit(t.Context(), refused); !errors.Is(err, store.ErrRefused) {
		t.Fatalf("Commit: %v, want ErrRefused", err)
	}
	if !exists(other) {
		t.Error("a refused batch removed a dead letter")
	}
}
