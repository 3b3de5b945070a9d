package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/cxbridge/cxbridge/internal/load"
)

// The servers whose intake is compared.
const (
	counting   = "as it is"
	uncounting = "without counting"
	unsearched = "without counting and without the indexes to search"
)

var compared = []string{counting, uncounting, unsearched}

// searchIndexes are the indexes of sms_messages that the console and retention need, and the intake does not.
var searchIndexes = []string{"sms_messages_recipient", "sms_messages_first_seen"}

// intake compares servers under a load that saturates them. In each round all of them take their turn, and a
// different one begins each time, so that what slows the machine down for a while slows all of them.
func (c *answerCourse) intake(ctx context.Context) (runs []run, err error) {
	targets, err := c.comparedTargets(ctx)
	if err != nil {
		return nil, err
	}
	for round := 1; round <= c.settings.Rounds; round++ {
		for i := range targets {
			t := targets[(round+i)%len(targets)]
			one, err := c.w.measure(ctx, t, c.saturation())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.key, err)
			}
			one.Round, one.Workload = round, "intake"
			runs = append(runs, *one)
			fmt.Fprintln(os.Stderr, one.progress(c.settings.Rounds))
		}
	}
	return runs, nil
}

// comparedTargets are servers on empty databases, by their names.
func (c *answerCourse) comparedTargets(ctx context.Context) (targets []*target, err error) {
	off, err := buildUncounting(ctx, c.w.dir)
	if err != nil {
		return nil, err
	}
	for i, name := range compared {
		st, t, err := c.w.openDatabase(ctx, c.settings.Database, fmt.Sprintf("intake_%d", i))
		if err != nil {
			return nil, err
		}
		if err := errors.Join(st.Migrate(ctx), st.Close(), c.w.describe(ctx, t)); err != nil {
			return nil, err
		}
		if name != counting {
			t.argv = []string{off, "serve"}
		}
		if name == unsearched {
			for _, index := range searchIndexes {
				if err := t.database.execute(ctx, "DROP INDEX IF EXISTS "+index); err != nil {
					return nil, err
				}
			}
		}
		t.key = name
		targets = append(targets, t)
	}
	return targets, nil
}

func (c *answerCourse) saturation() load.Config {
	cfg := c.w.load()
	cfg.Raw, cfg.Connections, cfg.Mixed, cfg.Repeat = true, 64, true, 0.3
	cfg.Warmup, cfg.Duration = c.settings.Length/4, c.settings.Length
	return cfg
}
