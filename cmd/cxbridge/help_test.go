package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// commandLines returns the commands that can be run, such as "audit verify".
func commandLines(t *testing.T) []*kong.Node {
	t.Helper()
	parser, err := newTrial(nil).parser(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Leaves(false)
}

func TestHelpOfEveryCommand(t *testing.T) {
	t.Parallel()
	for _, command := range commandLines(t) {
		p := newTrial(nil)
		args := append(strings.Fields(command.Path()), "--help")
		if code := p.run(t.Context(), args); code != exitOK || p.err.Len() > 0 {
			t.Errorf("%q: exit code %d, %s", args, code, &p.err)
		}
		if strings.Contains(p.out.String(), "[default ]") || !strings.HasSuffix(command.Help, ".") || !strings.Contains(p.out.String(), "Usage: cxbridge "+command.Path()) {
			t.Errorf("%q prints\n%s", args, &p.out)
		}
		if command.Detail == "" && command.Name != "version" {
			t.Errorf("%q has no details", args)
		}
		for _, flag := range command.Flags {
			if !flag.Hidden && !strings.HasSuffix(flag.Help, ".") {
				t.Errorf("the help of %s %s is not a sentence: %q", command.Path(), flag.Name, flag.Help)
			}
		}
	}
}

// The command lines of the examples in the help are valid.
func TestExamplesAreGood(t *testing.T) {
	t.Parallel()
	texts := []string{description}
	for _, command := range commandLines(t) {
		texts = append(texts, command.Detail)
	}
	found := 0
	for line := range strings.Lines(strings.Join(texts, "\n")) {
		at := strings.LastIndex(line, " cxbridge ")
		if !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "    ") || at < 0 {
			continue
		}
		example := line[at+len(" cxbridge "):]
		found++
		parser, err := newTrial(nil).parser(&commands{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(example)); err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if found < 9 {
		t.Errorf("only %d examples were found", found)
	}
}

// Commands below a command take secrets from files, too.
func TestFileFlagOfNestedCommand(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + auditedDatabase(t, "")
	p := newTrial(nil)
	p.openStore = openStore
	if code := p.run(t.Context(), []string{"audit", "verify", "--database-url-file", write(t, "url", url)}); code != exitOK {
		t.Errorf("exit code %d: %s", code, &p.err)
	}
}
