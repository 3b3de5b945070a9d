package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// countedSLA is how long receipts may take.
const countedSLA = 500 * time.Millisecond

// testCounts is the law that a report drawn from the counts is the one drawn from all messages: after
// receipts that came late, again and in any order, from several sides, while others compact and prune,
// and after the store was closed and opened.
func testCounts(t *testing.T, create func(t *testing.T) Open, replicas int) {
	for seed := range uint64(2) {
		open := create(t)
		stores := make([]store.Store, replicas)
		for i := range stores {
			stores[i] = openStore(t, open)
		}
		if err := stores[0].Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		w := newCountedAt(seed, base)
		w.commit(t, stores)
		w.requireReports(t, stores[0])
		w.compactAll(t, stores[0])
		w.requireReports(t, stores[replicas-1])
		w.requireReports(t, openStore(t, open))
	}
}

// counted is a world of messages whose counts are known.
type counted struct {
	now      time.Time // when questions are asked
	draw     *rand.Rand
	ids      []string
	entries  []store.Entry
	observed []observation
}

func newCountedAt(seed uint64, now time.Time) *counted {
	w := &counted{now: now, draw: rand.New(rand.NewPCG(seed, 7))}
	for i := range 250 {
		id := fmt.Sprintf("m%d", i)
		w.ids = append(w.ids, id)
		first := w.moment()
		for range 1 + w.draw.IntN(4) {
			w.entries = append(w.entries, store.Entry{Receipt: w.receipt(id, first)})
		}
	}
	return w
}

// moment is a time in the past, as often some seconds as some weeks ago; a few are in the future.
func (w *counted) moment() time.Time {
	const most = 100 * 24 * time.Hour
	ago := time.Duration(math.Pow(float64(most), w.draw.Float64()))
	if w.draw.IntN(40) == 0 {
		ago = -time.Minute
	}
	return w.now.Add(-ago).Truncate(time.Microsecond)
}

// receipt is one of a message that was first seen at about a time.
func (w *counted) receipt(id string, first time.Time) *sms.Receipt {
	pick := func(values ...string) string { return values[w.draw.IntN(len(values))] }
	submitted := first.Add(-time.Duration(w.draw.IntN(5_000_000)) * time.Microsecond)
	took := time.Duration(math.Pow(float64(40*24*time.Hour), w.draw.Float64()))
	r := receipt(id, sms.Status(1+w.draw.IntN(6)), submitted.Add(took-time.Second).Truncate(time.Microsecond), first)
	if w.draw.IntN(3) == 0 {
		r.Received = w.moment()
	}
	r.Carrier, r.Region = pick("", "A", "A", "B", "C", "c"), pick("", "GB", "IN")
	r.SenderID, r.Recipient, r.Segments = pick("", "ACME", "+14155550123"), pick("", "+14155550123"), w.draw.IntN(4)
	if w.draw.IntN(3) > 0 {
		r.Submitted = submitted
	}
	if r.Cost = pick("", "", "", "0.0123", "2", "0.00012345"); r.Cost != "" {
		r.Currency = pick("", "EUR", "USD")
	}
	return r
}

// commit has three committers commit all receipts, each in an order and in batches of its own. Now and
// then each of them compacts and prunes, whatever the others do.
func (w *counted) commit(t *testing.T, stores []store.Store) {
	t.Helper()
	var committers sync.WaitGroup
	var mu sync.Mutex
	for i := range 3 {
		s, draw := stores[i%len(stores)], rand.New(rand.NewPCG(w.draw.Uint64(), uint64(i)))
		committers.Go(func() {
			mine := slices.Clone(w.entries)
			draw.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			for batch := range slices.Chunk(mine, 1+draw.IntN(40)) {
				observed, all := w.observeSome(draw)
				_, err := s.Commit(ctx(), store.Batch{Entries: batch, Now: w.now, Judge: judge, Observed: observed})
				if err == nil && draw.IntN(2) == 0 {
					_, err = s.Compact(ctx(), w.now, 1+draw.IntN(10))
				}
				if err == nil && draw.IntN(8) == 0 {
					_, err = s.Prune(ctx(), w.now, 10)
				}
				if err != nil {
					t.Errorf("committer %d: %v", i, err)
					return
				}
				mu.Lock()
				w.observed = append(w.observed, all...)
				mu.Unlock()
			}
		})
	}
	committers.Wait()
}

