package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

const unitFile = "../../deploy/systemd/cxbridge.service"

// unit holds the directives of a systemd unit, each with its values in their order.
type unit map[string][]string

func readUnit(t *testing.T) unit {
	t.Helper()
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	u := make(unit)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "[") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			t.Fatalf("no directive: %s", line)
		}
		u[name] = append(u[name], value)
	}
	return u
}

// one returns the value of a directive that occurs exactly once, with its specifiers resolved.
func (u unit) one(t *testing.T, name string) string {
	t.Helper()
	if len(u[name]) != 1 {
		t.Fatalf("%s=%q", name, u[name])
	}
	return specifiers.Replace(u[name][0])
}

// Where systemd puts credentials and state, as the unit names these places.
const (
	credentialsFolder = "/run/credentials/cxbridge.service"
	stateFolder       = "/var/lib"
)

var specifiers = strings.NewReplacer("%d", credentialsFolder, "%S", stateFolder, "%%", "%")

// TestUnitRuns runs the command line of the unit as systemd would: with its environment, with the
// credentials that it loads in files, as a user that may write to the state folder and nowhere else.
func TestUnitRuns(t *testing.T) {
	databases := map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "sqlite:cxbridge.db" },
		"postgres": func(t *testing.T) string { return pgtest.Database(t) },
	}
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, s := readUnit(t), newSandbox(t)
			command := strings.Fields(u.one(t, "ExecStart"))
			s.addProgram(t, command[0])
			for name, text := range map[string]string{
				"webhook_secret": webhookSecret, "admin_token": adminToken, "viewer_token": viewerToken, "database_url": database(t),
			} {
				s.add(t, filepath.Join("/etc/cxbridge", name), text+"\n")
			}
			u.loadCredentials(t, s)
			state := filepath.Join(stateFolder, u.one(t, "StateDirectory"))
			s.addFolder(t, state)
			if got := u.one(t, "WorkingDirectory"); got != state {
				t.Errorf("it works in %s, and its state is in %s", got, state)
			}
			env := u.environment(t).with(environmentFile(t)).with(settings{"ADDR": "127.0.0.1:0"})
			servesIn(t, s, s.command(t, state, env, command...))
		})
	}
}

// loadCredentials copies the files of LoadCredential to where the service reads them.
func (u unit) loadCredentials(t *testing.T, s *sandbox) {
	t.Helper()
	for _, credential := range u["LoadCredential"] {
		name, from, ok := strings.Cut(credential, ":")
		text, err := os.ReadFile(filepath.Join(s.root, from))
		if !ok || err != nil {
			t.Fatalf("LoadCredential=%s: %v", credential, err)
		}
		s.add(t, filepath.Join(credentialsFolder, name), string(text))
	}
}

// environment is what the unit sets itself.
func (u unit) environment(t *testing.T) settings {
	t.Helper()
	env := make(settings)
	for _, assignment := range u["Environment"] {
		name, value, ok := strings.Cut(specifiers.Replace(assignment), "=")
		if !ok {
			t.Fatalf("Environment=%s", assignment)
		}
		env[name] = value
	}
	return env
}

// environmentFile is what the example of /etc/cxbridge/cxbridge.env sets.
func environmentFile(t *testing.T) settings {
	t.Helper()
	text, err := os.ReadFile("../../deploy/systemd/cxbridge.env")
	if err != nil {
		t.Fatal(err)
	}
	env := make(settings)
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			env[name] = value
		}
	}
	if len(env) == 0 {
		t.Fatal("the example sets nothing")
	}
	return env
}

// Every line of the example that is a setting, commented out or not, names one that exists and has a value.
func TestExampleOfTheUnitsEnvironment(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/systemd/cxbridge.env")
	if err != nil {
		t.Fatal(err)
	}
	configuration, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "#"), "=")
		if !ok || strings.Contains(name, " ") {
			continue
		}
		if !strings.Contains(string(configuration), "\n| `"+name+"` |") || value == "" {
			t.Errorf("%s=%s is no setting", name, value)
		}
	}
}

// systemd kills the service only after the time that it may need to stop.
func TestUnitWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	u := readUnit(t)
	const shutdownTimeout, reserve = 15 * time.Second, 15 * time.Second // the default, and what comes after it
	patience, err := time.ParseDuration(u.one(t, "TimeoutStopSec") + "s")
	if err != nil || patience < shutdownTimeout+reserve {
		t.Errorf("it is killed after %v, %v", patience, err)
	}
}

// systemd starts the service again after a crash, but not after a wrong setting.
func TestUnitRestartsAfterACrash(t *testing.T) {
	t.Parallel()
	u := readUnit(t)
	const traceback = "GOTRACEBACK"
	p := serve(t, onSQLite(t).settings.with(settings{traceback: u.environment(t)[traceback]}))
	p.signal(t, syscall.SIGQUIT) // the Go runtime ends the program as it does after a panic
	p.await(t)
	if !strings.Contains(p.log.String(), "goroutine ") {
		t.Error("it did not crash")
	}
	if code := strconv.Itoa(p.code()); u.one(t, "Restart") != "always" || slices.Contains(strings.Fields(u.one(t, "RestartPreventExitStatus")), code) {
		t.Errorf("after a crash with the exit code %s it is not started again", code)
	}
	if code, _, _ := finish(t, settings{"ADDR": "nowhere"}, "serve"); strconv.Itoa(code) != u.one(t, "RestartPreventExitStatus") {
		t.Errorf("with wrong settings, after the exit code %d, it is started again and again", code)
	}
}

// TestUnitIsSound makes systemd itself read the unit, and rate how much of the machine it exposes, from 0
// (nothing) to 100.
func TestUnitIsSound(t *testing.T) {
	t.Parallel()
	const exposure = "15"
	s := newSandbox(t)
	s.addProgram(t, "/usr/local/bin/cxbridge")
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/etc/systemd/system/cxbridge.service"
	s.add(t, installed, string(text))
	for _, args := range [][]string{
		{"verify", "--man=no", "--recursive-errors=no", "--root=" + s.root, installed},
		{"security", "--no-pager", "--offline=true", "--threshold=" + exposure, unitFile},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		out, err := exec.CommandContext(ctx, "systemd-analyze", args...).CombinedOutput()
		cancel()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
		}
	}
}
