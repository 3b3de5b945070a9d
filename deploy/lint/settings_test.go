package lint

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// stopReserve is how long cxbridge may take to end after SHUTDOWN_DELAY and SHUTDOWN_TIMEOUT: it commits
// what was accepted, records the pushes, and closes the database.
const stopReserve = 15 * time.Second

// The defaults of settings that files here rely on.
const (
	defaultShutdownDelay   = 0
	defaultShutdownTimeout = 15 * time.Second
)

// settingRow finds the name of a setting in a row of docs/configuration.md, which a test of cxbridge
// keeps equal to the settings that exist.
var settingRow = regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)`( \\*secret\\*)? \\|")

// checkSettings checks that each name is that of a setting, or of a secret's file.
func checkSettings[V any](t *testing.T, where string, environment map[string]V) {
	t.Helper()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, row := range settingRow.FindAllStringSubmatch(string(page), -1) {
		known[row[1]] = true
		if row[2] != "" {
			known[row[1]+"_FILE"] = true
		}
	}
	if !known["PORT"] || !known["ADMIN_TOKEN_FILE"] || known["PORT_FILE"] {
		t.Fatal("docs/configuration.md is not parsed correctly")
	}
	if len(environment) == 0 {
		t.Errorf("%s gives no settings", where)
	}
	for name := range environment {
		if !known[name] {
			t.Errorf("%s gives %s, which is not a setting", where, name)
		}
	}
	for _, needed := range []string{"WEBHOOK_SECRET", "ADMIN_TOKEN"} {
		if _, ok := environment[needed+"_FILE"]; !ok {
			t.Errorf("%s does not give %s as a file", where, needed)
		}
	}
}

// duration parses a setting that is a duration; "" means the default.
func duration(t *testing.T, text string, standard time.Duration) time.Duration {
	t.Helper()
	if text == "" {
		return standard
	}
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
