package e2e_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// sandbox is a file system for one process: it contains only what was put there, and its user can write
// only to some folders. A container with a read-only root and a hardened unit look like that from inside.
type sandbox struct {
	root     string
	writable []string // folders of the user
}

// sandboxUser is the user that runs the process, as the process sees it.
const sandboxUser = 65532

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{root: t.TempDir()}
	t.Cleanup(func() { s.chmodFolders(t, 0o755) })
	return s
}

// add puts a file there.
func (s *sandbox) add(t *testing.T, path, text string) {
	t.Helper()
	s.put(t, path, []byte(text), 0o444)
}

// addProgram puts the cxbridge under test there.
func (s *sandbox) addProgram(t *testing.T, path string) {
	t.Helper()
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, path, binary, 0o555)
}

func (s *sandbox) put(t *testing.T, path string, text []byte, mode fs.FileMode) {
	t.Helper()
	to := filepath.Join(s.root, path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, mode); err != nil {
		t.Fatal(err)
	}
}

// addFolder makes a folder that the process can write to.
func (s *sandbox) addFolder(t *testing.T, path string) {
	t.Helper()
	folder := filepath.Join(s.root, path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(folder, sandboxUser, sandboxUser); err != nil {
			t.Fatal(err)
		}
	}
	s.writable = append(s.writable, path)
}

// command is one that runs inside. Paths are those inside.
func (s *sandbox) command(t *testing.T, folder string, env settings, args ...string) *exec.Cmd {
	t.Helper()
	s.chmodFolders(t, 0o555)
	attributes := &syscall.SysProcAttr{Chroot: s.root, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		attributes.Credential = &syscall.Credential{Uid: sandboxUser, Gid: sandboxUser}
	} else {
		// A user other than root may change the root in a user namespace of his own.
		attributes.Cloneflags = syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: sandboxUser, HostID: os.Geteuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: sandboxUser, HostID: os.Getegid(), Size: 1}}
	}
	return &exec.Cmd{Path: args[0], Args: args, Dir: folder, Env: env.environment(), SysProcAttr: attributes}
}

// chmodFolders sets the mode of all folders that the process must not write to.
func (s *sandbox) chmodFolders(t *testing.T, mode fs.FileMode) {
	t.Helper()
	for _, path := range s.paths(t) {
		if strings.HasSuffix(path, "/") && !s.isWritable(path) {
			if err := os.Chmod(filepath.Join(s.root, path), mode); err != nil {
				t.Error(err)
			}
		}
	}
}

func (s *sandbox) isWritable(path string) bool {
	return slices.ContainsFunc(s.writable, func(folder string) bool { return strings.HasPrefix(path, folder+"/") })
}

// paths lists what there is; folders end with a slash.
func (s *sandbox) paths(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(s.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = strings.TrimPrefix(path, s.root)
		if entry.IsDir() {
			path += "/"
		}
		list = append(list, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// servesIn wants a cxbridge in the sandbox to become ready, to keep a receipt, to pass its own health check,
// and to stop in order when it is asked to. It may only have written to the folders that it may write to.
func servesIn(t *testing.T, s *sandbox, cmd *exec.Cmd) {
	t.Helper()
	before := s.paths(t)
	p := launchCommand(t, cmd)
	p.awaitReady(t)
	if status, parts := p.ready(t); status != 200 {
		t.Errorf("/readyz answers %d, %v", status, parts)
	}
	p.post(t, 200, `{"messageId":"in-the-sandbox","status":"DELIVERED"}`)
	if _, found := p.message(t, "in-the-sandbox"); !found {
		t.Error("the message is not there")
	}

	address := settings{"ADDR": strings.TrimPrefix(p.address, "http://")}
	check := launchCommand(t, s.command(t, cmd.Dir, address, cmd.Args[0], "healthcheck"))
	check.await(t)
	if code := check.code(); code != 0 {
		t.Errorf("healthcheck exits with %d", code)
	}
	if code := p.terminate(t); code != 0 {
		t.Errorf("it exits with %d", code)
	}
	wrote := 0
	for _, path := range s.paths(t) {
		switch {
		case slices.Contains(before, path):
		case s.isWritable(path):
			wrote++
		default:
			t.Errorf("it wrote %s", path)
		}
	}
	if wrote == 0 {
		t.Error("it wrote nothing, so nothing was kept on its disk")
	}
}
