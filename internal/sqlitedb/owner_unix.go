//go:build unix

package sqlitedb

import (
	"io/fs"
	"os"
	"syscall"
)

// giveTo gives a file that root made to the owner of another one, as SQLite does with what it puts beside a
// database. Where even root may not do that, the file stays root's.
func giveTo(f *os.File, other fs.FileInfo) {
	if stat, ok := other.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		_ = f.Chown(int(stat.Uid), int(stat.Gid))
	}
}
