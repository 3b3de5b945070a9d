package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

const (
	// historyLimit is how long porcupine may think about one thread.
	historyLimit = time.Minute

	// maxLockWait bounds how long a replica waits for a lock that is held by another one that is frozen or
	// cut off. PostgreSQL ends such a transaction after 2 s, and there may be several in a row.
	maxLockWait = 8 * time.Second
)

// A request that is sent within its lease may reach the CRM this much later. If no fault holds it up, only a
// busy machine can. What a black hole or a frozen replica has held back is passed on when that ends: at once,
// but all of it, including requests that were given up, over connections that are new to the CRM, and by a
// process that must get its turn first. That is some hundred requests of milliseconds each. The short form
// runs on machines that are far busier.
var (
	onTime      = proof.Lateness{Usual: 500 * time.Millisecond, Healing: 2 * time.Second}
	onTimeShort = proof.Lateness{Usual: 10 * time.Second, Healing: 10 * time.Second}
)

// judge checks the histories against the register and the leases, and prints the tables.
func (a *arena) judge(ctx context.Context, out io.Writer) error {
	history := a.crm.History()
	histories := proof.CheckHistories(history, historyLimit)
	allowed := onTime
	if a.settings.short {
		allowed = onTimeShort
	}
	pushers, err := proof.CheckPushers(ctx, a.store, history, a.harms, allowed)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	a.faults().Print(out)
	fmt.Fprintln(out)
	a.figures(histories, pushers).Print(out)
	wrong := slices.Concat(a.verdict.Wrong, histories.Wrong, pushers.Wrong, a.unproven(histories, pushers))
	if a.waited > maxLockWait && !a.settings.short {
		wrong = append(wrong, fmt.Sprintf("a replica waited %s s for a lock", proof.Seconds(a.waited)))
	}
	printFaults(out, "FAULT:", wrong)
	if len(wrong) > 0 || !a.verdict.OK() {
		return errBroken
	}
	return nil
}

// unproven names what there was too little of for a verdict. Whether a short run catches pushes before it
// pauses a replica is left to luck.
func (a *arena) unproven(h proof.Histories, p proof.Pushers) (lines []string) {
	if h.Threads == 0 || h.Writes == 0 || p.Leases == 0 {
		lines = append(lines, fmt.Sprintf("nothing is proven by %d threads with a history, %d writes and %d leases", h.Threads, h.Writes, p.Leases))
	}
	if !a.settings.short && a.settings.only.has(paused) && len(a.done[paused+withPushes]) == 0 {
		lines = append(lines, "no replica was paused while the CRM held its pushes")
	}
	return lines
}

// faults returns a table of how often each kind of fault struck, and what it struck.
func (a *arena) faults() proof.Table {
	t := proof.Table{{"fault", "of", "times"}}
	for _, name := range slices.Sorted(maps.Keys(a.done)) {
		for _, where := range slices.Sorted(maps.Keys(a.done[name])) {
			t = append(t, []string{name, where, fmt.Sprint(a.done[name][where])})
		}
	}
	return t
}

func (a *arena) figures(h proof.Histories, p proof.Pushers) proof.Table {
	verdict := "each is one register"
	if len(h.Wrong) > 0 {
		verdict = fmt.Sprintf("%d are WRONG", len(h.Wrong))
	}
	counts := a.balancer.Counts()
	return proof.Table{
		{"figure", "reached"},
		{"events acknowledged", fmt.Sprint(a.traffic.Promises.Events())},
		{"lost, doubled, other faults", fmt.Sprintf("%d, %d, %d", a.verdict.Lost, a.verdict.Doubled, a.verdict.Others())},
		{"attempts at replicas; refused; failed otherwise", fmt.Sprintf("%d; %d; %d", counts.Attempts, counts.Refused, counts.Failed)},
		{"threads checked by porcupine", fmt.Sprint(h.Threads)},
		{"reads; writes; their answers lost; changes of the other writer", fmt.Sprintf("%d; %d; %d; %d", h.Reads, h.Writes, h.Lost, h.Others)},
		{"verdict", verdict},
		{"leases; overlaps; late requests; of those, writes taken", fmt.Sprintf("%d; %d; %d; %d", p.Leases, p.Overlaps, p.Late, p.Taken)},
		{"s that a replica waited for a lock, most", proof.Seconds(a.waited)},
		{"s to recover, by round", strings.Join(secondsOf(a.recovered), ", ")},
	}
}

func secondsOf(times proof.Times) (texts []string) {
	for _, t := range times {
		texts = append(texts, proof.Seconds(t))
	}
	return texts
}
