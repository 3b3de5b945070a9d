package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const configurationPage = "../../docs/configuration.md"

// TestConfigurationPage checks that the page lists the settings as they are.
func TestConfigurationPage(t *testing.T) {
	data, err := os.ReadFile(configurationPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- settings:begin -->\n", "<!-- settings:end -->\n"
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("the page lacks %q or %q", begin, end)
	}
	want := before + begin + settingsTables(t) + end + after
	if *update {
		if err := os.WriteFile(configurationPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Error("docs/configuration.md is out of date: run go test ./cmd/cxbridge -run TestConfigurationPage -update")
	}
}

// settingsTables returns the settings as the page shows them.
func settingsTables(t *testing.T) string {
	var b strings.Builder
	group := ""
	for _, f := range serveFlags(t) {
		if settingOf(f) == nil || f.Hidden {
			continue
		}
		title := "The settings file"
		if f.Group != nil {
			title = f.Group.Title
		}
		if title != group {
			fmt.Fprintf(&b, "\n### %s\n\n| setting | default | meaning |\n|---|---|---|\n", title)
			group = title
		}
		standard := "unset"
		switch {
		case f.Tag.Has("needed"):
			standard = "**required**"
		case f.HasDefault:
			standard = "`" + f.Default + "`"
		}
		name := "`" + settingName(f.Name) + "`"
		if f.Tag.Has("secret") {
			name += " *secret*"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, standard, strings.ReplaceAll(f.Help, "|", `\|`))
	}
	return b.String() + "\n"
}

// TestConfigurationPageExample checks that the settings file in the page is valid.
func TestConfigurationPageExample(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(configurationPage)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(data)
	if block == nil {
		t.Fatal("the page has no example")
	}
	cfg, err := resolve(t, []string{"--config", write(t, "cxbridge.yaml", string(block[1]))}, nil)
	if err != nil || len(cfg.Warnings) != 0 {
		t.Errorf("%v\n%q", err, cfg.Warnings)
	}
	if len(cfg.WebhookSecrets) != 2 || cfg.ReceiptTimeZones.For("VODAFONE").String() != "Europe/Madrid" {
		t.Errorf("the lists are read as %v and %v", cfg.WebhookSecrets, cfg.ReceiptTimeZones)
	}
}
