package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/store"
)

// healthy is a doctor that finds nothing to complain about.
func healthy(t *testing.T) *doctor {
	t.Helper()
	cfg, err := resolve(t, nil, withCRM(map[string]string{
		"ADDR": "127.0.0.1:0", "DATABASE_URL": "postgres://u:hunter2@h/db", "SPOOL_DIR": filepath.Join(t.TempDir(), "not", "yet"),
		"CXONE_DOMAIN": "api.cxone.com", "CXONE_CLIENT_ID": "id", "CXONE_CLIENT_SECRET": "0d4f5c6b7a8e9f10",
		"SERVER_URL": "https://bridge.example.com", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel.example.com:4318",
	}))
	if err != nil {
		t.Fatal(err)
	}
	return &doctor{
		cfg: cfg, now: func() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) },
		http:       &http.Client{Transport: answering(http.StatusOK)},
		openStore:  func(Config) (store.Store, error) { return &schemaStore{ready: true}, nil },
		checkCXone: func(context.Context, Config) error { return nil },
		checkCRM:   func(context.Context, Config) error { return nil },

		checkCollector: func(context.Context, Config) error { return nil },

		free: func(string) (uint64, error) { return 1 << 40, nil },
	}
}

// answering is a network where every server answers with the status.
type answering int

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.WriteHeader(int(a))
	return w.Result(), nil
}

func opens(st store.Store) func(Config) (store.Store, error) {
	return func(Config) (store.Store, error) { return st, nil }
}

// serverStore is a store that shows the settings of its server.
type serverStore struct {
	schemaStore
	settings map[string]string
	err      error
}

func (s *serverStore) ServerSettings(context.Context) (map[string]string, error) {
	return s.settings, s.err
}

