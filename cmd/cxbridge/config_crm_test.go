package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// withCRM returns the needed settings, those of a CRM, and more.
func withCRM(more map[string]string) map[string]string {
	vars := with(map[string]string{"CRM_API_URL": "https://crm.example.com/api/v1", "CRM_API_TOKEN": "a81d07c3f95e4b26"})
	maps.Copy(vars, more)
	return vars
}

func TestCRMSettings(t *testing.T) {
	t.Parallel()
	cfg, err := resolve(t, nil, needed)
	if err != nil || cfg.CRM != nil || cfg.ThreadIDs != thread.AnyID {
		t.Errorf("without settings: %+v, %q, %v", cfg.CRM, cfg.ThreadIDs, err)
	}
	cfg, err = resolve(t, nil, withCRM(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []any{"https://crm.example.com/api/v1", "a81d07c3f95e4b26", 10 * time.Second, 16, true, 0}
	got := []any{cfg.CRM.BaseURL, cfg.CRM.Token.Reveal(), cfg.CRM.Timeout, cfg.CRM.Workers, cfg.CRM.Schema == crm.DefaultSchema(), len(cfg.Warnings)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}

	schema := write(t, "schema.json", `{"properties":{"addedMessages":{"maxItems":3}}}`)
	cfg, err = resolve(t, nil, withCRM(map[string]string{
		"CRM_API_URL": " http://127.0.0.1:4000/crm// ", "CRM_TIMEOUT": "1m", "CRM_WORKERS": " 3 ", "CRM_SCHEMA": schema, "THREAD_ID_FORMAT": "UUID",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want = []any{"http://127.0.0.1:4000/crm", time.Minute, 3, true, false, thread.UUIDs}
	got = []any{cfg.CRM.BaseURL, cfg.CRM.Timeout, cfg.CRM.Workers, cfg.CRM.Schema != nil, cfg.CRM.Schema == crm.DefaultSchema(), cfg.ThreadIDs}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCRMProblems gives one wrong setting at a time, and wants it named and nothing else.
func TestCRMProblems(t *testing.T) {
	t.Parallel()
	text := write(t, "schema.txt", "type: object")
	noSchema := write(t, "no-schema.json", `{"type":7}`)
	outside := write(t, "outside.json", `{"$ref":"https://example.com/delta.json"}`)
	tests := []struct{ setting, text, wrong, right string }{
		{"CRM_API_URL", "", "is not set, while CRM_API_TOKEN is", "set both, or none"},
		{"CRM_API_URL", "crm.example.com", "URL of a server", "https://"},
		{"CRM_API_URL", "ftp://crm.example.com", "URL of a server", "https://"},
		{"CRM_API_URL", "https://u:p@crm.example.com", "user name", "https://"},
		{"CRM_API_URL", "https://crm.example.com/?tenant=7", "more than", "https://"},
		{"CRM_API_TOKEN", "", "is not set, while CRM_API_URL is", "set both, or none"},
		{"CRM_API_TOKEN", "two words", "bearer token", "without spaces"},
		{"CRM_TIMEOUT", "10", "not a time from 100ms to 5m0s", "15s"},
		{"CRM_TIMEOUT", "1ms", "not a time", "15s"},
		{"CRM_TIMEOUT", "1h", "not a time", "15s"},
		{"CRM_WORKERS", "0", `"0", which is not a whole number from 1 to 1000`, "16"},
		{"CRM_WORKERS", "1001", "not a whole number", "16"},
		{"CRM_WORKERS", "1.5", "not a whole number", "16"},
		{"CRM_SCHEMA", "/nonexistent/schema.json", "no such file", "built-in"},
		{"CRM_SCHEMA", text, "schema.txt\", which is no JSON: line 1", "built-in"},
		{"CRM_SCHEMA", noSchema, "no-schema.json\", which is no JSON Schema: type", "built-in"},
		{"CRM_SCHEMA", outside, "refers to https://example.com/delta.json", "built-in"},
		{"THREAD_ID_FORMAT", "ulid", `"ulid", which is not known`, "any or uuid"},
	}
	for _, tt := range tests {
		t.Run(tt.setting+"="+tt.text, func(t *testing.T) {
			t.Parallel()
			_, err := resolve(t, nil, withCRM(map[string]string{tt.setting: tt.text}))
			found := problemsOf(t, err)
			p, ok := found[tt.setting]
			if !ok || len(found) != 1 {
				t.Fatalf("want one problem, with %s; got %v", tt.setting, err)
			}
			if !strings.Contains(p.Wrong, tt.wrong) || !strings.Contains(p.Right, tt.right) {
				t.Errorf("got %+v\nwant %q and %q", p, tt.wrong, tt.right)
			}
		})
	}
}

func TestAllProblemsOfTheCRMAtOnce(t *testing.T) {
	t.Parallel()
	_, err := resolve(t, nil, withCRM(map[string]string{
		"CRM_API_URL": "crm", "CRM_API_TOKEN": "a b", "CRM_TIMEOUT": "soon", "CRM_WORKERS": "many",
		"CRM_SCHEMA": "/nonexistent", "THREAD_ID_FORMAT": "x", "CXONE_DOMAIN": "api.cxone.com",
	}))
	got := slices.Sorted(maps.Keys(problemsOf(t, err)))
	want := []string{
		"CRM_API_TOKEN", "CRM_API_URL", "CRM_SCHEMA", "CRM_TIMEOUT", "CRM_WORKERS", "CXONE_CLIENT_ID", "CXONE_CLIENT_SECRET", "THREAD_ID_FORMAT",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got problems with %v, want %v", got, want)
	}
}

// Settings of the CRM are checked even when no CRM is set: they would be wrong on the day it is.
func TestCRMSettingsAreCheckedWithoutCRM(t *testing.T) {
	t.Parallel()
	_, err := resolve(t, nil, with(map[string]string{"CRM_WORKERS": "none"}))
	if _, ok := problemsOf(t, err)["CRM_WORKERS"]; !ok {
		t.Errorf("got %v", err)
	}
}

// The CRM issues its token, so neither its length nor its letters are judged.
func TestCRMTokenWarnings(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // by token, what is warned of; "" for nothing
		"k7":                              "",
		"pat-test-81d07c3f":               "",
		"00000000":                        "",
		"changeme":                        "sample value",
		"Sample-Token":                    "sample value",
		"test_12345678":                   "sample value",
		needed["ADMIN_TOKEN"]:             "also a secret of cxbridge",
		needed["WEBHOOK_SECRET"]:          "also a secret of cxbridge",
		needed["WEBHOOK_SECRET"] + "-crm": "",
	}
	for token, want := range tests {
		cfg, err := resolve(t, nil, withCRM(map[string]string{"CRM_API_TOKEN": token}))
		if err != nil {
			t.Errorf("%q: %v", token, err)
			continue
		}
		text := strings.Join(cfg.Warnings, "\n")
		if !strings.Contains(text, want) || (text == "") != (want == "") || strings.Contains(text, token) {
			t.Errorf("%q: warned %q, want %q", token, text, want)
		}
	}
}
