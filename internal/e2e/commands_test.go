package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// All mistakes in the settings are reported at once, and nothing is started.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	bad := settings{
		"ADDR": "nowhere", "DATABASE_URL": "mysql://root:llama-77fc@db/x", "SENDER_ID_POLICY": "ignore",
		"DEFAULT_REGION": "Europe", "RECEIPT_TIME_ZONES": "Mars/Olympus", "SPOOL_MAX_BYTES": "much", "LOG_LEVEL": "loud",
		"SHUTDOWN_TIMEOUT": "soon", "CXONE_DOMAIN": "api.example.com", "WEBHOOK_SECRET_FILE": filepath.Join(folder, "none"),
		"VIEWER_TOKEN": "two words",
	}
	code, stdout, stderr := finish(t, bad, "serve")
	if code != 2 || stdout != "" {
		t.Errorf("exit code %d, output %q", code, stdout)
	}
	for _, name := range []string{
		"ADDR", "DATABASE_URL", "SENDER_ID_POLICY", "DEFAULT_REGION", "RECEIPT_TIME_ZONES", "SPOOL_MAX_BYTES", "LOG_LEVEL",
		"SHUTDOWN_TIMEOUT", "CXONE_CLIENT_ID", "CXONE_CLIENT_SECRET", "WEBHOOK_SECRET", "VIEWER_TOKEN", "ADMIN_TOKEN",
	} {
		if !strings.Contains(stderr, "\n  "+name) {
			t.Errorf("%s is not told", name)
		}
	}
	if strings.Contains(stderr, "llama-77fc") || strings.Contains(stderr, "two words") {
		t.Error("a secret is told")
	}
	if t.Failed() {
		t.Log(stderr)
	}
}

// Settings come from flags, variables, files of secrets and a settings file alike.
func TestSettingsFromEverywhere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"secret": webhookSecret + "\n", "admin": adminToken + "\n",
		"cxbridge.yaml": "viewer_token: " + viewerToken + "\nsender_id_policy: quarantine\ndatabase_url: sqlite:" + filepath.Join(folder, "a.db") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := settings{"WEBHOOK_SECRET_FILE": filepath.Join(folder, "secret"), "ADMIN_TOKEN_FILE": filepath.Join(folder, "admin")}
	p := launch(t, s, "serve", "--config", filepath.Join(folder, "cxbridge.yaml"), "--addr", "127.0.0.1:0")
	p.awaitReady(t)
	if a := p.post(t, 200, `{"messageId":"everywhere","status":"SENT","from":"ACMEDEALS","to":"+12025550142"}`); !a.Quarantined {
		t.Errorf("answer %s", a.Text)
	}
	if n := len(p.deadLetters(t)); n != 1 {
		t.Errorf("%d dead letters", n)
	}
	if _, found := p.message(t, "everywhere"); found {
		t.Error("the message is stored")
	}
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestMigrate(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		only := settings{"DATABASE_URL": s.settings["DATABASE_URL"]} // it needs no other
		for i, want := range []string{"up to date now", "there was nothing to do"} {
			code, stdout, stderr := finish(t, only, "migrate")
			if code != 0 || !strings.Contains(stdout, want) {
				t.Errorf("run %d: exit code %d: %s%s", i+1, code, stdout, stderr)
			}
		}
		if n := len(s.messages(t)); n != 0 {
			t.Errorf("%d messages", n)
		}
		p := serve(t, s.settings)
		wantDirect(t, p, `{"messageId":"migrated","status":"SENT"}`)
	})
}

func TestMigrateWithoutDatabase(t *testing.T) {
	t.Parallel()
	code, _, stderr := finish(t, settings{"DATABASE_URL": "postgres://user:llama-77fd@127.0.0.1:1/none"}, "migrate")
	if code != 1 || !strings.Contains(stderr, "127.0.0.1") || strings.Contains(stderr, "llama-77fd") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	code, stdout, _ := finish(t, nil, "version")
	if code != 0 || !containsLine(stdout, "cxbridge") || !containsLine(stdout, "go") {
		t.Errorf("version: exit code %d: %s", code, stdout)
	}
	for _, args := range [][]string{{}, {"--help"}, {"help"}, {"serve", "--help"}} {
		if code, stdout, _ := finish(t, nil, args...); code != 0 || !strings.Contains(stdout, "cxbridge") {
			t.Errorf("%v: exit code %d: %s", args, code, stdout)
		}
	}
	if code, _, stderr := finish(t, nil, "sevre"); code != 2 || !strings.Contains(stderr, "sevre") {
		t.Errorf("unknown command: exit code %d: %s", code, stderr)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "demo", "--duration", "2s")
	p.awaitWithin(t, 3*patience) // it waits two minutes itself for what it checks
	code, stdout, stderr := p.code(), p.stdout.String(), p.log.String()
	if code != 0 || !strings.Contains(stdout, "Checked: all ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// A second process on a port that is taken says so and changes nothing.
func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	s := onPostgres(t, pgtest.Database(t))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := start(t, s.settings.with(settings{"ADDR": taken.Addr().String()}))
	p.await(t)
	if code := p.code(); code != 1 || !strings.Contains(p.log.String(), "address already in use") {
		t.Errorf("exit code %d", code)
	}
	if n := s.count(t, "SELECT count(*) FROM pg_tables WHERE tablename = 'sms_messages'"); n != 0 {
		t.Error("it has migrated the database")
	}
}
