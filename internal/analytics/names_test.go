package analytics

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// The names with most messages are kept, of equal ones the shorter, and then the first.
func TestFoldKeepsTheNamesWithMostMessages(t *testing.T) {
	for _, c := range []struct{ name, counts, want string }{
		{"none", "", ""},
		{"as many as there may be", "A:1 B:1 C:1", "A:1 B:1 C:1"},
		{"compacted before what it changes", "A:-1 B:1", "A:-1 B:1"},
		{"one too many", "A:2 B:1 C:3 D:4", "A:2 C:3 D:4 OTHER:1"},
		{"ids", "0123456789:1 123456789A:1 23456789AB:1 VODAFONE:1", "0123456789:1 123456789A:1 OTHER:1 VODAFONE:1"},
		{"equal ones", "D:1 C:1 B:1 A:1", "A:1 B:1 C:1 OTHER:1"},
		{"some are folded already", "A:1 B:1 C:2 OTHER:1", "A:1 B:1 C:2 OTHER:1"},
		{"folded once more", "A:1 B:1 C:2 D:2 OTHER:1", "A:1 C:2 D:2 OTHER:2"},
		{"removed after it was folded", "A:-1 OTHER:3", "OTHER:2"},
		{"all of them are removed", "A:-1 B:-2 OTHER:3", ""},
	} {
		for _, final := range []bool{false, true} {
			d := new(Delta)
			for text := range strings.FieldsSeq(c.counts) {
				carrier, count, _ := strings.Cut(text, ":")
				n, err := strconv.ParseInt(count, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				counts := d.at(&Key{Carrier: carrier, Final: final})
				counts.Times.observe(time.Second, n)
				if !final {
					counts.byStatus[0] = n
				}
			}
			d.fold(3)
			var got []string
			for _, e := range d.entries() {
				got = append(got, fmt.Sprint(e.key.Carrier, ":", e.messages()))
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
		}
	}
}

// nameless is a Delta without the names of its carriers.
func nameless(d *Delta) *Delta {
	sum := new(Delta)
	for key, e := range d.counts {
		key.Carrier = ""
		sum.at(&key).merge(&e.Counts)
	}
	for second, l := range d.latency {
		sum.latencyAt(second).merge(l)
	}
	return sum
}

// Whatever is folded when, what all carriers have together is as exact as without, and the same again.
func TestFoldChangesNoSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.Custom(drawDelta), 1, 6).Draw(t, "parts")
		most := rapid.IntRange(0, 4).Draw(t, "most")
		folds := rapid.SliceOfN(rapid.Bool(), len(parts), len(parts)).Draw(t, "folds")
		parts = rapid.Permutation(parts).Draw(t, "order")
		merged := func() *Delta {
			d := new(Delta)
			for i, p := range parts {
				if d.Merge(p); folds[i] {
					d.fold(most)
				}
			}
			d.fold(most)
			return d
		}
		d, want := merged(), nameless(sumOf(parts...)).Encode()
		if got := nameless(d).Encode(); !bytes.Equal(got, want) {
			t.Error("another sum")
		}
		names := make(map[bool]int)
		for key := range d.counts {
			if key.Carrier != OtherCarriers {
				names[key.Final]++
			}
		}
		if names[false] > most || names[true] > most {
			t.Errorf("%v names, want %d at most", names, most)
		}
		encoded := d.Encode()
		if d.fold(most); !bytes.Equal(d.Encode(), encoded) || !bytes.Equal(merged().Encode(), encoded) {
			t.Error("not the same again")
		}
	})
}

// Messages come, change and go. Whichever names were folded, no key is of less than no message, no status of
// OtherCarriers is, and in the end nothing is left.
func TestFoldedMessagesCancelOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 3
		stored, known := new(Delta), make(map[int]Contribution)
		remove := func(d *Delta, id int) {
			if c, isKnown := known[id]; isKnown {
				d.Remove(c)
				delete(known, id)
			}
		}
		store := func(d *Delta) {
			stored.Merge(d)
			stored.fold(most)
			for _, e := range stored.entries() {
				isShort := slices.ContainsFunc(e.byStatus[:], func(n int64) bool { return n < 0 })
				if e.messages() <= 0 || e.key.Carrier == OtherCarriers && isShort {
					t.Fatalf("%+v has %d messages, %v", e.key, e.messages(), e.byStatus)
				}
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "commits") {
			d := new(Delta)
			for range rapid.IntRange(1, 8).Draw(t, "changes") {
				id := rapid.IntRange(0, 15).Draw(t, "id")
				remove(d, id)
				c := Contribution{
					Key:    Key{Carrier: fmt.Sprint("C", id%9), Region: []string{"US", ""}[id%2]},
					Status: sms.Status(rapid.IntRange(int(sms.Pending), int(sms.Delivered)).Draw(t, "status")), Segments: 1,
				}
				if c.Timed = c.Status.Final(); c.Timed {
					c.Took = time.Duration(id) * time.Second
				}
				d.Add(c)
				known[id] = c
			}
			store(d)
		}
		d := new(Delta)
		for id := range 16 {
			remove(d, id)
		}
		if store(d); !stored.Empty() {
			t.Fatalf("left: %v", stored.Encode())
		}
	})
}

