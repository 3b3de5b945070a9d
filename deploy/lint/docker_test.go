package lint

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const (
	repository = "../.."
	dockerfile = "../docker/Dockerfile"
)

// stages parses the Dockerfile as BuildKit does, and wants its linter to find nothing.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range tree.Warnings {
		t.Errorf("%s (%v)", w.Short, w.Location)
	}
	lint := linter.New(&linter.Config{
		ReturnAsError: true,
		Warn: func(rule, _, _, message string, at []parser.Range) {
			t.Errorf("%s: %s (%v)", rule, message, at)
		},
	})
	parsed, _, err := instructions.Parse(tree.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	if err := lint.Error(); err != nil {
		t.Error(err)
	}
	if len(parsed) != 2 {
		t.Fatalf("%d stages", len(parsed))
	}
	return parsed
}

// The image holds only the binary and its state, and runs as a non-root user.
func TestImage(t *testing.T) {
	image := stages(t)[1]
	if image.BaseName != "scratch" {
		t.Errorf("it is built on %s", image.BaseName)
	}
	var user, folder, entry string
	volumes, copied := make(map[string]bool), make(map[string]*instructions.CopyCommand)
	for _, command := range image.Commands {
		switch c := command.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.WorkdirCommand:
			folder = c.Path
		case *instructions.VolumeCommand:
			volumes[c.Volumes[0]] = true
		case *instructions.EntrypointCommand:
			entry = c.CmdLine[0]
		case *instructions.CopyCommand:
			copied[c.DestPath] = c
		case *instructions.RunCommand:
			t.Error("there is no shell to run a command")
		}
	}
	if !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(user) {
		t.Errorf("the user is %q", user)
	}
	if !volumes[folder] || copied[folder] == nil || copied[folder].Chown != user {
		t.Errorf("the working directory %q is not a volume that belongs to %s", folder, user)
	}
	if copied[entry] == nil || copied[entry].Chown != "" {
		t.Errorf("%s is not there, or can be changed by its user", entry)
	}
}

// TestImageBuilds runs the command of the Dockerfile that builds the binary, on the files that Docker
// would get.
func TestImageBuilds(t *testing.T) {
	source, out := t.TempDir(), t.TempDir()
	copyContext(t, source)
	var command string
	for _, c := range stages(t)[0].Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			for _, path := range c.SourcePaths {
				if _, err := os.Stat(filepath.Join(source, path)); err != nil {
					t.Errorf("COPY %s: %v", path, err)
				}
			}
		case *instructions.RunCommand:
			if line := strings.Join(c.CmdLine, " "); strings.Contains(line, "go build") {
				command = strings.ReplaceAll(line, "/out/", out+"/")
			}
		}
	}
	build := exec.CommandContext(t.Context(), "sh", "-c", command)
	build.Dir = source
	build.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "TARGETOS=linux", "TARGETARCH=amd64", "VERSION=v0.0.0-test")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, text)
	}
	binary, err := os.ReadFile(filepath.Join(out, "cxbridge"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(binary, []byte("\x7fELF")) || bytes.Contains(binary, []byte("ld-linux")) {
		t.Error("the binary is not a static one for Linux")
	}
}

// copyContext copies what .dockerignore lets through. That contains no secrets and no data.
func copyContext(t *testing.T, to string) {
	t.Helper()
	ignore, err := os.Open(filepath.Join(repository, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer ignore.Close()
	patterns, err := ignorefile.ReadAll(ignore)
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{".git/config", "deploy/compose/secrets/admin_token", "cxbridge.db", "bin/cxbridge", "cmd/cxbridge/main_test.go"} {
		if ignored, err := matcher.MatchesOrParentMatches(path); err != nil || !ignored {
			t.Errorf("%s is not ignored: %v", path, err)
		}
	}
	for _, root := range []string{"go.mod", "go.sum", "cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(repository, root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name, err := filepath.Rel(repository, path)
			if err != nil {
				return err
			}
			if ignored, err := matcher.MatchesOrParentMatches(name); err != nil || ignored {
				return err
			}
			return copyFile(path, filepath.Join(to, name))
		})
		if err != nil {
			t.Fatal(fmt.Errorf("copy %s: %w", root, err))
		}
	}
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
