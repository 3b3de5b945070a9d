package main

import (
	"context"
	"flag"
	"io"
	"time"
)

// part is a part of the benchmark that can be run alone.
type part struct {
	name     string
	settings settings
}

// settings of a part, with which it is measured.
type settings interface {
	// flags declares them, and sets their defaults.
	flags(*flag.FlagSet)

	// shorten makes it a matter of seconds.
	shorten()

	// check returns an error that names those that are out of bounds.
	check() error

	// measure does the measuring. What it starts and makes is gone afterwards, except for what it adds to the
	// folder of the results.
	measure(ctx context.Context, o *options) (findings, error)
}

// findings are the results of a part. They are kept as JSON.
type findings interface {
	// print writes all of it, in Markdown.
	print(io.Writer)

	// figures returns the lines for the table of all parts.
	figures() []figure

	// verdict returns an error when a promise was broken.
	verdict() error

	// databases returns a line for each database that was used, with its settings.
	databases() []string
}

// parts returns all parts with their defaults, in the order that they run in.
func parts() []part {
	all := []part{
		{"receipts", &receiptSettings{}},
		{"threads", &threadSettings{}},
		{"answers", &answerSettings{Database: "postgres"}},
		{"answers-sqlite", &answerSettings{Database: "sqlite"}},
		{"costs", &costSettings{}},
		{"growth", &growthSettings{}},
	}
	for _, p := range all {
		p.settings.flags(flag.NewFlagSet(p.name, flag.ContinueOnError))
	}
	return all
}

func partNames() (names []string) {
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// The bounds keep a slip of the finger from filling the disk. Those of connections and arrays are the bounds
// of the load generator, and of cxbridge.
const (
	maxRounds      = 100
	maxDuration    = 10 * time.Minute
	maxMessages    = 50_000_000
	maxConnections = 10_000
	maxBatch       = 5000
)

// isLength reports whether a measurement may be of that length.
func isLength(d time.Duration) bool { return d > 0 && d <= maxDuration }
