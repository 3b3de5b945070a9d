package main

import (
	"strings"
	"testing"
)

func TestSettingsFile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		yaml    string
		setting string // looked at
		shown   string // what its text is
		source  string
		problem string // in CONFIG or the setting; "" is none
	}{
		"empty file":           {yaml: "", setting: "PORT", shown: "3000", source: "default"},
		"comment only":         {yaml: "# nothing\n", setting: "PORT", shown: "3000", source: "default"},
		"empty document":       {yaml: "---\n", setting: "PORT", shown: "3000", source: "default"},
		"number":               {yaml: "port: 4000", setting: "PORT", shown: "4000", source: "c.yaml line 1"},
		"second line":          {yaml: "# x\nport: 4000", setting: "PORT", shown: "4000", source: "c.yaml line 2"},
		"upper case":           {yaml: "PORT: 4000", setting: "PORT", shown: "4000", source: "c.yaml line 1"},
		"dashes":               {yaml: "Log-Format: text", setting: "LOG_FORMAT", shown: "text", source: "c.yaml line 1"},
		"quotes":               {yaml: `"log_format": "te\x78t"`, setting: "LOG_FORMAT", shown: "text", source: "c.yaml line 1"},
		"single quotes":        {yaml: `spool_dir: 'it''s'`, setting: "SPOOL_DIR", shown: "it's", source: "c.yaml line 1"},
		"digits stay as given": {yaml: "spool_dir: 0123", setting: "SPOOL_DIR", shown: "0123", source: "c.yaml line 1"},
		"exponent stays":       {yaml: "spool_dir: 1e5", setting: "SPOOL_DIR", shown: "1e5", source: "c.yaml line 1"},
		"word that is a bool":  {yaml: "spool_dir: true", setting: "SPOOL_DIR", shown: "true", source: "c.yaml line 1"},
		"block text":           {yaml: "spool_dir: |\n  a b\n", setting: "SPOOL_DIR", shown: "a b", source: "c.yaml line 1"},
		"null is not set":      {yaml: "port: null\nlog_level:\n", setting: "PORT", shown: "3000", source: "default"},
		"flow mapping":         {yaml: `{port: 4000, log_level: warn}`, setting: "PORT", shown: "4000", source: "c.yaml line 1"},
		"list":                 {yaml: "cxone_scopes:\n  - a\n  - b:c\n", setting: "CXONE_SCOPES", shown: "a b:c", source: "c.yaml line 1"},
		"list of zones":        {yaml: `receipt_time_zones: [UTC, "X=Europe/Rome"]`, setting: "RECEIPT_TIME_ZONES", shown: "UTC,X=Europe/Rome", source: "c.yaml line 1"},

		"unknown":            {yaml: "prot: 1", setting: "prot", problem: "is not a setting"},
		"config in itself":   {yaml: "config: other.yaml", setting: "config", problem: "is not a setting"},
		"twice":              {yaml: "port: 1\nPORT: 2", setting: "PORT", problem: "is set twice"},
		"twice as it is":     {yaml: "port: 1\nport: 2", setting: "CONFIG", problem: "is not YAML"},
		"list of one value":  {yaml: "port: [1, 2]", setting: "PORT", problem: "is not a plain value"},
		"mapping":            {yaml: "port: {a: 1}", setting: "PORT", problem: "is not a plain value"},
		"nested list":        {yaml: "webhook_secret: [[a]]", setting: "WEBHOOK_SECRET", problem: "is not a plain value"},
		"alias":              {yaml: "spool_dir: &a b\nlog_level: *a", setting: "LOG_LEVEL", problem: "is not a plain value"},
		"file of no secret":  {yaml: "port_file: x", setting: "port_file", problem: "is not a setting"},
		"not a mapping":      {yaml: "- port", setting: "CONFIG", problem: "is not a list of settings"},
		"a text":             {yaml: "port", setting: "CONFIG", problem: "is not a list of settings"},
		"two documents":      {yaml: "port: 1\n---\nport: 2", setting: "CONFIG", problem: "several documents"},
		"not YAML":           {yaml: "port: \"1\nlog_level: canary", setting: "CONFIG", problem: "is not YAML"},
		"tabs":               {yaml: "port:\n\t- canary", setting: "CONFIG", problem: "is not YAML"},
		"secret in the rest": {yaml: "viewer_token: canary\n  port: 1", setting: "CONFIG", problem: "is not YAML"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := resolve(t, []string{"--config", write(t, "c.yaml", tt.yaml)}, needed)
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("a value is shown: %v", err)
			}
			found := make(map[string]string)
			if err != nil {
				for _, p := range err.(*SettingsError).Problems {
					found[p.Setting] += p.Wrong
				}
			}
			if tt.problem != "" {
				if !strings.Contains(found[tt.setting], tt.problem) {
					t.Errorf("got %v, want %q", err, tt.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range cfg.Summary() {
				if s.Name == tt.setting && (s.Shown != tt.shown || s.Source != tt.source) {
					t.Errorf("got %q from %q, want %q from %q", s.Shown, s.Source, tt.shown, tt.source)
				}
			}
		})
	}
}

// TestUnreadableFileHidesNothingElse checks that nothing is said about settings that may be in the file that
// cannot be read, and all that is wrong with the others.
func TestUnreadableFileHidesNothingElse(t *testing.T) {
	t.Parallel()
	_, err := resolve(t, []string{"--config", "/nonexistent.yaml"}, map[string]string{"PORT": "abc"})
	found := problemsOf(t, err)
	if len(found) != 2 || found["CONFIG"].Wrong == "" || found["PORT"].Wrong == "" {
		t.Errorf("want problems with CONFIG and PORT, got %v", err)
	}
}

func FuzzSettingsFile(f *testing.F) {
	for _, text := range []string{
		"", "port: 3000", "PORT: [1]\nport: 2", "a: &x b\nc: *x", "webhook_secret:\n  - a\n  - b", "{port: 1}", "- a",
		"---\nport: 1\n---\n", "port: |\n  1\n", "? port\n: 1", "<<: {port: 1}", "!!str port: !!int 1", "\"\\x70ort\": 1", "port: \"",
	} {
		f.Add([]byte(text))
	}
	names := map[string]known{"PORT": {}, "WEBHOOK_SECRET": {list: ","}}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := settingsFile{name: "c.yaml", names: names, problems: &problems{}, settings: make(map[string]found)}
		usable := file.parse(data)
		if !usable && file.err() == nil {
			t.Error("a file that is none is no problem")
		}
		for name, hit := range file.settings {
			if _, ok := names[name]; !ok || hit.text == "" && !hit.broken {
				t.Errorf("%s is %+v", name, hit)
			}
		}
	})
}
