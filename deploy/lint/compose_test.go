package lint

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// project loads compose.yaml with every profile from a copy of deploy/, with secrets created.
func project(t *testing.T) *types.Project {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "deploy"), os.DirFS("..")); err != nil {
		t.Fatal(err)
	}
	drawSecrets(t, filepath.Join(root, "deploy", "compose"))
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "deploy", "compose", "compose.yaml")},
		cli.WithProfiles([]string{"*"}), cli.WithConsistency(true), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Services) != 4 {
		t.Fatalf("there are the services %v", p.ServiceNames())
	}
	return p
}

func drawSecrets(t *testing.T, compose string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "sh", filepath.Join(compose, "secrets.sh")).CombinedOutput(); err != nil {
		t.Fatalf("secrets.sh: %v\n%s", err, out)
	}
}

// Every file that is mounted exists, and every secret of a service is created.
func TestComposeFilesExist(t *testing.T) {
	p := project(t)
	for name, secret := range p.Secrets {
		if text, err := os.ReadFile(secret.File); err != nil || len(text) < 32 {
			t.Errorf("the secret %s: %d characters, %v", name, len(text), err)
		}
	}
	for name, config := range p.Configs {
		if _, err := os.Stat(config.File); err != nil {
			t.Errorf("the config %s: %v", name, err)
		}
	}
	build := p.Services["cxbridge"].Build
	relative, err := filepath.Rel(build.Context, filepath.Join(build.Context, build.Dockerfile))
	if err != nil || relative != "deploy/docker/Dockerfile" {
		t.Errorf("the image is built by %s", relative)
	}
	if _, err := os.Stat(filepath.Join(build.Context, relative)); err != nil {
		t.Error(err)
	}
}

func TestComposeSettings(t *testing.T) {
	p := project(t)
	s := p.Services["cxbridge"]
	checkSettings(t, "compose.yaml", s.Environment)
	given := make(map[string]bool)
	for _, secret := range s.Secrets {
		given["/run/secrets/"+secret.Source] = true
	}
	for name, text := range s.Environment {
		if strings.HasSuffix(name, "_FILE") && !given[*text] {
			t.Errorf("%s=%s: there is no such file", name, *text)
		}
	}
	if grace := time.Duration(*s.StopGracePeriod); grace < defaultShutdownTimeout+stopReserve {
		t.Errorf("it is killed after %v", grace)
	}
	if dir := *s.Environment["SPOOL_DIR"]; s.Volumes[0].Type != types.VolumeTypeVolume || !strings.HasPrefix(dir, s.Volumes[0].Target+"/") {
		t.Errorf("SPOOL_DIR is %s, the volume %+v", dir, s.Volumes[0])
	}
}

// No service can write to its root file system or gain privileges, and none can be reached from outside the
// machine.
func TestComposeIsClosed(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		if !s.ReadOnly || len(s.SecurityOpt) != 1 || s.SecurityOpt[0] != "no-new-privileges:true" || s.Privileged {
			t.Errorf("%s is not closed: %+v", name, s.SecurityOpt)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s is published at %q", name, port.HostIP)
			}
		}
		if _, tag, tagged := strings.Cut(s.Image, ":"); name != "cxbridge" && (!tagged || tag == "latest") {
			t.Errorf("%s may be any version of %s", name, s.Image)
		}
	}
	if !strings.HasPrefix(p.Services["postgres"].Image, "postgres:16") || !p.Networks["back"].Internal {
		t.Error("PostgreSQL is not 16, or is not on a network of its own")
	}
	for name, s := range p.Services {
		if _, reaches := s.Networks["back"]; reaches != (name == "postgres" || name == "cxbridge") {
			t.Errorf("%s is on the network of the database: %v", name, reaches)
		}
	}
}

// Existing secrets are not replaced: the database would no longer accept its password.
func TestSecretsAreDrawnOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../compose")); err != nil {
		t.Fatal(err)
	}
	read := func() map[string]string {
		files, err := filepath.Glob(filepath.Join(dir, "secrets", "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%d secrets, %v", len(files), err)
		}
		texts := make(map[string]string)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[filepath.Base(file)] = strings.TrimSpace(string(text))
		}
		return texts
	}
	drawSecrets(t, dir)
	first := read()
	drawSecrets(t, dir)
	for name, text := range read() {
		if first[name] != text {
			t.Errorf("%s was replaced", name)
		}
	}
	if !strings.Contains(first["database_url"], ":"+first["postgres_password"]+"@postgres:") {
		t.Error("the URL does not have the password of the database")
	}
	info, err := os.Stat(filepath.Join(dir, "secrets"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the secrets is %v, %v", info.Mode(), err)
	}
}
