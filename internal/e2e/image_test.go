package e2e_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// imageInstructions returns the last of each instruction of the Dockerfile's last stage, by its name. That
// the file is right is checked in deploy/lint; here it is as simple as it looks.
func imageInstructions(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, stage, ok := strings.Cut(string(text), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the image is not built from scratch")
	}
	found := make(map[string]string)
	for line := range strings.Lines(strings.ReplaceAll(stage, "\\\n", " ")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[name] = strings.TrimSpace(rest)
	}
	return found
}

// execForm reads the command of an instruction.
func execForm(t *testing.T, text string) (args []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return args
}

// TestImageRuns runs what the image runs, as its user, in the file system of the image, which is read-only
// except for the volume.
func TestImageRuns(t *testing.T) {
	t.Parallel()
	image := imageInstructions(t)
	if image["USER"] != "65532:65532" {
		t.Errorf("the user is %s, the one of this test 65532", image["USER"])
	}
	entry := execForm(t, image["ENTRYPOINT"])
	_, check, _ := strings.Cut(image["HEALTHCHECK"], " CMD ")
	if args := execForm(t, check); len(args) != 2 || args[0] != entry[0] || args[1] != "healthcheck" {
		t.Errorf("its health is checked by %v", args)
	}
	command := append(entry, execForm(t, image["CMD"])...)
	secrets := settings{"ADDR": "127.0.0.1:0", "WEBHOOK_SECRET": webhookSecret, "ADMIN_TOKEN": adminToken, "VIEWER_TOKEN": viewerToken}
	for name, more := range map[string]func(*testing.T) settings{
		"sqlite":   func(*testing.T) settings { return nil },
		"postgres": func(t *testing.T) settings { return settings{"DATABASE_URL": pgtest.Database(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.addProgram(t, entry[0])
			s.addFolder(t, image["VOLUME"])
			servesIn(t, s, s.command(t, image["WORKDIR"], secrets.with(more(t)), command...))
		})
	}
}
