package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nobodyListens is an address at which connections are refused. That of a server which was closed could be given
// to another test.
const nobodyListens = "http://127.0.0.1:1"

// environmentOf returns an environment that holds only the variables of a test.
func environmentOf(vars map[string]string) environment {
	return func(name string) (string, bool) {
		text, ok := vars[name]
		return text, ok
	}
}

// needed holds the settings without which serve does not start.
var needed = map[string]string{
	"WEBHOOK_SECRET": "8c1b0f5e7a9d4e63b2f1", "ADMIN_TOKEN": "f04e9ab1c27d48835e6d",
}

// with returns the needed settings and more. One that is "" is left out.
func with(more map[string]string) map[string]string {
	vars := make(map[string]string)
	for _, from := range []map[string]string{needed, more} {
		for name, text := range from {
			vars[name] = text
		}
	}
	return vars
}

// trial is a program whose commands do nothing but note what they were called with.
type trial struct {
	program
	out, err bytes.Buffer
	cfg      Config // of serve
	served   bool
}

func newTrial(vars map[string]string) *trial {
	p := &trial{}
	p.program = program{
		env: environmentOf(vars), stdin: strings.NewReader(""), stdout: &p.out, stderr: &p.err,
		serve: func(_ context.Context, cfg Config, _ *slog.Logger) error {
			p.cfg, p.served = cfg, true
			return nil
		},
		demo: func(_ context.Context, _ demoCommand, out io.Writer) error {
			_, err := io.WriteString(out, "demo ran\n")
			return err
		},
		openStore:  func(Config) (store.Store, error) { return nil, errors.New("no store in this test") },
		checkCXone: func(context.Context, Config) error { return errors.New("no CXone in this test") },
		checkCRM:   func(context.Context, Config) error { return errors.New("no CRM in this test") },

		checkCollector: func(context.Context, Config) error { return errors.New("no collector in this test") },
	}
	return p
}

func TestRun(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args     []string
		env      map[string]string
		code     int
		out, err string // what is in the outputs; "" is an empty one
	}{
		"no arguments":        {code: 0, out: "Examples:"},
		"help":                {args: []string{"--help"}, code: 0, out: "Exit codes:"},
		"help short":          {args: []string{"-h"}, code: 0, out: "Exit codes:"},
		"help word":           {args: []string{"help"}, code: 0, out: "Exit codes:"},
		"help of a command":   {args: []string{"serve", "--help"}, code: 0, out: "--database-url=URL"},
		"help word, command":  {args: []string{"help", "migrate"}, code: 0, out: "Usage: cxbridge migrate"},
		"version":             {args: []string{"version"}, code: 0, out: "cxbridge  "},
		"demo":                {args: []string{"demo"}, code: 0, out: "demo ran"},
		"serve":               {args: []string{"serve"}, env: needed, code: 0, err: "settings"},
		"unknown command":     {args: []string{"srve"}, code: 2, err: `did you mean "serve"`},
		"unknown flag":        {args: []string{"serve", "--prot=1"}, code: 2, err: "unknown flag --prot"},
		"flag without value":  {args: []string{"serve", "--port"}, code: 2, err: "needs a value"},
		"two commands":        {args: []string{"version", "doctor"}, code: 2, err: "unexpected argument"},
		"help of the audit":   {args: []string{"help", "audit", "verify"}, code: 0, out: "cxbridge audit verify"},
		"audit alone":         {args: []string{"audit"}, code: 2, err: "verify"},
		"settings of serve":   {args: []string{"serve"}, code: 2, err: "2 errors in the settings:"},
		"settings of migrate": {args: []string{"migrate"}, env: map[string]string{"DATABASE_URL": "x"}, code: 2, err: "1 error in the settings:"},
		"failing command":     {args: []string{"migrate"}, code: 1, err: "no store in this test"},
		"failing check":       {args: []string{"doctor"}, code: 1, out: "WEBHOOK_SECRET is not set"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrial(tt.env)
			if code := p.run(t.Context(), tt.args); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, o := range []struct{ name, got, want string }{{"stdout", p.out.String(), tt.out}, {"stderr", p.err.String(), tt.err}} {
				if !strings.Contains(o.got, o.want) || o.want == "" && o.got != "" {
					t.Errorf("%s is %q, want %q in it", o.name, o.got, o.want)
				}
			}
		})
	}
}

func TestRunUsesTheRealProgram(t *testing.T) {
	t.Parallel()
	var out, err bytes.Buffer
	if code := run(t.Context(), []string{"serve"}, environmentOf(nil), &out, &err); code != exitUsage {
		t.Errorf("exit code %d, want %d: %s%s", code, exitUsage, &out, &err)
	}
}

func TestServeLogsSettingsAndWarnings(t *testing.T) {
	t.Parallel()
	p := newTrial(with(map[string]string{"ADMIN_TOKEN": "short", "PORT": "4321"}))
	if code := p.run(t.Context(), []string{"serve"}); code != exitOK || !p.served {
		t.Fatalf("exit code %d, served %v: %s", code, p.served, &p.err)
	}
	for _, want := range []string{`"ADDR":":4321"`, `"ADMIN_TOKEN":"set"`, "ADMIN_TOKEN is shorter than 16"} {
		if !strings.Contains(p.err.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &p.err)
		}
	}
}

func TestStopOn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	signals, exited := make(chan os.Signal), make(chan int)
	go stopOn(signals, cancel, func(code int) { exited <- code })

	signals <- syscall.SIGTERM
	<-ctx.Done()
	if cause := context.Cause(ctx); !strings.Contains(cause.Error(), "terminated") {
		t.Errorf("cause %q does not name the signal", cause)
	}
	select {
	case code := <-exited:
		t.Fatalf("exited with %d at the first signal", code)
	default:
	}
	signals <- os.Interrupt
	if code := <-exited; code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
}

func TestHelpTellsEverySetting(t *testing.T) {
	t.Parallel()
	p := newTrial(nil)
	p.run(t.Context(), []string{"serve", "--help"})
	text := strings.Join(strings.Fields(p.out.String()), " ")
	for _, f := range serveFlags(t) {
		v := settingOf(f)
		if v == nil || f.Hidden {
			continue
		}
		if !strings.HasSuffix(f.Help, ".") {
			t.Errorf("the help of %s is not a sentence: %q", f.Name, f.Help)
		}
		for _, want := range []string{"--" + f.Name + "=", settingName(f.Name), "default " + f.Default} {
			if want != "default " && !strings.Contains(text, want) {
				t.Errorf("the help lacks %q", want)
			}
		}
	}
}
