package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// serveFlags returns the flags of serve.
func serveFlags(t testing.TB) []*kong.Flag {
	t.Helper()
	parser, err := newTrial(nil).parser(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Children[0].Flags
}

// resolve returns what serve makes of the settings.
func resolve(t testing.TB, args []string, vars map[string]string) (Config, error) {
	t.Helper()
	cfg, err := serveConfig(args, environmentOf(vars))
	var settings *SettingsError
	if err != nil && !errors.As(err, &settings) {
		t.Fatal(err)
	}
	return cfg, err
}

// problemsOf returns the problems in an error of the settings, by setting.
func problemsOf(t testing.TB, err error) map[string]Problem {
	t.Helper()
	found := make(map[string]Problem)
	var settings *SettingsError
	if errors.As(err, &settings) {
		for _, p := range settings.Problems {
			found[p.Setting] = p
		}
		if len(found) != len(settings.Problems) {
			t.Errorf("a setting has two problems:\n%v", err)
		}
	} else if err != nil {
		t.Fatalf("not a SettingsError: %v", err)
	}
	return found
}

func write(t testing.TB, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	const flag, env, file, yaml = "flag-flag-flag-1234", "env-env-env-env-1234", "file-file-file-1234", "yaml-yaml-yaml-1234"
	secret := write(t, "secret", file+"\n")
	config := write(t, "c.yaml", "viewer_token: "+yaml+"\nlog_level: warn\n")
	configWithFile := write(t, "f.yaml", "viewer_token_file: "+secret+"\n")
	tests := map[string]struct {
		args   []string
		vars   map[string]string
		want   string
		source string
	}{
		"nothing":                    {want: "", source: "default"},
		"settings file":              {args: []string{"--config", config}, want: yaml, source: "c.yaml line 1"},
		"settings file, by variable": {vars: map[string]string{"CONFIG": config}, want: yaml, source: "c.yaml line 1"},
		"file named in it":           {args: []string{"--config", configWithFile}, want: file, source: "VIEWER_TOKEN_FILE, f.yaml line 1"},
		"file over settings file": {
			args: []string{"--config", config}, vars: map[string]string{"VIEWER_TOKEN_FILE": secret},
			want: file, source: "VIEWER_TOKEN_FILE, environment",
		},
		"variable over settings file": {
			args: []string{"--config", config}, vars: map[string]string{"VIEWER_TOKEN": env}, want: env, source: "environment",
		},
		"variable over file in settings file": {
			args: []string{"--config", configWithFile}, vars: map[string]string{"VIEWER_TOKEN": env}, want: env, source: "environment",
		},
		"empty variable is none": {
			args: []string{"--config", config}, vars: map[string]string{"VIEWER_TOKEN": ""}, want: yaml, source: "c.yaml line 1",
		},
		"flag over all": {
			args: []string{"--config", config, "--viewer-token", flag}, vars: map[string]string{"VIEWER_TOKEN": env},
			want: flag, source: "flag --viewer-token",
		},
		"flag over file": {
			args: []string{"--viewer-token", flag}, vars: map[string]string{"VIEWER_TOKEN_FILE": secret},
			want: flag, source: "flag --viewer-token",
		},
		"flag of a file over variable": {
			args: []string{"--viewer-token-file", secret}, vars: map[string]string{"VIEWER_TOKEN": env},
			want: file, source: "VIEWER_TOKEN_FILE, flag --viewer-token-file",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := resolve(t, tt.args, with(tt.vars))
			if err != nil {
				t.Fatal(err)
			}
			if got := cfg.ViewerToken.Reveal(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, s := range cfg.Summary() {
				if s.Name == "VIEWER_TOKEN" && s.Source != tt.source {
					t.Errorf("source %q, want %q", s.Source, tt.source)
				}
			}
		})
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	const secret = "3c9d2e7f61a8405b9d12"
	tests := map[string]struct {
		text string
		vars map[string]string // set as well
		want string            // what is wrong; "" for nothing
	}{
		"as it is":         {text: secret},
		"newline":          {text: secret + "\n"},
		"DOS newline":      {text: secret + "\r\n"},
		"empty":            {text: "", want: "empty"},
		"nothing but line": {text: "\n", want: "empty"},
		"both":             {text: secret, vars: map[string]string{"ADMIN_TOKEN": secret}, want: "so is ADMIN_TOKEN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := map[string]string{"WEBHOOK_SECRET": needed["WEBHOOK_SECRET"], "ADMIN_TOKEN_FILE": write(t, "token", tt.text)}
			maps.Copy(vars, tt.vars)
			cfg, err := resolve(t, nil, vars)
			found := problemsOf(t, err)
			if tt.want == "" && (err != nil || cfg.AdminToken.Reveal() != secret) {
				t.Errorf("got %q, %v", cfg.AdminToken.Reveal(), err)
			}
			if p := found["ADMIN_TOKEN_FILE"]; tt.want != "" && (!strings.Contains(p.Wrong, tt.want) || len(found) != 1) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestEverySecretHasAFile(t *testing.T) {
	t.Parallel()
	secrets := []string{"WEBHOOK_SECRET", "ADMIN_TOKEN", "VIEWER_TOKEN", "DATABASE_URL", "CXONE_CLIENT_SECRET", "CRM_API_TOKEN"}
	vars := make(map[string]string)
	for _, name := range secrets {
		vars[name+"_FILE"] = "/nonexistent/" + name
	}
	vars["CXONE_DOMAIN"], vars["CXONE_CLIENT_ID"], vars["CRM_API_URL"] = "api.cxone.com", "id", "https://crm.example.com"
	_, err := resolve(t, nil, vars)
	found := problemsOf(t, err)
	if len(found) != len(secrets) {
		t.Errorf("want one problem for each secret:\n%v", err)
	}
	for _, name := range secrets {
		if p := found[name+"_FILE"]; !strings.Contains(p.Wrong, "no such file") {
			t.Errorf("%s_FILE: got %+v", name, p)
		}
	}
}

// TestProblems gives one wrong setting at a time, and wants it named and nothing else.
func TestProblems(t *testing.T) {
	t.Parallel()
	broken := write(t, "rules.yaml", "regions: [")
	tests := []struct{ setting, text, wrong, right string }{
		{"PORT", "abc", `"abc", which is not a port`, "0 to 65535"},
		{"PORT", "65536", "not a port", "0 to 65535"},
		{"PORT", "-1", "not a port", "0 to 65535"},
		{"PORT", "http", "not a port", "0 to 65535"},
		{"ADDR", "localhost", "not an address", "127.0.0.1:3000"},
		{"ADDR", ":http", "not an address", "127.0.0.1:3000"},
		{"ADDR", "::1:3000", "not an address", "[::1]:3000"},
		{"SHUTDOWN_TIMEOUT", "15", "not a time", "15s"},
		{"SHUTDOWN_TIMEOUT", "0s", "not a time", "15s"},
		{"SHUTDOWN_TIMEOUT", "-5s", "not a time", "15s"},
		{"SHUTDOWN_TIMEOUT", "1h", "10m", "15s"},
		{"MAX_IN_FLIGHT_BYTES", "32MiB", "large enough", "37 MiB"},
		{"MAX_IN_FLIGHT_BYTES", "much", "not a size", "512MiB"},
		{"SPOOL_MAX_BYTES", "-1", "not a size", "512MiB"},
		{"SPOOL_MAX_BYTES", "99EiB", "not a size", "512MiB"},
		{"SPOOL_MAX_BYTES", "0", "large enough", "1.0 MiB"},
		{"WEBHOOK_SECRET", " , ,", "nothing but commas", "at least one"},
		{"WEBHOOK_SECRET", "0123456789abcdef,whsec_%%", "2 of 2", "commas"},
		{"ADMIN_TOKEN", "two words", "bearer token", "without spaces"},
		{"ADMIN_TOKEN", "schlüssel", "bearer token", "without spaces"},
		{"VIEWER_TOKEN", needed["ADMIN_TOKEN"], "same as ADMIN_TOKEN", "its own"},
		{"DATABASE_URL", "mysql://u:p@h/db", "no database that cxbridge knows", "sqlite:PATH"},
		{"DATABASE_URL", "cxbridge.db", "which kind", "sqlite:PATH"},
		{"DATABASE_URL", "sqlite:", "no file", "sqlite:PATH"},
		{"DATABASE_URL", "sqlite:data/", "no file", "sqlite:PATH"},
		{"DATABASE_URL", "sqlite::memory:", "in memory", "file"},
		{"DATABASE_URL", "sqlite://data/x.db", "two slashes", "sqlite:PATH"},
		{"DATABASE_URL", "postgres://u:pa/ss@h/db", "not a URL", "percent-encoded"},
		{"DATABASE_URL", "postgres://u:p@h/db?sslmode=verify-ca&sslrootcert=/nonexistent/ca.pem", "/nonexistent/ca.pem", "postgres://"},
		{"DATABASE_URL", "postgres://u:p@h/db?connect_timeout=soon", "soon", "postgres://"},
		{"DATABASE_URL", "postgres://u:p@h/db?synchronous_commit=off", "synchronous_commit=on", "postgres://"},
		{"DATABASE_URL", "postgres://u:pa#ss@h/db", "not a URL", "percent-encoded"},
		{"DATABASE_URL", "postgres:///db", "no host", "HOST"},
		{"DATABASE_URL", "postgres:db", "not a URL", "postgres://"},
		{"DATABASE_URL", "postgres://h/db?sslmode=on", "sslmode", "require"},
		{"SLA_MS", "-1", `"-1", which is not a whole number from 1 to 600000`, "such as 500"},
		{"REROUTE_MIN_SAMPLE", "0", "not a whole number", "such as 50"},
		{"SIMULATOR", "maybe", `"maybe", which is not known`, "use true or false"},
		{"SENDER_ID_POLICY", "drop", `"drop", which is not known`, "flag or quarantine"},
		{"SENDER_ID_RULES", "/nonexistent/rules.yaml", "no such file", "default, seed"},
		{"SENDER_ID_RULES", broken, "no rule file", "mend the file"},
		{"DEFAULT_REGION", "USA", "not a region", "ISO 3166-1"},
		{"DEFAULT_REGION", "ZZ", "not a region", "ISO 3166-1"},
		{"RECEIPT_TIME_ZONES", "Mars/Olympus", `"Mars/Olympus"`, "Europe/Madrid"},
		{"RECEIPT_TIME_ZONES", "Local", `"Local"`, "Europe/Madrid"},
		{"RECEIPT_TIME_ZONES", "VODAFONE=", `"VODAFONE="`, "Europe/Madrid"},
		{"RECEIPT_TIME_ZONES", "=UTC", "no carrier", "CARRIER=ZONE"},
		{"RECEIPT_TIME_ZONES", "A=UTC,a=UTC", "two time zones", "keep one"},
		{"RECEIPT_TIME_ZONES", "UTC,*=UTC", "two time zones", "keep one"},
		{"SERVER_URL", "cxbridge.example.com", "URL of a server", "https://"},
		{"SERVER_URL", "ftp://example.com", "URL of a server", "https://"},
		{"SERVER_URL", "https://u:p@example.com", "user name", "https://"},
		{"SERVER_URL", "https://example.com/?a=b", "more than", "https://"},
		{"CXONE_AUTH_STYLE", "digest", "not known", "basic or body"},
		{"LOG_LEVEL", "loud", "not known", "debug, info, warn or error"},
		{"LOG_FORMAT", "xml", "not known", "json or text"},
		{"CONFIG", "/nonexistent/c.yaml", "no such file", "YAML file"},
	}
	for _, tt := range tests {
		t.Run(tt.setting+"="+tt.text, func(t *testing.T) {
			t.Parallel()
			_, err := resolve(t, nil, with(map[string]string{tt.setting: tt.text}))
			found := problemsOf(t, err)
			p, ok := found[tt.setting]
			if !ok || len(found) != 1 {
				t.Fatalf("want one problem, with %s; got %v", tt.setting, err)
			}
			if !strings.Contains(p.Wrong, tt.wrong) || !strings.Contains(p.Right, tt.right) || p.Source != "environment" {
				t.Errorf("got %+v\nwant %q and %q", p, tt.wrong, tt.right)
			}
		})
	}
}

func TestMissingPartsOfCXone(t *testing.T) {
	t.Parallel()
	all := map[string]string{"CXONE_DOMAIN": "api.cxone.com", "CXONE_CLIENT_ID": "id", "CXONE_CLIENT_SECRET": "0d4f5c6b7a8e9f10"}
	for name, text := range all {
		_, err := resolve(t, nil, with(map[string]string{name: text}))
		found := problemsOf(t, err)
		if _, named := found[name]; named || len(found) != 2 {
			t.Errorf("with %s alone: got %v", name, err)
		}
		for other := range found {
			if _, ok := all[other]; !ok {
				t.Errorf("with %s alone, %s is called wrong", name, other)
			}
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	config := write(t, "c.yaml", "port: abc\nlog_level: loud\nnonsense: 1\nspool_dir: [a]\n")
	_, err := resolve(t, []string{"--config", config, "--default-region", "nowhere"}, map[string]string{"ADMIN_TOKEN_FILE": "/nonexistent"})
	got := slices.Sorted(maps.Keys(problemsOf(t, err)))
	want := []string{"ADMIN_TOKEN_FILE", "DEFAULT_REGION", "LOG_LEVEL", "PORT", "SPOOL_DIR", "WEBHOOK_SECRET", "nonsense"}
	if !slices.Equal(got, want) {
		t.Errorf("got problems with %v, want %v", got, want)
	}
	if !strings.HasPrefix(err.Error(), "7 errors in the settings:\n  ") {
		t.Errorf("unfit to be shown:\n%v", err)
	}
}
