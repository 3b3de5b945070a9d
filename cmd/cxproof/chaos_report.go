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

	// A request that sets out within its lease may come to the CRM so much later where nothing holds it up
	// but a busy machine. The short form runs on machines that are far busier.
	onTime      = 500 * time.Millisecond
	onTimeShort = 10 * time.Second

	// maxLockWait bounds how long a replica waits for a lock that another one holds which is frozen or cut
	// off. PostgreSQL ends such a transaction after 2 s, and some may stand in a row.
	maxLockWait = 8 * time.Second
)

// judge holds the histories against the register and the leases, and shows the table.
func (a *arena) judge(ctx context.Context, out io.Writer) error {
	history := a.crm.History()
	histories := proof.CheckHistories(history, historyLimit)
	slack := onTime
	if a.settings.short {
		slack = onTimeShort
	}
	pushers, err := proof.CheckPushers(ctx, a.store, history, a.harms, slack)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	a.faults().Print(out)
	fmt.Fprintln(out)
	a.figures(histories, pushers).Print(out)
	wrong := slices.Concat(a.verdict.Wrong, histories.Wrong, pushers.Wrong)
	if a.waited > maxLockWait && !a.settings.short {
		wrong = append(wrong, fmt.Sprintf("a replica waited %s s for a lock", proof.Seconds(a.waited)))
	}
	for _, line := range wrong[:min(len(wrong), 30)] {
		fmt.Fprintln(out, "FAULT:", line)
	}
	if len(wrong) > 0 || !a.verdict.OK() {
		return errBroken
	}
	return nil
}

// faults tells how often each kind was done, and to what.
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
	others := max(0, len(a.verdict.Wrong)-a.verdict.Lost-a.verdict.Doubled)
	return proof.Table{
		{"figure", "reached"},
		{"events acknowledged", fmt.Sprint(a.traffic.Promises.Events())},
		{"lost, doubled, other faults", fmt.Sprintf("%d, %d, %d", a.verdict.Lost, a.verdict.Doubled, others)},
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
