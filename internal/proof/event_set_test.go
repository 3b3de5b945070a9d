package proof

import (
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// The set holds what was added and nothing else, though its elements are numbers.
func TestEventSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		event := rapid.Custom(func(t *rapid.T) threadEvent {
			// Few enough names that a thread is now and then called like a kind.
			name := rapid.SampledFrom([]string{"", "a", "b", "c"})
			return threadEvent{name.Draw(t, "thread"), name.Draw(t, "kind"), rapid.Int64Range(-1, 2).Draw(t, "version")}
		})
		var s eventSet
		added := make(map[threadEvent]bool)
		for _, e := range rapid.SliceOf(event).Draw(t, "events") {
			s.add(e)
			added[e] = true
		}
		for _, e := range rapid.SliceOf(event).Draw(t, "others") {
			if s.has(e) != added[e] {
				t.Fatalf("%+v is in the set: %v", e, s.has(e))
			}
		}
		all := slices.Collect(s.all())
		for _, e := range all {
			if !added[e] {
				t.Fatalf("%+v was never added", e)
			}
		}
		if len(all) != len(added) {
			t.Fatalf("%d events of %d", len(all), len(added))
		}
	})
	if size := unsafe.Sizeof(packedEvent{}); size != 16 {
		t.Errorf("an event takes %d bytes", size)
	}
}
