package proof

import (
	"strings"
	"testing"
	"time"
)

func second(n int) time.Time { return midnight.Add(time.Duration(n) * time.Second) }

// claimed is a lease that begins, for 15 s; before is the end of the one before, 0 for none.
func claimed(at int, replica string, epoch int64, before int) leaseChange {
	c := leaseChange{at: second(at), replica: replica, thread: "t-1", epoch: epoch, before: epoch - 1, until: second(at + 15)}
	if before != 0 {
		c.running = second(before)
	}
	return c
}

func extended(at int, replica string, epoch int64, before int) leaseChange {
	c := claimed(at, replica, epoch, before)
	c.before = epoch
	return c
}

func ended(at int, replica string, epoch int64, before int) leaseChange {
	c := extended(at, replica, epoch, before)
	c.until = time.Time{}
	return c
}

var allowed = Lateness{Usual: time.Second, Healing: 2 * time.Second}

func TestPushers(t *testing.T) {
	for name, tt := range map[string]struct {
		want    string // a part of what is wrong; "" is nothing
		changes []leaseChange
		history []*Operation
		harms   []Harm
	}{
		"one after the other": {"", []leaseChange{claimed(1, "a", 1, 0), ended(5, "a", 1, 16), claimed(6, "b", 2, 0)},
			[]*Operation{write(2, 3, 1, 2, 200), by("b", write(7, 8, 2, 3, 200))}, nil},
		"extended": {"", []leaseChange{claimed(1, "a", 1, 0), extended(6, "a", 1, 16)},
			[]*Operation{write(20, 21, 1, 2, 200)}, nil},
		"run out": {"", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(2, 30, 1, 2, 0), by("b", read(18, 19, 2))}, nil},
		"recorded late, and by nobody else claimed": {"", []leaseChange{claimed(1, "a", 1, 0), ended(18, "a", 1, 16)}, nil, nil},
		"late after a pause": {"", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(20, 21, 1, 2, 412)}, []Harm{{"a", second(3), second(19)}}},
		"passed on when a black hole ends": {"", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(24, 25, 1, 2, 412)}, []Harm{{"a", second(14), second(23)}}},
		"held up twice": {"", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(29, 30, 1, 2, 412)}, []Harm{{"a", second(14), second(20)}, {"a", second(21), second(28)}}},
		"two leases at a time": {"given to b while a had it", []leaseChange{claimed(1, "a", 1, 0), claimed(10, "b", 2, 16)}, nil, nil},
		"ended by another":     {"a changed the lease", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16), ended(18, "a", 2, 32)}, nil, nil},
		"extended by another":  {"a changed the lease", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16), extended(18, "a", 2, 32)}, nil, nil},
		"extended too late":    {"which had ended", []leaseChange{claimed(1, "a", 1, 0), extended(18, "a", 1, 16)}, nil, nil},
		"late without an excuse": {"nothing had held it up", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(20, 21, 1, 2, 412)}, nil},
		"late, and another was paused": {"nothing had held it up", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(20, 21, 1, 2, 412)}, []Harm{{"b", second(3), second(19)}}},
		"late, and paused long before": {"nothing had held it up", []leaseChange{claimed(10, "a", 1, 0), ended(12, "a", 1, 25)},
			[]*Operation{write(20, 21, 1, 2, 412)}, []Harm{{"a", second(3), second(9)}}},
		"late, and the pause was over": {"nothing had held it up", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(29, 30, 1, 2, 412)}, []Harm{{"a", second(3), second(19)}}},
		"late, and paused when it had to be there": {"nothing had held it up", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(29, 30, 1, 2, 412)}, []Harm{{"a", second(19), second(29)}}},
		"late, and held up twice with a time between": {"nothing had held it up", []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)},
			[]*Operation{write(29, 30, 1, 2, 412)}, []Harm{{"a", second(14), second(18)}, {"a", second(22), second(29)}}},
		"never had": {"never had", []leaseChange{claimed(1, "a", 1, 0)}, []*Operation{by("b", read(2, 3, 1))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := checkPushers(tt.changes, tt.history, tt.harms, allowed)
			switch {
			case tt.want == "" && len(p.Wrong) > 0:
				t.Errorf("wrong: %q", p.Wrong)
			case tt.want != "" && (len(p.Wrong) != 1 || !strings.Contains(p.Wrong[0], tt.want)):
				t.Errorf("wrong: %q, want %q", p.Wrong, tt.want)
			}
		})
	}
}

// What other writers do needs no lease, and a late write is counted.
func TestPushersCounts(t *testing.T) {
	changes := []leaseChange{claimed(1, "a", 1, 0), claimed(17, "b", 2, 16)}
	history := []*Operation{other(2, 3), write(20, 21, 1, 2, 412), read(22, 23, 1), write(2, 24, 1, 3, 200), write(2, 40, 1, 3, 0)}
	p := checkPushers(changes, history, []Harm{{"a", second(3), second(22)}}, allowed)
	if p.Leases != 2 || p.Overlaps != 0 || p.Late != 3 || p.Taken != 1 || len(p.Wrong) != 0 {
		t.Errorf("%+v", p)
	}
}
