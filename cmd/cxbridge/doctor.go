package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cxbridge/cxbridge/internal/store"
)

type doctorCommand struct {
	Settings
}

// errUnhealthy says that a check failed, as the table says.
var errUnhealthy = errors.New("some checks failed")

// checkTimeout is how long one check may take, and checkGrace how much longer it has to say what it
// was waiting for.
const (
	checkTimeout = 10 * time.Second
	checkGrace   = time.Second
)

func (c *doctorCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	cfg, err := c.Resolve(load(k, p.env))
	d := &doctor{
		cfg: cfg, settings: err, now: time.Now, http: http.DefaultClient,
		openStore: p.openStore, checkCXone: p.checkCXone, checkCRM: p.checkCRM, checkCollector: p.checkCollector, free: freeSpace,
	}
	return examine(ctx, d.checks(), p.stdout)
}

// doctor holds what the checks look at. Fields of the Config whose settings are wrong are zero.
type doctor struct {
	cfg      Config
	settings error // what is wrong with the settings

	now        func() time.Time
	http       *http.Client
	openStore  func(cfg Config) (store.Store, error)
	checkCXone func(ctx context.Context, cfg Config) error
	checkCRM   func(ctx context.Context, cfg Config) error

	checkCollector func(ctx context.Context, cfg Config) error

	free func(dir string) (bytes uint64, err error)
}

// checks lists the checks in the order they are run and shown.
func (d *doctor) checks() []check {
	return []check{
		{"settings", d.checkSettings},
		{"secrets", d.checkSecrets},
		{"clock", d.checkClock},
		{"listen address", d.checkAddr},
		{"disk", d.checkDisk},
		{"database", d.checkDatabase},
		{"spool", d.checkSpool},
		{"CXone", d.checkToken},
		{"CRM", d.checkSink},
		{"traces", d.checkTraces},
		{"server URL", d.checkServerURL},
	}
}

// check looks at one thing.
type check struct {
	name string
	run  func(ctx context.Context) finding
}

// finding is what a check found.
type finding struct {
	grade  grade
	text   string   // what was found, in a line
	advice []string // what to do about it
}

// grade is how good or bad a finding is.
type grade string

// The grades. Only fail makes the doctor exit 1.
const (
	gradeOK   grade = "ok"
	gradeWarn grade = "warn"
	gradeFail grade = "fail"
	gradeSkip grade = "skip" // there is nothing to check
)

func fine(format string, args ...any) finding {
	return finding{grade: gradeOK, text: fmt.Sprintf(format, args...)}
}

func skipped(why string) finding { return finding{grade: gradeSkip, text: why} }

// examine runs the checks one after another, so that none disturbs what another measures, and prints
// what they find. It returns errUnhealthy when one fails.
func examine(ctx context.Context, checks []check, out io.Writer) error {
	counts := make(map[grade]int)
	for _, c := range checks {
		f := c.within(ctx, checkTimeout)
		counts[f.grade]++
		table := tabwriter.NewWriter(out, 6, 0, 2, ' ', 0)
		// The error of a driver may span lines, which would tear the table apart.
		fmt.Fprintf(table, "%s\t%-16s%s\n", f.grade, c.name, strings.Join(strings.Fields(f.text), " "))
		for _, line := range f.advice {
			fmt.Fprintf(table, "\t%-16s- %s\n", "", line)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%d ok, %d to look at, %d failed, %d skipped\n", counts[gradeOK], counts[gradeWarn], counts[gradeFail], counts[gradeSkip])
	if counts[gradeFail] > 0 {
		return errUnhealthy
	}
	return nil
}

// within runs the check. One that does not heed its context, such as a look at a folder on a dead
// network share, is left behind.
func (c check) within(ctx context.Context, limit time.Duration) finding {
	running, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan finding, 1)
	go func() { done <- c.run(running) }()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
		return finding{grade: gradeFail, text: "interrupted"}
	case <-time.After(limit + checkGrace):
		return finding{gradeFail, fmt.Sprintf("no answer within %v", limit), []string{"see why it hangs, and run the doctor again"}}
	}
}

func (d *doctor) checkSettings(context.Context) finding {
	var wrong *SettingsError
	if errors.As(d.settings, &wrong) {
		f := finding{grade: gradeFail, text: fmt.Sprintf("%d wrong; what depends on them is not checked", len(wrong.Problems))}
		for _, p := range wrong.Problems {
			f.advice = append(f.advice, p.String())
		}
		return f
	}
	set := 0
	for _, s := range d.cfg.Summary() {
		if s.Source != "default" {
			set++
		}
	}
	f := fine("all valid; %d set, the rest are defaults", set)
	if f.advice = d.otherWarnings(); f.advice != nil {
		f.grade = gradeWarn
	}
	return f
}

// otherWarnings returns the warnings about the settings that no check of its own repeats.
func (d *doctor) otherWarnings() (others []string) {
	repeated := append(d.cfg.secretWarnings(), noServerURL)
	for _, warning := range d.cfg.Warnings {
		if !slices.Contains(repeated, warning) {
			others = append(others, warning)
		}
	}
	return others
}

func (d *doctor) checkSecrets(context.Context) finding {
	if len(d.cfg.WebhookSecrets) == 0 || d.cfg.AdminToken == "" {
		return finding{gradeFail, "WEBHOOK_SECRET or ADMIN_TOKEN is missing, wrong or unreadable", []string{"see the settings above; `openssl rand -hex 32` prints a good one"}}
	}
	if warnings := d.cfg.secretWarnings(); warnings != nil {
		return finding{gradeWarn, "set, but unwise", warnings}
	}
	return fine("%d set, and hard to guess", len(d.cfg.secrets()))
}

// checkClock finds a machine that came up without the time: all signatures and tokens would be
// refused, and receipts would be dated wrong.
func (d *doctor) checkClock(context.Context) finding {
	now := d.now().UTC()
	if now.Year() < 2024 || now.Year() > 2100 {
		return finding{gradeFail, "wrong: it shows " + now.Format(time.RFC3339), []string{"set the clock of the machine, and keep it by NTP"}}
	}
	return fine("%s", now.Format(time.RFC3339))
}
