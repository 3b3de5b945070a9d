package sms_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sms"
)

var update = flag.Bool("update", false, "write the built-in rules into docs/sender-ids.md")

func TestSenderIDsDocument(t *testing.T) {
	const begin, end = "<!-- begin of the built-in rules -->\n", "<!-- end of the built-in rules -->\n"
	path := filepath.Join("..", "..", "docs", "sender-ids.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the marks of the built-in rules are missing")
	}
	rules := rulesAsMarkdown(sms.DefaultRules())
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+rules+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(rules, old); diff != "" {
		t.Errorf("the document differs from the rules; run with -update (-rules +document):\n%s", diff)
	}
}

// rulesAsMarkdown writes an overview of the uses, and then every rule with its source.
func rulesAsMarkdown(rules *sms.SenderRules) string {
	forms := []sms.Form{sms.Alphanumeric, sms.LongCode, sms.ShortCode, sms.TollFree}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, as of %s. Other regions: %s.\n\n", rules.Title(), rules.Date(), rules.Unlisted())
	b.WriteString("| region | alphanumeric | long code | short code | toll-free |\n|---|---|---|---|---|\n")
	for _, region := range rules.Regions() {
		fmt.Fprintf(&b, "| %s %s |", region.Region, region.Name)
		for _, form := range forms {
			fmt.Fprintf(&b, " %s |", useOf(region, form))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n| region | form | use | must be | since | source, and when it was read | note |\n|---|---|---|---|---|---|---|\n")
	for _, region := range rules.Regions() {
		for _, r := range region.Rules {
			source := r.Source
			if r.URL != "" {
				source = "[" + source + "](" + r.URL + ")"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s, %s | %s |\n",
				region.Region, r.Form, r.Use, r.Format, r.Since, source, r.Date, r.Note)
		}
	}
	return b.String()
}

func useOf(region sms.RegionRules, form sms.Form) string {
	for _, r := range region.Rules {
		if r.Form == form {
			return string(r.Use)
		}
	}
	return string(sms.Unchecked)
}
