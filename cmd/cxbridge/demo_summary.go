package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// kindCounter counts posts by what is worth seeing about them.
type kindCounter struct {
	mu     sync.Mutex
	counts map[sim.Kind]int
}

func (k *kindCounter) add(kind sim.Kind) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.counts == nil {
		k.counts = make(map[sim.Kind]int)
	}
	k.counts[kind]++
}

// line lists the counts by kind, the most frequent first.
func (k *kindCounter) line() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	kinds := slices.SortedFunc(maps.Keys(k.counts), func(a, b sim.Kind) int {
		if c := k.counts[b] - k.counts[a]; c != 0 {
			return c
		}
		return strings.Compare(string(a), string(b))
	})
	parts := make([]string, len(kinds))
	for i, kind := range kinds {
		parts[i] = fmt.Sprintf("%d %s", k.counts[kind], kind)
	}
	return strings.Join(parts, ", ")
}

// brokenBodies remembers bodies that are not valid receipts.
type brokenBodies struct {
	mu     sync.Mutex
	bodies map[string]bool
}

func (b *brokenBodies) add(body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bodies == nil {
		b.bodies = make(map[string]bool)
	}
	b.bodies[string(body)] = true
}

// notIn counts the bodies that are not among the dead letters of a store.
func (b *brokenBodies) notIn(ctx context.Context, st store.Store) (missing int, err error) {
	kept := make(map[string]bool)
	const page = 500
	for before := int64(0); ; {
		letters, err := st.DeadLetters(ctx, before, page)
		if err != nil {
			return 0, err
		}
		for _, l := range letters {
			kept[string(l.Raw)] = true
			before = l.ID
		}
		if len(letters) < page {
			break
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for body := range b.bodies {
		if !kept[body] {
			missing++
		}
	}
	return missing, nil
}

// missingLetters counts the dead letters that should be there and are not, and, if there are any, those
// that an operator deleted meanwhile.
func (d *demonstration) missingLetters(ctx context.Context) (missing, deleted int, err error) {
	st := d.service.store
	ofReceipts, err := d.broken.notIn(ctx, st)
	if err != nil {
		return 0, 0, err
	}
	ofThreads, err := d.threads.parked.missing(ctx, st)
	if missing = ofReceipts + ofThreads; err != nil || missing == 0 {
		return 0, 0, err
	}
	deleted, err = deletedLetters(ctx, st)
	return missing, deleted, err
}

// deletedLetters counts the dead letters that operators deleted, by the audit log.
func deletedLetters(ctx context.Context, log store.AuditLog) (n int, err error) {
	const page = 500
	for before := int64(0); ; {
		entries, err := log.AuditEntries(ctx, "", before, page)
		if err != nil {
			return 0, err
		}
		for i := range entries {
			if entries[i].Action == audit.ActionDelete {
				n++
			}
			before = entries[i].ID
		}
		if len(entries) < page {
			return n, nil
		}
	}
}

// How often the summary is shown: a terminal is drawn over, anything else gets a new copy.
const (
	redrawEvery = 500 * time.Millisecond
	reprintEach = 5 * time.Second
)

// show shows the summary until ctx is done, and then once more.
func (d *demonstration) show(ctx context.Context) {
	every := reprintEach
	if d.terminal {
		every = redrawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.draw()
		case <-ctx.Done():
			d.draw()
			return
		}
	}
}

func (d *demonstration) draw() {
	ctx, cancel := context.WithTimeout(context.Background(), redrawEvery)
	defer cancel()
	tallies, err := d.service.store.Tally(ctx)
	if err != nil {
		return // the next one may succeed; the check at the end does not ignore errors
	}
	text := d.summary(tallies)
	if d.terminal && d.drawn > 0 {
		fmt.Fprintf(d.out, "\x1b[%dA\x1b[J", d.drawn)
	}
	d.drawn = strings.Count(text, "\n")
	fmt.Fprint(d.out, text)
}

// summary says what the service has made of the traffic so far.
func (d *demonstration) summary(tallies []store.Tally) string {
	counts := d.sender.Counts()
	e := counts.Events
	var b strings.Builder
	fmt.Fprintf(&b, "after %v: %d posts answered, in %.1f ms on average\n",
		time.Since(d.began).Round(100*time.Millisecond), counts.Posts, d.service.ingest.Figures().MeanLatency.Seconds()*1000)
	fmt.Fprintf(&b, "  sent      %s\n", d.kinds.line())
	fmt.Fprintf(&b, "  answered  %d accepted, %d known before, %d with a sender ID that breaks the rules, %d refused and kept\n",
		e.Accepted, e.Duplicate, e.Flagged, e.Refused)
	for _, sub := range d.service.subscriber.State() {
		fmt.Fprintf(&b, "  cxone     the subscription %s: %s\n", sub.Name, sub.State)
	}
	b.WriteString(d.threads.summary())
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "  carrier\tmessages\tdelivered\tfailed\trejected\texpired\tpending\tunknown\tbad sender\tfailure rate\t")
	for _, row := range byCarrier(tallies) {
		fmt.Fprintf(table, "  %s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", row.carrier, row.messages,
			row.status[sms.Delivered], row.status[sms.Failed], row.status[sms.Rejected], row.status[sms.Expired],
			row.status[sms.Pending], row.status[sms.Unknown], row.violations, row.failureRate())
	}
	table.Flush()
	b.WriteString("\n")
	return b.String()
}

// carrierRow sums up the messages of one carrier.
type carrierRow struct {
	carrier    string
	messages   int64
	violations int64
	status     map[sms.Status]int64
}

// failureRate returns the share of all messages that failed, were rejected or expired, as the console and
// the API define it.
func (r *carrierRow) failureRate() string {
	if r.messages == 0 {
		return "-"
	}
	failed := r.status[sms.Failed] + r.status[sms.Rejected] + r.status[sms.Expired]
	return fmt.Sprintf("%.1f %%", 100*float64(failed)/float64(r.messages))
}

// byCarrier sums up tallies by carrier, in the order of the carriers' names.
func byCarrier(tallies []store.Tally) []*carrierRow {
	rows := make(map[string]*carrierRow)
	for _, t := range tallies {
		r := rows[t.Carrier]
		if r == nil {
			r = &carrierRow{carrier: t.Carrier, status: make(map[sms.Status]int64)}
			rows[t.Carrier] = r
		}
		r.messages += t.Messages
		r.status[t.Status] += t.Messages
		if t.Compliance == sms.Violation {
			r.violations += t.Messages
		}
	}
	names := slices.Sorted(maps.Keys(rows))
	sorted := make([]*carrierRow, len(names))
	for i, name := range names {
		sorted[i] = rows[name]
	}
	return sorted
}
