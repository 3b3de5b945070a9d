package e2e_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// simulator returns the settings and the arguments of a `cxbridge simulate` that posts to a process.
func simulator(p *process, args ...string) (settings, []string) {
	return settings{"WEBHOOK_SECRET": webhookSecret, "ADMIN_TOKEN": adminToken}, append([]string{"simulate", p.address}, args...)
}

// All that is simulated arrives, as messages, threads and dead letters, and goes on to the CRM.
func TestSimulate(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		_, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM))
		env, args := simulator(p, "--duration", "2s", "--rate", "150", "--seed", "21")
		code, stdout, stderr := finish(t, env, args...)
		found := regexp.MustCompile(`verified  all [0-9]+ messages, all [0-9]+ threads, all [0-9]+ dead letters: 0 wrong\n`).MatchString(stdout)
		if code != 0 || stderr != "" || !found {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		p.awaitSynced(t)
		wantAuditVerified(t, s.settings)
	})
}

// A scenario file is played, for a cxbridge that takes UUIDs alone. Secrets come from files.
func TestSimulateScenario(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"secret": webhookSecret + "\n", "token": viewerToken + "\n",
		"short.yaml": `
title: Short
threads: 12
phases:
  - {name: talk, duration: 500ms, rate: {from: 20, to: 200}}
  - pause: 100ms
  - {name: tidy up, kind: threads, duration: 500ms, rate: 150, stories: {conversation: 2, merge: 3, split: 3, storm: 2}}
  - {name: a bad carrier, kind: sms, duration: 500ms, rate: 150, regions: [DE], carriers: {BADNET: {failures: 1.0, slow: 1, slow_delay: 6m}}}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := onSQLite(t)
	p := serve(t, s.settings.with(settings{"THREAD_ID_FORMAT": "uuid"}))
	env := settings{"WEBHOOK_SECRET_FILE": filepath.Join(folder, "secret"), "VIEWER_TOKEN_FILE": filepath.Join(folder, "token")}
	code, stdout, stderr := finish(t, env, "simulate", p.address, "--scenario", filepath.Join(folder, "short.yaml"), "--thread-ids", "uuid")
	if code != 0 || !strings.Contains(stdout, ": Short, with --seed ") || !strings.Contains(stdout, ": 0 wrong\n") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	bad, slow := 0, 0
	s.query(t, `SELECT count(*), coalesce(sum(unixepoch(status_at) - unixepoch(submitted_at) > 300), 0)
		FROM sms_messages WHERE carrier_code = 'BADNET' AND region = 'DE' AND status IN ('FAILED', 'REJECTED', 'EXPIRED')`,
		func(rows *sql.Rows) error { return rows.Scan(&bad, &slow) })
	if bad < 10 || slow != bad {
		t.Errorf("%d messages of the bad carrier have failed, %d of them late", bad, slow)
	}
}

// A simulation ends with its summary when it is asked to stop.
func TestSimulateStops(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	p := serve(t, s.settings)
	env, args := simulator(p, "--duration", "1h")
	run := launch(t, env, args...)
	eventually(t, "messages come", func() bool { return len(s.messages(t)) > 0 })
	run.signal(t, syscall.SIGINT)
	run.await(t)
	if code := run.code(); code != 1 || !strings.Contains(run.log.String(), "interrupt") {
		t.Errorf("exit code %d: %s", code, &run.log)
	}
	if out := run.stdout.String(); !strings.Contains(out, "answered  ") || !strings.Contains(out, "verified  nothing: the simulation was stopped\n") {
		t.Errorf("printed\n%s", out)
	}
}