// TestChecks spoils one thing at a time and looks at the check that has to find it.
func TestChecks(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("%w: connection refused", store.ErrUnavailable)
	server := func(name, value string) *serverStore {
		return &serverStore{schemaStore: schemaStore{ready: true}, settings: map[string]string{"server_version": "17.2", name: value}}
	}
	tests := []struct {
		check string
		name  string
		spoil func(d *doctor)
		grade grade
		want  string // in the text or in what to do
	}{
		{"settings", "right", func(*doctor) {}, gradeOK, "all valid; 12 set"},
		{"settings", "unwise", func(d *doctor) { d.cfg.Warnings = []string{"TLS_CERT_FILE is old"} }, gradeWarn, "TLS_CERT_FILE is old"},
		{"settings", "warnings that other checks repeat", func(d *doctor) {
			d.cfg.AdminToken, d.cfg.ServerURL = "changeme", ""
			d.cfg.Warnings = append(d.cfg.secretWarnings(), noServerURL)
		}, gradeOK, "all valid"},
		{"settings", "wrong", func(d *doctor) { d.settings = &SettingsError{[]Problem{{"PORT", "", "is odd", "mend it"}}} }, gradeFail, "PORT is odd: mend it"},

		{"secrets", "strong", func(*doctor) {}, gradeOK, "2 set"},
		{"secrets", "weak", func(d *doctor) { d.cfg.AdminToken = "changeme" }, gradeWarn, "ADMIN_TOKEN is shorter than 16"},
		{"secrets", "sample", func(d *doctor) { d.cfg.AdminToken = "changeme-changeme" }, gradeWarn, "ADMIN_TOKEN looks like a sample"},
		{"secrets", "sample of the CRM", func(d *doctor) { d.cfg.CRM.Token = "changeme" }, gradeWarn, "CRM_API_TOKEN looks like a sample"},
		{"secrets", "no token", func(d *doctor) { d.cfg.AdminToken = "" }, gradeFail, "openssl"},
		{"secrets", "no webhook secret", func(d *doctor) { d.cfg.WebhookSecrets = nil }, gradeFail, "openssl"},

		{"clock", "right", func(*doctor) {}, gradeOK, "2026-05-04T03:02:01Z"},
		{"clock", "not set", func(d *doctor) { d.now = func() time.Time { return time.Unix(0, 0) } }, gradeFail, "NTP"},

		{"listen address", "free", func(*doctor) {}, gradeOK, "is free"},
		{"listen address", "not ours", func(d *doctor) { d.cfg.Addr = "192.0.2.1:0" }, gradeFail, "address of this machine"},
		{"listen address", "unknown", func(d *doctor) { d.cfg.Addr = "" }, gradeSkip, "ADDR"},

		{"database", "up", func(*doctor) {}, gradeOK, "schema is up to date"},
		{"database", "unknown", func(d *doctor) { d.cfg.Database = Database{} }, gradeSkip, "DATABASE_URL"},
		{"database", "new SQLite", func(d *doctor) { d.cfg.Database = Database{SQLite: "/nonexistent/x.db"} }, gradeOK, "serve creates it"},
		{"database", "cannot be opened", func(d *doctor) {
			d.openStore = func(Config) (store.Store, error) { return nil, errors.New("bad magic") }
		}, gradeFail, "bad magic"},
		{"database", "SQLite cannot be opened", func(d *doctor) {
			d.cfg.Database = Database{SQLite: "."}
			d.openStore = func(Config) (store.Store, error) { return nil, errors.New("bad magic") }
		}, gradeFail, "this user may write"},
		{"database", "away", func(d *doctor) { d.openStore = opens(&schemaStore{pingErr: away}) }, gradeFail, "see that it runs"},
		{"database", "SQLite locked", func(d *doctor) {
			d.cfg.Database, d.openStore = Database{SQLite: "."}, opens(&schemaStore{pingErr: away})
		}, gradeFail, "no other program locks it"},
		{"database", "old schema", func(d *doctor) { d.openStore = opens(&schemaStore{}) }, gradeWarn, "cxbridge migrate"},
		{"database", "good server", func(d *doctor) { d.openStore = opens(server("fsync", "on")) }, gradeOK, "version 17.2"},
		{"database", "fsync off", func(d *doctor) { d.openStore = opens(server("fsync", "off")) }, gradeFail, "fsync is off"},
		{"database", "synchronous_commit off", func(d *doctor) { d.openStore = opens(server("synchronous_commit", "off")) }, gradeFail, "synchronous_commit is off"},
		{"database", "fsync off, old schema", func(d *doctor) {
			st := server("fsync", "off")
			st.ready = false
			d.openStore = opens(st)
		}, gradeFail, "cxbridge migrate` brings the schema up to date; serve does so at its start\nfsync is off"},
		{"database", "good server, old schema", func(d *doctor) {
			st := server("fsync", "on")
			st.ready = false
			d.openStore = opens(st)
		}, gradeWarn, "version 17.2"},
		{"database", "mute server", func(d *doctor) {
			d.openStore = opens(&serverStore{schemaStore: schemaStore{ready: true}, err: away})
		}, gradeWarn, "does not show its settings"},

		{"spool", "room", func(*doctor) {}, gradeOK, "1.0 TiB free"},
		{"spool", "no room", func(d *doctor) { d.free = func(string) (uint64, error) { return 1 << 20, nil } }, gradeWarn, "make room"},
		{"spool", "room not known", func(d *doctor) { d.free = func(string) (uint64, error) { return 0, errors.New("odd disk") } }, gradeWarn, "odd disk"},
		{"spool", "SQLite", func(d *doctor) { d.cfg.Database = Database{SQLite: "x.db"} }, gradeSkip, "not used with SQLite"},
		{"spool", "unknown limit", func(d *doctor) { d.cfg.SpoolMaxBytes = 0 }, gradeSkip, "SPOOL_MAX_BYTES"},
		{"spool", "unknown folder", func(d *doctor) { d.cfg.SpoolDir = "" }, gradeSkip, "SPOOL_DIR"},

		{"disk", "unknown folder", func(d *doctor) { d.cfg.SpoolDir = "" }, gradeSkip, "SPOOL_DIR"},
		{"disk", "unknown database", func(d *doctor) { d.cfg.Database = Database{} }, gradeSkip, "DATABASE_URL"},

		{"CXone", "grants", func(*doctor) {}, gradeOK, "grants a token"},
		{"CXone", "refuses", func(d *doctor) {
			d.checkCXone = func(context.Context, Config) error { return &cxone.Error{Op: "ask", Status: 401, Message: "401"} }
		}, gradeFail, "401\ncompare CXONE_DOMAIN, CXONE_CLIENT_ID"},
		{"CXone", "hangs", func(d *doctor) {
			d.checkCXone = func(context.Context, Config) error { return &cxone.Error{Op: "ask", Message: "no answer"} }
		}, gradeFail, "no answer\nsee that it can be reached"},
		{"CXone", "not set", func(d *doctor) { d.cfg.CXone = nil }, gradeSkip, "not called"},
		{"CXone", "settings wrong", func(d *doctor) { d.settings = &SettingsError{[]Problem{{}}} }, gradeSkip, "wrong"},

		{"CRM", "answers", func(*doctor) {}, gradeOK, "https://crm.example.com/api/v1 answers"},
		{"CRM", "refuses", func(d *doctor) {
			d.checkCRM = func(context.Context, Config) error { return &crm.Error{Status: 401, Message: "401"} }
		}, gradeFail, "401\ncompare CRM_API_URL"},
		{"CRM", "hangs", func(d *doctor) {
			d.checkCRM = func(context.Context, Config) error { return fmt.Errorf("get: %w", context.DeadlineExceeded) }
		}, gradeFail, "no answer in time\nsee that the CRM runs"},
		{"CRM", "not set", func(d *doctor) { d.cfg.CRM = nil }, gradeSkip, "threads are kept and wait"},
		{"CRM", "settings wrong", func(d *doctor) { d.settings = &SettingsError{[]Problem{{}}} }, gradeSkip, "wrong"},

		{"traces", "takes them", func(*doctor) {}, gradeOK, "http://otel.example.com:4318 takes them"},
		{"traces", "refuses", func(d *doctor) { d.checkCollector = func(context.Context, Config) error { return errors.New("404") } }, gradeFail, "set OTEL_EXPORTER_OTLP_ENDPOINT"},
		{"traces", "not set", func(d *doctor) { d.cfg.OTLPEndpoint = "" }, gradeSkip, "there are no traces"},
		{"traces", "settings wrong", func(d *doctor) {
			d.cfg.OTLPEndpoint, d.settings = "", &SettingsError{[]Problem{{}}}
		}, gradeSkip, "wrong"},

		{"server URL", "answers", func(*doctor) {}, gradeOK, "bridge.example.com answers"},
		{"server URL", "other service", func(d *doctor) { d.http.Transport = answering(http.StatusNotFound) }, gradeWarn, "404 Not Found"},
		{"server URL", "plain HTTP", func(d *doctor) { d.cfg.ServerURL = "http://bridge.example.com" }, gradeWarn, "use https"},
		{"server URL", "loopback", func(d *doctor) { d.cfg.ServerURL = "https://localhost:3000" }, gradeWarn, "cannot reach localhost"},
		{"server URL", "private", func(d *doctor) { d.cfg.ServerURL = "https://10.1.2.3" }, gradeWarn, "cannot reach 10.1.2.3"},
		{"server URL", "missing", func(d *doctor) { d.cfg.ServerURL = "" }, gradeWarn, "not subscribed"},
		{"server URL", "settings wrong", func(d *doctor) {
			d.cfg.ServerURL, d.settings = "", &SettingsError{[]Problem{{}}}
		}, gradeSkip, "wrong"},
		{"server URL", "not wanted", func(d *doctor) { d.cfg.ServerURL, d.cfg.CXone = "", nil }, gradeSkip, "not set"},
	}
	for _, tt := range tests {
		t.Run(tt.check+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			d := healthy(t)
			tt.spoil(d)
			f := find(t, d, tt.check)
			text := f.text + "\n" + strings.Join(f.advice, "\n")
			if f.grade != tt.grade || !strings.Contains(text, tt.want) {
				t.Errorf("got %s: %s\nwant %s: %q", f.grade, text, tt.grade, tt.want)
			}
			if (f.grade == gradeWarn || f.grade == gradeFail) && len(f.advice) == 0 {
				t.Error("nothing is said about what to do")
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("the password shows: %s", text)
			}
		})
	}
}

