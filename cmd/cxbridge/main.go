// Command cxbridge takes the webhooks of NICE CXone and never loses one.
//
// Its files:
//
//	main.go       the command line and the exit codes; help.go what the help says besides the settings
//	settings*.go  the settings as texts: the table of them, their sources, what is wrong with them
//	config*.go    the settings as what they mean, checked
//	serve.go      the command serve; service*.go what it runs, tls.go its certificate, health.go its state
//	wire.go       which store, which CRM and which client of CXone a configuration asks for
//	log.go        the log
//	progress.go   progress bars and spinners
//	migrate.go, version.go, audit.go, backup.go, erase.go, healthcheck.go, reconcile.go, replay.go
//	              the commands of these names
//	api_*.go      how reconcile, replay and simulate call a running service: where it is, how long they wait
//	doctor*.go    the command doctor, its checks grouped by what they look at
//	demo*.go      the command demo: its parts, its course, its summary
//	simulate*.go  the command simulate: its settings, the posting, the verification, the summary
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	// The time zones of carriers are known even where the system has no table of them.
	_ "time/tzdata"

	"github.com/alecthomas/kong"

	"github.com/cxbridge/cxbridge/internal/store"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go stopOn(signals, cancel, os.Exit)
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// The exit codes, as the help lists them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// stopOn asks the program to stop at the first signal, and ends it at once at the second.
func stopOn(signals <-chan os.Signal, cancel context.CancelCauseFunc, exit func(code int)) {
	cancel(fmt.Errorf("received the signal %q", <-signals))
	<-signals
	exit(exitInterrupted)
}

// run runs the binary in this process and returns its exit code.
func run(ctx context.Context, args []string, env environment, stdout, stderr io.Writer) int {
	p := &program{
		env: env, stdin: os.Stdin, stdout: stdout, stderr: stderr,
		serve: serve, demo: demo, openStore: openStore, checkCXone: checkCXone, checkCRM: checkCRM, checkCollector: checkCollector,
	}
	return p.run(ctx, args)
}

// program is the binary with everything it gets from outside.
type program struct {
	env            environment
	stdin          io.Reader
	stdout, stderr io.Writer

	serve      func(ctx context.Context, cfg Config, log *slog.Logger) error
	demo       func(ctx context.Context, c demoCommand, out io.Writer) error
	openStore  func(cfg Config) (store.Store, error)
	checkCXone func(ctx context.Context, cfg Config) error
	checkCRM   func(ctx context.Context, cfg Config) error

	checkCollector func(ctx context.Context, cfg Config) error
}

// commands is the command line.
type commands struct {
	Help helpFlag `short:"h" help:"Show help; after a command, the help of that command."`

	Serve       serveCommand       `cmd:"" help:"Take webhooks until told to stop."`
	Demo        demoCommand        `cmd:"" help:"Show everything in one process, with simulated traffic. Needs no settings."`
	Simulate    simulateCommand    `cmd:"" help:"Post made-up receipts and threads to a running cxbridge, and verify what arrived."`
	Replay      replayCommand      `cmd:"" help:"Replay dead letters, through a running cxbridge."`
	Reconcile   reconcileCommand   `cmd:"" help:"Fetch threads from CXone and bring them to the CRM, through a running cxbridge."`
	Audit       auditCommand       `cmd:"" help:"Look after the audit log."`
	Erase       eraseCommand       `cmd:"" help:"Take a person out of the database, and prove it."`
	Backup      backupCommand      `cmd:"" help:"Copy the SQLite database while it is in use."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the schema of the database up to date."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask the cxbridge on this machine whether it is alive."`
	Doctor      doctorCommand      `cmd:"" help:"Check every setting and every remote system, and say what to do."`
	Version     versionCommand     `cmd:"" help:"Print the version of this binary."`
}

// run parses the command line, runs the command, reports what went wrong and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(args[1:len(args):len(args)], "--help")
	}
	parser, err := p.parser(&commands{})
	if err != nil {
		fmt.Fprintf(p.stderr, "cxbridge: %v\n", err)
		return exitFailure
	}
	command, err := parser.Parse(args)
	if err == nil {
		command.BindTo(ctx, (*context.Context)(nil))
		err = command.Run(p)
	}
	return p.report(err)
}

func (p *program) parser(c *commands) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("cxbridge"),
		kong.Description(description),
		kong.Writers(p.stdout, p.stderr),
		kong.NoDefaultHelp(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoAppDescFormat: true, WrapUpperBound: 100}),
		kong.ValueFormatter(describeFlag),
		kong.PostBuild(addFileFlags),
	)
}

// explained are the errors of commands whose output already says what is wrong.
var explained = []error{errUnhealthy, errNotReconciled, errNotReplayed, errAuditBroken, errSimulationWrong, errTraces}

// report prints an error, unless the output has explained it, and returns the exit code for it.
func (p *program) report(err error) int {
	var usage *kong.ParseError
	var settings *SettingsError
	switch {
	case err == nil, errors.Is(err, errHelpShown):
		return exitOK
	case slices.ContainsFunc(explained, func(e error) bool { return errors.Is(err, e) }):
		return exitFailure
	case errors.As(err, &settings):
		fmt.Fprintf(p.stderr, "cxbridge: %v\n", err)
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "cxbridge: %v\nRun `cxbridge --help` to see what there is.\n", err)
		return exitUsage
	}
	fmt.Fprintf(p.stderr, "cxbridge: %v\n", err)
	return exitFailure
}
