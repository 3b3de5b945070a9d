package sqlitedb_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// A lock that this user may only read locks nobody out, and so is none.
func TestLockThatIsReadOnly(t *testing.T) {
	path := database(t)
	if err := os.WriteFile(path+"-lock", nil, 0o444); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		defer asUser(t, 12345, filepath.Dir(path))()
	}
	if _, err := sqlitedb.TakeLock(path); err == nil || errors.Is(err, sqlitedb.ErrInUse) {
		t.Errorf("the lock: %v", err)
	}
}

// asUser lets this goroutine open files as another user would, who owns a folder of t.TempDir, until the
// function that it returns is called. Root may write to every file.
func asUser(t *testing.T, uid int, folder string) (back func()) {
	t.Helper()
	err := errors.Join(os.Chmod(filepath.Dir(folder), 0o755), os.Chown(folder, uid, -1))
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	if err := unix.Setfsuid(uid); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setfsuid(0); err != nil {
			t.Fatal(err) // the thread stays locked, and ends with the goroutine
		}
		runtime.UnlockOSThread()
	}
}
