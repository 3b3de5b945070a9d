package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cxbridge/cxbridge/internal/load"
)

// The servers whose intake is compared.
const (
	counting   = "as it is"
	uncounting = "without counting"
	unsearched = "without counting and without the indexes to search"
)

// searchIndexes are those of sms_messages that the console and retention need, and the intake does not.
var searchIndexes = []string{"sms_messages_recipient", "sms_messages_first_seen"}

// intake compares servers under a load that saturates them. In each round all of them take their turn,
// the one that begins being another each time, so that what slows the machine down for a while slows
// all of them.
func (c *answerCourse) intake(ctx context.Context, out io.Writer) error {
	off, err := buildUncounting(ctx, c.w.dir)
	if err != nil {
		return err
	}
	names := []string{counting, uncounting, unsearched}
	targets := make([]*target, len(names))
	for i, name := range names {
		st, t, err := c.open(ctx, fmt.Sprintf("intake_%d", i))
		if err != nil {
			return err
		}
		if err := errors.Join(st.Migrate(ctx), st.Close()); err != nil {
			return err
		}
		if name != counting {
			t.argv = []string{off, "serve"}
		}
		if name == unsearched {
			for _, index := range searchIndexes {
				if err := t.database.execute(ctx, "DROP INDEX IF EXISTS "+index); err != nil {
					return err
				}
			}
		}
		t.key, targets[i] = name, t
	}
	r := &report{Settings: &settings{Rounds: c.settings.Rounds}}
	for round := 1; round <= c.settings.Rounds; round++ {
		for i := range targets {
			t := targets[(round+i)%len(targets)]
			one, err := c.w.measure(ctx, t, c.saturation())
			if err != nil {
				return fmt.Errorf("%s: %w", t.key, err)
			}
			one.Round, one.Target, one.Workload = round, t.key, "intake"
			r.Runs = append(r.Runs, *one)
			fmt.Fprintln(os.Stderr, one.progress(c.settings.Rounds))
		}
	}
	c.printIntake(out, r, names)
	return r.verdict()
}

func (c *answerCourse) saturation() load.Config {
	return load.Config{
		Path: webhookPath, Header: map[string]string{"X-Webhook-Secret": c.w.secret}, Prefix: strings.ToLower(rand.Text()[:8]),
		Raw: true, Connections: 64, Mixed: true, Repeat: 0.3, Warmup: c.settings.Length / 4, Duration: c.settings.Length,
	}
}

func (c *answerCourse) printIntake(w io.Writer, r *report, names []string) {
	fmt.Fprintf(w, "\n#### What it costs the intake to count: 64 connections, closed loop, median [least–most] of %d rounds\n\n", c.settings.Rounds)
	// Each is compared with the one of its round, so that what slows the machine down for a while slows
	// both sides of a ratio.
	base := r.of(uncounting, "intake")
	t := table{{"server", "receipts/s", "to the one without counting", "CPU µs of server and database", "to the one without counting"}}
	for _, name := range names {
		runs := r.of(name, "intake")
		t = append(t, []string{
			name,
			spread(runs, perSecond, "count"),
			spread(runs, func(one run) float64 { return perSecond(one) / perSecond(base[one.Round-1]) }, "%.2f"),
			spread(runs, cpuPerReceipt, "%.1f"),
			spread(runs, func(one run) float64 { return cpuPerReceipt(one) / cpuPerReceipt(base[one.Round-1]) }, "%.2f"),
		})
	}
	t.print(w)
}

func perSecond(one run) float64 { return one.Result.PerSecond }

// cpuPerReceipt is in microseconds. It says more than receipts per second where others use the machine.
func cpuPerReceipt(one run) float64 {
	return float64((one.Cost.Server + one.Cost.Database.CPU).Microseconds()) / float64(one.Result.Ledger.Receipts)
}