// observeSome observes some receipts, of this minute or of an hour.
func (w *counted) observeSome(draw *rand.Rand) (*analytics.Delta, []observation) {
	d, all := new(analytics.Delta), []observation(nil)
	for range draw.IntN(4) {
		at := w.now.Add(-time.Duration(draw.Int64N(int64(2 * time.Minute))))
		if draw.IntN(2) == 0 {
			at = at.Add(-time.Duration(draw.Int64N(int64(time.Hour))))
		}
		o := observation{at, time.Duration(draw.Int64N(int64(2 * countedSLA)))}
		d.Observe(o.at, o.took, countedSLA, 1)
		all = append(all, o)
	}
	return d, all
}

// requireReports asks random questions.
func (w *counted) requireReports(t *testing.T, s store.Store) {
	t.Helper()
	card, err := analytics.ParseRateCard("card.yaml", []byte(countsCard))
	if err != nil {
		t.Fatal(err)
	}
	var messages []*sms.Message
	for _, id := range w.ids {
		m, _ := read(t, s, id)
		messages = append(messages, m)
	}
	for range 15 {
		q := w.question(t)
		filter, err := analytics.NewFilter(q.carrier, q.region)
		if err != nil {
			t.Fatal(err)
		}
		got := ask(t, s, analytics.NewSum(q.window, filter, card))
		want := reportByHand(q, messages, w.observed, countedSLA)
		got.Window = "" // the words for it are not the store's
		what := fmt.Sprintf("%v by %v, carrier %q, region %q", q.window.Length, q.window.Step, q.carrier, q.region)
		requireEqual(t, what, got, want, likeReports)
		if t.Failed() {
			return
		}
	}
}

func (w *counted) question(t *testing.T) question {
	t.Helper()
	length := time.Duration(math.Pow(float64(90*24*60), w.draw.Float64())*60) * time.Second
	steps := []time.Duration{0, 0, 10 * time.Second, time.Minute, 7 * time.Minute, time.Hour, 5 * time.Hour, 24 * time.Hour}
	for {
		window, err := analytics.NewWindow(w.now, max(length, time.Minute), steps[w.draw.IntN(len(steps))])
		if err == nil && (window.Step == 0 || window.Length/window.Step < 300) {
			return question{
				window:  window,
				carrier: []string{"", "", "A", "c", "UNKNOWN", "X"}[w.draw.IntN(6)],
				region:  []string{"", "", "GB", "FR"}[w.draw.IntN(4)],
			}
		}
	}
}

// sumOfAll asks for all that the test's world begins with, in one window.
func sumOfAll(t failer) *analytics.Sum {
	t.Helper()
	window, err := analytics.NewWindow(at(3600), 2*time.Hour, 0)
	if err != nil {
		t.Fatalf("NewWindow: %v", err)
	}
	return analytics.NewSum(window, analytics.Filter{}, nil)
}

// ask has a store answer.
func ask(t failer, s store.Store, sum *analytics.Sum) *analytics.Report {
	t.Helper()
	if err := s.Counts(ctx(), sum.Ranges(), sum.Add); err != nil {
		t.Fatalf("Counts: %v", err)
	}
	return sum.Report(analytics.DefaultPolicy())
}

// likeReports compares quantiles and means as exactly as they are promised, and everything else exactly.
var likeReports = gocmp.Options{
	cmpopts.IgnoreTypes(analytics.Recommendation{}),
	gocmp.FilterPath(isRounded, gocmp.Comparer(func(a, b float64) bool {
		return math.Abs(a-b) <= 0.02*max(a, b)+0.002 // what is reported is rounded to thousandths
	})),
}

func isRounded(p gocmp.Path) bool {
	field, ok := p.Last().(gocmp.StructField)
	return ok && slices.Contains([]string{
		"P50", "P95", "P99", "Avg", "P50LatencyMs", "P95LatencyMs", "P99LatencyMs", "AvgLatencyMs",
	}, field.Name())
}

// compactAll moves every delta into the rollups.
func (w *counted) compactAll(t *testing.T, s store.Store) {
	t.Helper()
	for {
		n, err := s.Compact(ctx(), w.now, 50)
		if err != nil {
			t.Fatalf("Compact: %v", err)
		}
		if n == 0 {
			return
		}
	}
}

