package main

import (
	"errors"
	"strings"

	"github.com/alecthomas/kong"
)

const description = `Takes the webhooks of NICE CXone and never loses one: a 2xx from cxbridge is never taken back.

Examples:
  cxbridge demo
      Try it: no setting, no other service.

  export WEBHOOK_SECRET=$(openssl rand -hex 32) ADMIN_TOKEN=$(openssl rand -hex 32)
  cxbridge serve
      Run it with the embedded database, in the working directory, on port 3000. $ADMIN_TOKEN signs
      in at the console.

  DATABASE_URL=postgres://cxbridge@db/cxbridge cxbridge migrate
      Bring the schema of a PostgreSQL up to date before a rollout. serve does it, too.

  cxbridge doctor --config cxbridge.yaml
      Check the settings in a file and everything they name.

  cxbridge reconcile --since 24h
      Fetch every thread that changed here in the last 24 hours from CXone, and bring it to the CRM.

  cxbridge replay --all --kind sms
      Replay every SMS receipt that was refused, once the cause is mended.

  cxbridge audit verify
      Find out whether anybody has changed the audit log.

Settings are flags, environment variables or lines of a YAML file (--config), under the same name:
--database-url, DATABASE_URL and database_url are one. A flag wins over a variable, a variable over
the file. Every secret may also be in a file of its own: WEBHOOK_SECRET_FILE names it, and so do
--webhook-secret-file and webhook_secret_file. Flags show in the list of processes, so do not put
a secret in one. "cxbridge serve --help" lists all settings.

Exit codes: 0 all is well; 1 it failed; 2 the command line or a setting is wrong; 130 stopped at
once by a second signal.`

const serveDetail = `With PostgreSQL it starts even while the database is away: events wait in the spool until it is back.
It brings the schema up to date. Social threads are kept, and wait, until CRM_API_URL and CRM_API_TOKEN
are set; then they are pushed to the CRM in the background. At SIGTERM or SIGINT it stops accepting,
finishes what is in flight and exits 0; a second signal ends it at once. All mistakes in the settings
are listed together at start.`

const migrateDetail = `Replicas may run it at the same time: they take turns. Running it twice does no harm. While others use
a table that has to change, it says so and tries again every few seconds.`

const doctorDetail = `Prints one line for each check: ok, warn, fail, or skip where there is nothing to check. Below each
line it says what to do. It changes nothing: the file it tests the disk with is removed. Exits 1 if
any check fails. It takes every setting of serve; see "cxbridge serve --help".`

const replayDetail = `Asks a running cxbridge, with the operator's token, to read dead letters again. One that is applied is
gone; one that is refused again stays, with its reason. What the CRM had refused is pushed to it again,
and counts as replayed: if it is refused once more, its dead letter comes back under the same id. While
the service asks to wait, it waits. Exits 1 if any is refused again or fails.

Examples:
  cxbridge replay 17 18
  cxbridge replay --all
  cxbridge replay --all --kind thread-push --text 403`

const reconcileDetail = `Asks a running cxbridge, with the operator's token, to fetch threads from CXone, apply them as
events, and wait until the CRM has them. Prints what differed and what failed. While CXone asks for a
pause, it waits, and then tries the thread again, up to five times in all. Exits 1 if any thread failed.
Ids, --from and --since can be combined; each thread is reconciled once.

Examples:
  cxbridge reconcile T1 T2
  cxbridge reconcile --since 2026-03-01T10:00:00Z --parallel 16
  psql -At -c "SELECT thread_id FROM threads WHERE parked" | cxbridge reconcile --from -

A thread that is unknown here is fetched from CXone as well, if you name it: --since knows only
threads that changed here. What CXone no longer lists is not removed; see docs/threads.md.`

const auditVerifyDetail = `Reads the whole log, even while the service runs, and prints each place where a chain is not as it
was written: an entry that was changed, taken out, put in, or cut off the end. Exits 1 if there is
any. It changes nothing and needs only the settings of the database.

Example:
  DATABASE_URL=postgres://cxbridge@db/cxbridge cxbridge audit verify`

const healthcheckDetail = `Asks /healthz at the address that PORT or ADDR names, for at most two seconds; with TLS_CERT_FILE, by
TLS. It needs no other setting. Exits 1 unless the answer is 200. It is the HEALTHCHECK of the container
image, which holds no other program.`

const demoDetail = `Needs no other service, and reads none of the settings. The data goes into a temporary folder, which
is removed when the demo ends.`

// Help returns what the help of the command says besides its settings.
func (serveCommand) Help() string { return serveDetail }

// Help returns what the help of the command says besides its settings.
func (migrateCommand) Help() string { return migrateDetail }

// Help returns what the help of the command says besides its settings.
func (doctorCommand) Help() string { return doctorDetail }

// Help returns what the help of the command says besides its settings.
func (replayCommand) Help() string { return replayDetail }

// Help returns what the help of the command says besides its settings.
func (reconcileCommand) Help() string { return reconcileDetail }

// Help returns what the help of the command says besides its settings.
func (auditVerifyCommand) Help() string { return auditVerifyDetail }

// Help returns what the help of the command says besides its settings.
func (healthcheckCommand) Help() string { return healthcheckDetail }

// Help returns what the help of the command says besides its flags.
func (demoCommand) Help() string { return demoDetail }

// errHelpShown ends the parsing of a command line that asks for help.
var errHelpShown = errors.New("help was shown")

// helpFlag shows help instead of running the command.
type helpFlag bool

// BeforeReset shows the help of the command that was named before the flag.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errHelpShown
}

// describeFlag returns the help of a flag. For a setting it adds the name of its variable and its default.
func describeFlag(v *kong.Value) string {
	if v.Flag == nil || settingOf(v.Flag) == nil {
		if v.Default != "" {
			return v.Help + " [default " + v.Default + "]"
		}
		return v.Help
	}
	name := settingName(v.Name)
	facts := []string{name}
	if v.Tag.Has("secret") {
		facts[0] += " or " + name + fileSuffix
	}
	switch {
	case v.Tag.Has("needed"):
		facts = append(facts, "required")
	case v.HasDefault:
		facts = append(facts, "default "+v.Default)
	}
	return v.Help + " [" + strings.Join(facts, "; ") + "]"
}
