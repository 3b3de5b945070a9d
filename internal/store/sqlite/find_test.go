package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/store"
)

// People who look for something do not read all that there is: each list is in the order of an index
// or of the rows.
func TestFindIndexes(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, statement, index string
		args                   []any
		sorts                  int // how often something is sorted
	}{
		{"MessagesTo", messagesTo, "USING COVERING INDEX sms_messages_recipient (recipient=? AND rowid<?)", []any{"m", "2026", 50, "1", "+1"}, 0},
		{"RecentMessages", recentMessages, "SEARCH sms_messages USING INTEGER PRIMARY KEY (rowid<?)", []any{"m", "2026", 50}, 0},
		{"Events", threadJournal, "USING INDEX thread_events_thread", []any{"t", 50, 1000}, 1}, // those that came together
		{"Threads", listThreads(stateConditions[""]), "sqlite_autoindex_threads", []any{"t", "", nil, 50}, 0},
		{"Parked", listThreads(stateConditions[store.StateParked]), "USING INDEX threads_parked", []any{"t", "", nil, 50}, 0},
		{"WakeParked", wakeParked, "USING INDEX threads_parked", []any{"2026", "[401]", "t", 1000}, 0},
		{"Heads", listHeads, "sqlite_autoindex_threads_1 (thread_id>? AND thread_id<?)", store.HeadsArguments("t", 50), 12}, // one page of each part
		{"AsideKey", asideKey, "sqlite_autoindex_thread_items_1 (thread_id=? AND kind=? AND item_id=?)", []any{"t", "message", "m"}, 0},
		{"Backlog", selectBacklog, "USING INDEX threads_queue", []any{1000}, 0},
	} {
		plan, err := query(t.Context(), s.readers, func(r row) (step string, err error) {
			var id, parent, unused int
			err = r.Scan(&id, &parent, &unused, &step)
			return step, err
		}, "EXPLAIN QUERY PLAN "+c.statement, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, c.index) || strings.Count(text, "TEMP B-TREE") != c.sorts {
			t.Errorf("%s is carried out so:\n%s", c.name, text)
		}
		t.Log(text)
	}
}
