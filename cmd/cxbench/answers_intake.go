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
	bare       = "without counting, and without the indexes to search by number and time"
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
	names := []string{counting, uncounting, bare}
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
		if name == bare {
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
	t := table{{"server", "receipts/s", "to the one as it is", "server µs", "database µs"}}
	base := r.of(counting, "intake")
	for _, name := range names {
		runs := r.of(name, "intake")
		micros := func(pick func(cost) float64) string {
			return spread(runs, func(one run) float64 { return pick(one.Cost) / float64(one.Result.Ledger.Receipts) }, "%.1f")
		}
		t = append(t, []string{
			name,
			spread(runs, func(one run) float64 { return one.Result.PerSecond }, "count"),
			spread(runs, func(one run) float64 { return one.Result.PerSecond / base[one.Round-1].Result.PerSecond }, "%.3f"),
			micros(func(c cost) float64 { return float64(c.Server.Microseconds()) }),
			micros(func(c cost) float64 { return float64(c.Database.CPU.Microseconds()) }),
		})
	}
	t.print(w)
	fmt.Fprintf(w, "\nTo count costs the intake %s %% of its receipts per second.\n",
		spread(base, func(one run) float64 {
			return 100 * (1 - one.Result.PerSecond/r.of(uncounting, "intake")[one.Round-1].Result.PerSecond)
		}, "%.1f"))
}