// testCompact is about what moves when, and by whom.
func testCompact(t *testing.T, create func(t *testing.T) Open, replicas int) {
	stores := openReplicas(t, create, replicas)
	s := stores[0]
	committed := 0
	commitNew := func(n int) {
		for range n {
			committed++
			commit(t, s, receipts(receipt(fmt.Sprint("m", committed), sms.Delivered, at(0), at(committed)))...)
		}
	}
	requireMoved := func(t *testing.T, limit, want int) {
		t.Helper()
		if moved, err := s.Compact(t.Context(), at(3600), limit); err != nil || moved != want {
			t.Errorf("Compact moves %d, %v; want %d", moved, err, want)
		}
		if total := ask(t, s, sumOfAll(t)).Total; total != int64(committed) {
			t.Errorf("%d messages are counted, want %d", total, committed)
		}
	}

	t.Run("NoMoreThanTheLimit", func(t *testing.T) {
		requireMoved(t, 10, 0)
		commitNew(5)
		requireMoved(t, 2, 2)
		requireMoved(t, 10, 3)
		requireMoved(t, 10, 0)
	})

	t.Run("WhatIsKnownChangesNothing", func(t *testing.T) {
		commit(t, s, receipts(receipt("m1", sms.Delivered, at(0), at(1)))...)
		commit(t, s, receipts(receipt("m1", sms.Pending, at(0), at(2)))...)
		requireMoved(t, 10, 0)
	})

	t.Run("WhatWasObservedAlone", func(t *testing.T) {
		observed := new(analytics.Delta)
		for range 2 { // of nothing there is no row
			outcomes, err := s.Commit(t.Context(), store.Batch{Now: at(3600), Judge: judge, Observed: observed})
			if err != nil || len(outcomes) != 0 {
				t.Fatalf("Commit: %v, %v", outcomes, err)
			}
			observed.Observe(at(3590), time.Second, countedSLA, 3)
		}
		requireMoved(t, 10, 1)
		if r := ask(t, s, sumOfAll(t)); r.Receipts != 3 || r.Throughput != 3 || *r.SLACompliance != 0 {
			t.Errorf("got %+v of %d, want 3 receipts that took too long", r.Processing, r.Throughput)
		}
	})

	t.Run("SeveralAtATime", func(t *testing.T) {
		const n = 60
		var moved atomic.Int64
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				for moved.Load() < n && !t.Failed() {
					n, err := stores[worker%replicas].Compact(ctx(), at(3600), 7)
					if err != nil {
						t.Errorf("Compact: %v", err)
					}
					moved.Add(int64(n))
				}
			})
		}
		commitNew(n)
		group.Wait()
		if moved.Load() != n {
			t.Errorf("%d deltas moved, want %d", moved.Load(), n)
		}
		requireMoved(t, 10, 0)
	})

	// A question finds each message once, in a delta or in a rollup, while they move.
	t.Run("AnswersMeanwhile", func(t *testing.T) {
		commitNew(150)
		var mover sync.WaitGroup
		var isMoved atomic.Bool
		mover.Go(func() {
			defer isMoved.Store(true)
			for moved := 1; moved > 0; {
				var err error
				if moved, err = stores[replicas-1].Compact(ctx(), at(3600), 2); err != nil {
					t.Errorf("Compact: %v", err)
				}
			}
		})
		defer mover.Wait()
		for !isMoved.Load() && !t.Failed() {
			if total := ask(t, s, sumOfAll(t)).Total; total != int64(committed) {
				t.Errorf("%d messages are counted, want %d", total, committed)
			}
		}
	})

	t.Run("AnErrorOfAddEndsIt", func(t *testing.T) {
		mine, calls := errors.New("mine"), 0
		err := s.Counts(t.Context(), sumOfAll(t).Ranges(), func([]byte) error {
			calls++
			return mine
		})
		if err != mine || calls != 1 {
			t.Errorf("Counts returns %v after %d calls, want that of add after 1", err, calls)
		}
		requireMoved(t, 10, 0)
	})
}

// testPrune deletes what no question asks for, and nothing else.
func testPrune(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	const n = 40
	for i := range n {
		commit(t, s, receipts(receipt(fmt.Sprint("m", i), sms.Delivered, at(i), at(i)))...)
	}
	(&counted{now: at(n)}).compactAll(t, s)
	count := func(now time.Time, length time.Duration) int64 {
		window, err := analytics.NewWindow(now, length, 0)
		if err != nil {
			t.Fatal(err)
		}
		return ask(t, s, analytics.NewSum(window, analytics.Filter{}, nil)).Total
	}
	for _, c := range []struct {
		after   time.Duration
		deleted int // rollups: the seconds and their 4 quarters of a minute, then minutes and quarters of an hour, 2 each, then the rest
		length  time.Duration
		want    int64
	}{
		{0, 0, time.Hour, n},
		{3 * time.Hour, 0, 24 * time.Hour, n},
		{4 * time.Hour, n + 4, 24 * time.Hour, n},
		{8 * 24 * time.Hour, 4, 30 * 24 * time.Hour, n},
		{90 * 24 * time.Hour, 0, 90 * 24 * time.Hour, n},
		{93 * 24 * time.Hour, 3, 90 * 24 * time.Hour, 0},
		{1000 * 24 * time.Hour, 0, 90 * 24 * time.Hour, 0},
	} {
		now, deleted := at(n).Add(c.after), 0
		for {
			step, err := s.Prune(t.Context(), now, 15)
			if err != nil || step > 15 {
				t.Fatalf("Prune deletes %d of at most 15: %v", step, err)
			}
			if deleted += step; step == 0 {
				break
			}
		}
		if got := count(now, c.length); deleted != c.deleted || got != c.want {
			t.Errorf("after %v %d rollups are deleted, want %d; %d messages are counted in %v, want %d",
				c.after, deleted, c.deleted, got, c.length, c.want)
		}
	}
}

