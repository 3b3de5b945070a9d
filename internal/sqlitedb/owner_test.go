//go:build unix

package sqlitedb_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// Root may have been the first to take the lock: then the service that the database belongs to still gets it.
func TestLockOfRootIsTheOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const owner, group = 12345, 12346
	path := database(t)
	if err := os.Chown(path, owner, group); errors.Is(err, os.ErrPermission) {
		t.Skip("this root may not")
	} else if err != nil {
		t.Fatal(err)
	}
	lock, err := sqlitedb.TakeLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	info, err := os.Stat(path + "-lock")
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != owner || stat.Gid != group || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the lock is of %d:%d, mode %o; want that of the database, %d:%d", stat.Uid, stat.Gid, info.Mode().Perm(), owner, group)
	}
}
