package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/ingest"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := resolve(t, nil, needed)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		cfg.Addr, cfg.ShutdownTimeout, cfg.MaxInFlightBytes, cfg.Database, cfg.SpoolDir, cfg.SpoolMaxBytes,
		cfg.SenderIDPolicy, cfg.SenderIDRules != nil, cfg.DefaultRegion, cfg.ReceiptTimeZones.For("ANY").String(),
		cfg.CXone == nil, cfg.ServerURL, cfg.Simulator, cfg.LogLevel, cfg.LogFormat, cfg.ViewerToken.Reveal(), len(cfg.Warnings),
	}
	want := []any{
		":3000", 15 * time.Second, int64(64 << 20), Database{SQLite: "cxbridge.db"}, "cxbridge-spool", int64(1 << 30),
		ingest.Flag, true, "US", "UTC",
		true, "", false, slog.LevelInfo, "json", "", 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestValues gives one good setting at a time.
func TestValues(t *testing.T) {
	t.Parallel()
	addr := func(c Config) any { return c.Addr }
	spool := func(c Config) any { return c.SpoolMaxBytes }
	sqlite := func(c Config) any { return c.Database.SQLite }
	postgres := func(c Config) any { return c.Database.Postgres.Reveal() }
	region := func(c Config) any { return c.DefaultRegion }
	server := func(c Config) any { return c.ServerURL }
	secrets := func(c Config) any {
		var texts []string
		for _, s := range c.WebhookSecrets {
			texts = append(texts, s.Reveal())
		}
		return strings.Join(texts, "|")
	}
	zones := func(c Config) any {
		return c.ReceiptTimeZones.For("VODAFONE").String() + " " + c.ReceiptTimeZones.For("OTHER").String()
	}
	simulator := func(c Config) any { return c.Simulator }
	tests := []struct {
		setting, text string
		field         func(Config) any
		want          any
	}{
		{"PORT", "0", addr, ":0"},
		{"PORT", " 8080 ", addr, ":8080"},
		{"ADDR", ":0", addr, ":0"},
		{"ADDR", "127.0.0.1:80", addr, "127.0.0.1:80"},
		{"ADDR", "[::1]:80", addr, "[::1]:80"},
		{"SHUTDOWN_TIMEOUT", "1m30s", func(c Config) any { return c.ShutdownTimeout }, 90 * time.Second},
		{"MAX_IN_FLIGHT_BYTES", "37MiB", func(c Config) any { return c.MaxInFlightBytes }, int64(37 << 20)},
		{"SPOOL_MAX_BYTES", "512MiB", spool, int64(512 << 20)},
		{"SPOOL_MAX_BYTES", "2 GB", spool, int64(2e9)},
		{"SPOOL_MAX_BYTES", "1048576", spool, int64(1 << 20)},
		{"WEBHOOK_SECRET", "one-1, two-2 ,,one-1", secrets, "one-1|two-2"},
		{"WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==", secrets, "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="},
		{"DATABASE_URL", "sqlite:a b.db", sqlite, "a b.db"},
		{"DATABASE_URL", "sqlite:/var/lib/x.db", sqlite, "/var/lib/x.db"},
		{"DATABASE_URL", "sqlite:///var/lib/x.db", sqlite, "/var/lib/x.db"},
		{"DATABASE_URL", "SQLite:x.db", sqlite, "x.db"},
		{"DATABASE_URL", "postgres://u:p@h/db?sslmode=verify-full", postgres, "postgres://u:p@h/db?sslmode=verify-full"},
		{"DATABASE_URL", "postgresql://h/db", postgres, "postgresql://h/db"},
		{"DATABASE_URL", "postgres:///db?host=/run/postgresql", postgres, "postgres:///db?host=/run/postgresql"},
		{"DATABASE_URL", "postgres://u@h1:5432,h2:5433/db", postgres, "postgres://u@h1:5432,h2:5433/db"},
		{"SENDER_ID_POLICY", "Quarantine", func(c Config) any { return c.SenderIDPolicy }, ingest.Quarantine},
		{"SENDER_ID_RULES", "seed", func(c Config) any { return c.SenderIDRules != nil }, true},
		{"DEFAULT_REGION", "de", region, "DE"},
		{"DEFAULT_REGION", "UK", region, "GB"},
		{"RECEIPT_TIME_ZONES", "Europe/Madrid", zones, "Europe/Madrid Europe/Madrid"},
		{"RECEIPT_TIME_ZONES", "vodafone=Europe/Madrid", zones, "Europe/Madrid UTC"},
		{"RECEIPT_TIME_ZONES", "VODAFONE = Europe/Madrid, * = Asia/Kolkata", zones, "Europe/Madrid Asia/Kolkata"},
		{"SERVER_URL", "https://bridge.example.com/cx/", server, "https://bridge.example.com/cx"},
		{"SIMULATOR", "True", simulator, true},
		{"SIMULATOR", "1", simulator, true},
		{"SIMULATOR", " Yes ", simulator, true},
		{"SIMULATOR", "ON", simulator, true},
		{"SIMULATOR", "false", simulator, false},
		{"SIMULATOR", "0", simulator, false},
		{"SIMULATOR", "no", simulator, false},
		{"SIMULATOR", "Off", simulator, false},
		{"LOG_LEVEL", "WARN", func(c Config) any { return c.LogLevel }, slog.LevelWarn},
		{"LOG_FORMAT", "text", func(c Config) any { return c.LogFormat }, "text"},
	}
	for _, tt := range tests {
		t.Run(tt.setting+"="+tt.text, func(t *testing.T) {
			t.Parallel()
			cfg, err := resolve(t, nil, with(map[string]string{tt.setting: tt.text}))
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.field(cfg); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A boolean setting may be a flag without a value, and any word for it in the settings file.
func TestBooleanSources(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		file string
		want bool
	}{
		{args: []string{"--simulator"}, want: true},
		{args: []string{"--simulator", "--port", "1"}, file: "simulator: no", want: true},
		{args: []string{"--simulator", "false"}, file: "simulator: yes"},
		{args: []string{"--simulator=off"}, file: "simulator: on"},
		{file: "simulator: yes", want: true},
		{file: "simulator: On", want: true},
		{file: "simulator: 1", want: true},
		{file: "simulator: TRUE", want: true},
		{file: "simulator: 0"},
		{file: "simulator: off"},
	} {
		cfg, err := resolve(t, append(tt.args, "--config", write(t, "settings.yaml", tt.file)), with(nil))
		if err != nil || cfg.Simulator != tt.want {
			t.Errorf("%v and %q: got %v, %v", tt.args, tt.file, cfg.Simulator, err)
		}
	}
}

func TestAddrWinsOverPort(t *testing.T) {
	t.Parallel()
	cfg, err := resolve(t, []string{"--port", "1"}, with(map[string]string{"ADDR": ":2"}))
	if err != nil || cfg.Addr != ":2" {
		t.Errorf("got %q, %v", cfg.Addr, err)
	}
	if _, err := resolve(t, nil, with(map[string]string{"ADDR": ":2", "PORT": "abc"})); err == nil {
		t.Error("a wrong PORT passes where ADDR is set")
	}
}

func TestCXoneSettings(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"CXONE_DOMAIN": "api.cxone.com", "CXONE_CLIENT_ID": "id", "CXONE_CLIENT_SECRET": "0d4f5c6b7a8e9f10"}
	cfg, err := resolve(t, nil, with(vars))
	if err != nil {
		t.Fatal(err)
	}
	want := &CXone{
		BaseURL: "https://api.cxone.com", ClientID: "id", ClientSecret: "0d4f5c6b7a8e9f10",
		AuthStyle: cxone.AuthBasic, Scopes: cxone.DefaultScopes,
	}
	if diff := cmp.Diff(want, cfg.CXone); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], "SERVER_URL") {
		t.Errorf("warnings %q", cfg.Warnings)
	}

	vars["CXONE_DOMAIN"], vars["CXONE_AUTH_STYLE"], vars["CXONE_SCOPES"] = "http://127.0.0.1:4000/", "body", " a  b "
	vars["SERVER_URL"] = "https://bridge.example.com"
	cfg, err = resolve(t, nil, with(vars))
	if err != nil {
		t.Fatal(err)
	}
	want.BaseURL, want.AuthStyle, want.Scopes = "http://127.0.0.1:4000", cxone.AuthBody, []string{"a", "b"}
	if diff := cmp.Diff(want, cfg.CXone); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(cfg.Warnings) != 0 {
		t.Errorf("warnings %q", cfg.Warnings)
	}
}

func TestWeakness(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"8c1b0f5e7a9d4e63b2f1":             "",
		"whsec_8c1b0f5e7a9d4e63b2f1":       "",
		"8c1b0f5e7a9d4e6":                  "shorter than 16",
		"whsec_8c1b0f5e7a":                 "shorter than 16",
		"please-changeme-now":              "sample value",
		"MySuperSecretSecretSecret":        "sample value",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "few different characters",
	}
	for secret, want := range tests {
		got := weakness(Secret(secret))
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q: got %q, want %q", secret, got, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	cfg, err := resolve(t, nil, map[string]string{"WEBHOOK_SECRET": "short,f04e9ab1c27d48835e6d", "ADMIN_TOKEN": "f04e9ab1c27d48835e6d"})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(cfg.Warnings, "\n")
	for _, want := range []string{"WEBHOOK_SECRET 1 of 2 is shorter", "WEBHOOK_SECRET holds a token of the API"} {
		if !strings.Contains(text, want) {
			t.Errorf("no warning %q in\n%s", want, text)
		}
	}
	if len(cfg.Warnings) != 2 {
		t.Errorf("warnings:\n%s", text)
	}
}

func TestDatabaseWithoutPassword(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"postgres://u:hunter2@h:5432/db?sslmode=require": "postgres://u:***@h:5432/db?sslmode=require",
		"postgres://u@h/db":                                  "postgres://u@h/db",
		"postgres://h/db?password=hunter2&user=u":            "postgres://h/db?password=***&user=u",
		"postgres://u:hunter2@h1:1,h2:2/db?sslpassword=abcd": "postgres://u:***@h1:1,h2:2/db?sslpassword=***",
	}
	for text, want := range tests {
		d := Database{Postgres: Secret(text)}
		if got := fmt.Sprintf("%v", d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := (Database{SQLite: "a.db"}).String(); got != "sqlite:a.db" {
		t.Errorf("got %s", got)
	}
}

// canaries are settings whose texts hold the word canary wherever nobody may see it.
var canaries = map[string]string{
	"WEBHOOK_SECRET":      "canary-webhook-one-1,canary-webhook-two-2",
	"ADMIN_TOKEN":         "canary-admin-0123456",
	"VIEWER_TOKEN":        "canary-viewer-012345",
	"DATABASE_URL":        "postgres://u:canary-db@h/db?sslpassword=canary",
	"CXONE_CLIENT_SECRET": "canary-client-012345",
	"CXONE_DOMAIN":        "api.cxone.com", "CXONE_CLIENT_ID": "id",
	"CRM_API_URL":   "https://crm.example.com",
	"CRM_API_TOKEN": "canary-crm-012345678",
}

func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	cfg, err := resolve(t, nil, canaries)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "settings", cfg, "cxone", *cfg.CXone, "crm", *cfg.CRM, "secrets", cfg.WebhookSecrets)
	asJSON, err := json.Marshal([]any{cfg.WebhookSecrets, cfg.CRM.Token})
	if err != nil {
		t.Fatal(err)
	}
	nowhere := httptest.NewServer(nil)
	nowhere.Close()
	shown := []string{
		fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg), fmt.Sprintf("%v %+v %#v", *cfg.CXone, *cfg.CXone, *cfg.CXone),
		fmt.Sprintf("%v %+v %#v", *cfg.CRM, *cfg.CRM, *cfg.CRM), log.String(), string(asJSON), fmt.Sprint(cfg.Summary(), cfg.Warnings),
	}
	for _, args := range [][]string{
		{"--help"}, {"serve", "--help"}, {"doctor", "--help"}, {"migrate", "--help"}, {"reconcile", "--help"}, {"audit", "verify", "--help"},
		{"serve"}, {"doctor"}, {"migrate"}, {"audit", "verify"}, {"reconcile", "T1", "--server", nowhere.URL}, {"reconcile", "--since", "1h", "--server", nowhere.URL},
	} {
		p := newTrial(canaries)
		p.run(t.Context(), args)
		shown = append(shown, p.out.String(), p.err.String())
	}
	for _, text := range shown {
		if strings.Contains(text, "canary") {
			t.Errorf("a secret is shown:\n%s", text)
		}
	}
	for _, want := range []string{`"WEBHOOK_SECRET":"set (2 values)"`, `"DATABASE_URL":"postgres://u:***@h/db?sslpassword=***"`, `"SERVER_URL":"unset"`, `"CRM_API_TOKEN":"set"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &log)
		}
	}
}

// TestNoSecretInProblems spoils one secret after another.
func TestNoSecretInProblems(t *testing.T) {
	t.Parallel()
	spoiled := map[string][]string{
		"WEBHOOK_SECRET":      {"whsec_canary!!", "canary\x01"},
		"ADMIN_TOKEN":         {"canary canary", "canary-viewer-012345"},
		"VIEWER_TOKEN":        {"canary ä"},
		"DATABASE_URL":        {"canary", "mysql://u:canary@h", "postgres://u:canary/x@h/db", "postgres://u:%zcanary@h/db", "postgres:///db?host=/run/pg&password=a&canary", "sqlite://canary", "postgres://u:canary@h/db?sslmode=canary"},
		"SERVER_URL":          {"https://u:canary@h", "https://u:canary", "https://h?canary"},
		"CXONE_DOMAIN":        {"https://u:canary@h", "u:canary@h", "https://u:canary"},
		"CXONE_CLIENT_SECRET": {""},
		"CRM_API_URL":         {"https://u:canary@h", "u:canary@h", "https://u:canary", "https://h?canary", "https://h#canary", "canary", ""},
		"CRM_API_TOKEN":       {"canary canary", "canary\x7f", ""},

		"OTEL_EXPORTER_OTLP_ENDPOINT": {"https://u:canary@h", "https://h?canary", "canary"},

		"CRM_API_TOKEN_FILE":  {"canary"},
		"WEBHOOK_SECRET_FILE": {"canary"},
		"ADMIN_TOKEN_FILE":    {"canary"},
	}
	for setting, texts := range spoiled {
		for _, text := range texts {
			vars := make(map[string]string)
			for name, good := range canaries {
				vars[name] = good
			}
			vars[setting] = text
			cfg, err := resolve(t, nil, vars)
			var wrong *SettingsError
			if !errors.As(err, &wrong) {
				t.Errorf("%s=%s passes: %v", setting, text, err)
				continue
			}
			if shown := fmt.Sprint(err, cfg.Summary(), cfg.Warnings); strings.Contains(shown, "canary") {
				t.Errorf("%s=%s: a secret is shown:\n%s", setting, text, shown)
			}
		}
	}
}

func FuzzDatabaseURL(f *testing.F) {
	f.Add("postgres://u:", "@h:5432/db?sslmode=require")
	f.Add("postgres://h/db?password=", "&user=u")
	f.Add("mysql://", "")
	f.Add("postgres://u:%", "@h/db")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const password = "c4n4ry"
		p := &resolver{problems: &problems{}}
		d := p.database(Value{name: "DATABASE_URL", text: before + password + after, secret: true})
		if err := p.err(); err != nil && strings.Contains(err.Error(), password) && !strings.Contains(rightDatabase+rightPostgres, password) {
			t.Errorf("the error shows the text: %v", err)
		}
		if (p.err() == nil) == (d == Database{}) {
			t.Errorf("got %v and %v", d, p.err())
		}
		if strings.HasSuffix(before, "password=") && d.Postgres != "" && strings.Contains(d.String(), "password="+password) {
			t.Errorf("the password shows: %v", d)
		}
	})
}