// The clock is that of this machine, where all databases of the tests are.
func testClock(t *testing.T, create func(t *testing.T) Open) {
	s := openStore(t, create(t))
	now, err := s.Now(t.Context())
	if off := time.Since(now).Abs(); err != nil || off > time.Minute || now.Location() != time.UTC {
		t.Errorf("%v, %v off: %v", now, off, err)
	}
}

// testManyCarriers counts messages each of which names a carrier of its own, as with a gateway that writes
// their ids there: the totals are exact, and what is stored and answered is bounded.
func testManyCarriers(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	const n, batch = analytics.MaxNames + 1000, 1000
	commitAll := func(status sms.Status, seconds int) {
		var all []*sms.Receipt
		for i := range n {
			r := receipt(fmt.Sprint("m", i), status, at(seconds), at(seconds))
			r.Carrier, r.Region, r.Cost, r.Currency = fmt.Sprint("NAME-", i), "GB", "0.01", "EUR"
			r.Submitted = at(0)
			all = append(all, r)
		}
		for some := range slices.Chunk(all, batch) {
			commit(t, s, receipts(some...)...)
		}
	}
	requireAll := func(what string, delivered int64) {
		t.Helper()
		r := ask(t, s, sumOfAll(t))
		var inRows int64
		for i := range r.Carriers {
			inRows += r.Carriers[i].Total
		}
		want := analytics.Messages{
			Total: n, Delivered: delivered, Pending: n - delivered, Flagged: n, Segments: n,
			DeliveryRate: percentByHand(int(delivered), n), FailureRate: percentByHand(0, n),
		}
		requireEqual(t, what, r.Messages, want)
		if rows := len(r.Carriers); rows != analytics.MaxNames+1 || inRows != n {
			t.Errorf("%s: %d messages are in %d rows, want %d in %d", what, inRows, rows, n, analytics.MaxNames+1)
		}
		if timed := r.DeliveryTime.Messages; timed != delivered {
			t.Errorf("%s: %d delivery times, want %d", what, timed, delivered)
		}
		if c := r.Costs[0]; len(r.Costs) != 1 || c.Messages != n || c.Total != n/100 {
			t.Errorf("%s: costs %+v", what, r.Costs)
		}
	}
	requireFewNames := func() {
		t.Helper()
		err := s.Counts(t.Context(), sumOfAll(t).Ranges(), func(counts []byte) error {
			if names := bytes.Count(counts, []byte("NAME-")); names > analytics.MaxNames {
				t.Errorf("a rollup has %d names", names)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &counted{now: at(3600)}
	commitAll(sms.Pending, 1)
	requireAll("new messages", 0)
	w.compactAll(t, s)
	requireAll("new messages, compacted", 0)
	commitAll(sms.Delivered, 2)
	requireAll("delivered messages", n)
	w.compactAll(t, s)
	requireAll("delivered messages, compacted", n)
	requireFewNames()
}

// testCompactKeys requires that one transaction does not take more keys into memory than it may, nor nothing
// for ever.
func testCompactKeys(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	for _, keys := range []int64{1, store.CompactKeys, 1, 1} {
		d := new(analytics.Delta)
		for second := range keys { // no message is as old: there are no rollups
			d.Add(analytics.Contribution{Key: analytics.Key{Second: second}, Status: sms.Delivered, Segments: 1})
		}
		if _, err := s.Commit(t.Context(), store.Batch{Now: at(3600), Judge: judge, Observed: d}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 2, 0} {
		if moved, err := s.Compact(t.Context(), at(3600), 10); err != nil || moved != want {
			t.Errorf("Compact moves %d, %v; want %d", moved, err, want)
		}
	}
}