// find runs one check of the doctor.
func find(t *testing.T, d *doctor, name string) finding {
	t.Helper()
	for _, c := range d.checks() {
		if c.name == name {
			return c.run(t.Context())
		}
	}
	t.Fatalf("there is no check %q", name)
	return finding{}
}

// When the settings file cannot be read, nobody knows which settings apply, so the defaults are not checked.
func TestDoctorWithoutItsFile(t *testing.T) {
	t.Parallel()
	p := newTrial(map[string]string{"CONFIG": "/nonexistent/cxbridge.yaml"})
	p.openStore = func(Config) (store.Store, error) {
		t.Error("a database was opened")
		return nil, errors.New("none")
	}
	if code := p.run(t.Context(), []string{"doctor"}); code != exitFailure {
		t.Errorf("exit code %d", code)
	}
	text := strings.Join(strings.Fields(p.out.String()), " ")
	for _, want := range []string{"skip listen address", "skip disk", "skip database", "skip spool", "skip CXone", "skip CRM", "skip traces", "skip server URL"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, &p.out)
		}
	}
}

func TestCheckAddrInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := healthy(t)
	d.cfg.Addr = l.Addr().String()
	if f := find(t, d, "listen address"); f.grade != gradeWarn || !strings.Contains(f.text, "in use") {
		t.Errorf("got %+v", f)
	}
}

func TestCheckServerURLUnreachable(t *testing.T) {
	t.Parallel()
	d := healthy(t)
	d.http, d.cfg.ServerURL = &http.Client{}, nobodyListens
	if f := find(t, d, "server URL"); f.grade != gradeWarn || !strings.Contains(f.text, "refused") {
		t.Errorf("got %+v", f)
	}
}

