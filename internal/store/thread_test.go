package store

import "testing"

// Without a CRM nothing is about to happen, and nothing is tried again. What was refused still was.
func TestStateWith(t *testing.T) {
	for want, sync := range map[[2]SyncState]Sync{ // with and without a CRM
		{StateSynced, StateSynced}:    {Want: 2, Done: 2, Attempts: 1},
		{StatePending, StateWaiting}:  {Want: 2, Done: 1},
		{StateRetrying, StateWaiting}: {Want: 2, Done: 1, Attempts: 3},
		{StateParked, StateParked}:    {Want: 2, Done: 1, Attempts: 1, Parked: true},
	} {
		if got := [2]SyncState{sync.StateWith(true), sync.StateWith(false)}; got != want {
			t.Errorf("%+v: %s, want %s", sync, got, want)
		}
	}
}