// countNames counts messages in the US n times: of the carriers ID<from> to before ID<to>, one of each.
func countNames(d *Delta, from, to int, second int64, status sms.Status, n int64) {
	for i := from; i < to; i++ {
		d.count(&Contribution{
			Key: Key{Second: second, Carrier: fmt.Sprint("ID", i), Region: "US", Currency: "USD"}, Status: status, Segments: 1, Cost: 10,
			Timed: status.Final(), Took: time.Second, Came: second,
		}, n)
	}
}

func TestRollupsAreBounded(t *testing.T) {
	r := Rollup{Delta: new(Delta)}
	countNames(r.Delta, 0, MaxNames+500, 0, sms.Delivered, 1)
	stored, err := Decode(r.Encode())
	if err != nil {
		t.Fatal(err)
	}
	others := make(map[bool]int64)
	for key, e := range stored.counts {
		if key.Carrier == OtherCarriers {
			others[key.Final] = e.messages()
		}
	}
	if n := len(stored.counts); n != 2*(MaxNames+1) || others[false] != 500 || others[true] != 500 {
		t.Errorf("a rollup has %d keys, with %v others; want %d with 500 each", n, others, 2*(MaxNames+1))
	}
}

// An answer is bounded however many rollups it is made of, while it is made and then, with everything
// counted. Changes of messages that a rollup has folded are in it.
func TestAnswersAreBounded(t *testing.T) {
	now := time.Date(2026, 11, 22, 1, 44, 21, 0, time.UTC)
	window, err := NewWindow(now, time.Hour, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	const each = MaxNames + 500
	const all = 4*each + 100
	for _, c := range []struct {
		filter   Filter
		messages int64
		rows     int
	}{
		{Filter{}, all, MaxNames + 1},
		{Filter{Region: "US"}, all, MaxNames + 1},
		{Filter{Region: "GB"}, 0, 0},
		{Filter{Carrier: "id2500"}, 1, 1},
		{Filter{Carrier: "id2499"}, 0, 0}, // folded in its rollup
		{Filter{Carrier: "other"}, 4 * 500, 1},
	} {
		s := NewSum(window, c.filter, nil)
		add := func(encoded []byte) {
			if err := s.Add(encoded); err != nil {
				t.Fatal(err)
			}
			for _, part := range []*Delta{&s.shown, &s.hidden, &s.finals} {
				if len(part.counts) > 2*MaxNames {
					t.Errorf("%+v: %d keys on the way", c.filter, len(part.counts))
				}
			}
		}
		for i := range 4 {
			rollup := Rollup{Delta: new(Delta)}
			countNames(rollup.Delta, i*each, (i+1)*each, now.Unix()-60*int64(i), sms.Pending, 1)
			add(rollup.Encode())
		}
		for i := range 4 {
			var change Delta
			countNames(&change, i*each, (i+1)*each, now.Unix()-60*int64(i), sms.Pending, -1)
			countNames(&change, i*each, (i+1)*each, now.Unix()-60*int64(i), sms.Delivered, 1)
			add(change.Encode())
		}
		var last Delta // too few to be folded on the way
		countNames(&last, 4*each, all, now.Unix(), sms.Delivered, 1)
		add(last.Encode())
		r := s.Report(DefaultPolicy())
		var rows, points int64
		for i := range r.Carriers {
			rows += r.Carriers[i].Total
		}
		for i := range r.Series {
			points += r.Series[i].Total
		}
		want := Messages{Total: c.messages, Delivered: c.messages, Segments: c.messages, DeliveryRate: r.DeliveryRate, FailureRate: r.FailureRate}
		if c.filter.Carrier == "other" { // that they were delivered has come under their names so far
			want.Delivered, want.Pending = 0, c.messages
		}
		if diff := cmp.Diff(want, r.Messages); diff != "" || rows != c.messages || points != c.messages || len(r.Carriers) != c.rows {
			t.Errorf("%+v: %d messages in %d rows and %d in points, want %d rows (-want +got):\n%s", c.filter, rows, len(r.Carriers), points, c.rows, diff)
		}
		if shares := s.SlowShares(time.Minute); len(shares) != MaxNames {
			t.Errorf("%d carriers are looked at for slowness, want %d", len(shares), MaxNames)
		}
	}
}

// Names that come and go, as of a carrier that later receipts correct, leave nothing behind in an answer.
func TestAnswersForgetWhatCancelsOut(t *testing.T) {
	now := time.Date(2026, 11, 22, 1, 44, 21, 0, time.UTC)
	window, err := NewWindow(now, time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSum(window, Filter{}, nil)
	for i := range 10 {
		for _, n := range []int64{1, -1} {
			var d Delta
			countNames(&d, i*1000, (i+1)*1000, now.Unix(), sms.Delivered, n)
			if err := s.Add(d.Encode()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if shown, finals := len(s.shown.counts), len(s.finals.counts); shown > 2*MaxNames || finals > 2*MaxNames {
		t.Errorf("%d keys and %d of final receipts are left", shown, finals)
	}
	if r := s.Report(DefaultPolicy()); r.Total != 0 || len(r.Carriers) != 0 {
		t.Errorf("%d messages in %d rows", r.Total, len(r.Carriers))
	}
}