// TestCheckDisk cannot know how fast the disk of the machine is, so it accepts a slow one as well.
func TestCheckDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		cfg  Config
		bad  bool
		want string
	}{
		"SQLite":              {cfg: Config{Database: Database{SQLite: filepath.Join(dir, "x.db")}}, want: dir + " can be written"},
		"SQLite, new folders": {cfg: Config{Database: Database{SQLite: filepath.Join(dir, "a", "b", "x.db")}}, want: dir + " can be written"},
		"spool":               {cfg: Config{Database: Database{Postgres: "postgres://h/db"}, SpoolDir: dir}, want: dir + " can be written"},
		"SQLite in a file":    {cfg: Config{Database: Database{SQLite: filepath.Join(file, "x.db")}}, bad: true, want: "cannot be used"},
		"spool in a file":     {cfg: Config{Database: Database{Postgres: "postgres://h/db"}, SpoolDir: file}, bad: true, want: "cannot be used"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := healthy(t)
			d.cfg = tt.cfg
			if f := find(t, d, "disk"); (f.grade == gradeFail) != tt.bad || !strings.Contains(f.text, tt.want) {
				t.Errorf("got %+v, want %q", f, tt.want)
			}
		})
	}
	t.Cleanup(func() {
		if left, _ := filepath.Glob(filepath.Join(dir, ".cxbridge-doctor-*")); left != nil {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestJudgeSync(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]grade{
		time.Microsecond: gradeWarn, time.Millisecond: gradeOK, slowSync: gradeOK, time.Second: gradeWarn,
	} {
		if f := judgeSync("dir", took); f.grade != want {
			t.Errorf("%v: got %s, want %s", took, f.grade, want)
		}
	}
}

func TestMeasureSyncFails(t *testing.T) {
	t.Parallel()
	if _, err := measureSync(t.Context(), filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error from a folder that does not exist")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measureSync(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestExistingDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, below := range []string{"", "a", filepath.Join("a", "b")} {
		if got, err := existingDir(filepath.Join(dir, below)); err != nil || got != dir {
			t.Errorf("%q: got %q, %v", below, got, err)
		}
	}
}

func TestFreeSpace(t *testing.T) {
	t.Parallel()
	if _, err := freeSpace(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error from a folder that does not exist")
	}
	if n, err := freeSpace(t.TempDir()); err != nil || n == 0 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestExamine(t *testing.T) {
	t.Parallel()
	is := func(f finding) func(context.Context) finding { return func(context.Context) finding { return f } }
	good := check{"one", is(fine("good"))}
	odd := check{"two", is(finding{gradeWarn, "odd", []string{"mend it", "or not"}})}
	bad := check{"three", is(finding{gradeFail, "bad", []string{"replace it"}})}
	none := check{"four", is(skipped("not\n\tthere"))}

	var out bytes.Buffer
	if err := examine(t.Context(), []check{good, odd, none}, &out); err != nil {
		t.Errorf("a warning fails: %v", err)
	}
	want := "ok    one             good\n" +
		"warn  two             odd\n" +
		"                      - mend it\n" +
		"                      - or not\n" +
		"skip  four            not there\n" +
		"\n1 ok, 1 to look at, 0 failed, 1 skipped\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	if err := examine(t.Context(), []check{good, bad}, &out); !errors.Is(err, errUnhealthy) {
		t.Errorf("a failure passes: %v", err)
	}
}

// A check that ends with its context still says what it found.
func TestCheckThatRunsOutOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := check{"slow", func(ctx context.Context) finding {
			<-ctx.Done()
			time.Sleep(time.Millisecond) // in the bubble, where it takes no time
			return finding{gradeFail, "the database is away", []string{"see that it runs"}}
		}}
		if f := c.within(t.Context(), checkTimeout); f.text != "the database is away" {
			t.Errorf("got %+v", f)
		}
	})
}

func TestCheckThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		c := check{"stuck", func(context.Context) finding { <-release; return finding{} }}
		start := time.Now()
		if f := c.within(t.Context(), checkTimeout); f.grade != gradeFail || !strings.Contains(f.text, "no answer") {
			t.Errorf("got %+v", f)
		}
		if waited := time.Since(start); waited != checkTimeout+checkGrace {
			t.Errorf("waited %v, want %v", waited, checkTimeout+checkGrace)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if f := c.within(ctx, checkTimeout); f.grade != gradeFail || f.text != "interrupted" {
			t.Errorf("got %+v", f)
		}
	})
}
