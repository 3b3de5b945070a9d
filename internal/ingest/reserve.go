package ingest

import (
	"errors"
	"io/fs"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// reserve is a file that keeps room free on the disk of the spool. SQLite needs room to delete, too:
// on a disk that is full the spool could not be drained, and would stay full for ever.
type reserve struct{ path string }

// reserveBytes is the most room that emptying a spool takes: its write-ahead log, which is copied into
// the database, and what one more transaction adds to the log.
const reserveBytes = 8 << 20

// hold takes up the room, if it is not taken up yet. Where there is too little of it there is no
// reserve: the spool takes what it can all the same, and drains when somebody makes room.
func (r reserve) hold() {
	if info, err := os.Stat(r.path); err == nil && info.Size() == reserveBytes {
		return
	}
	// Zeros that are written, as a file with a hole takes up no room.
	if os.WriteFile(r.path, make([]byte, reserveBytes), 0o600) != nil {
		_ = os.Remove(r.path)
	}
}

// release gives the room back. It reports false when there was no reserve.
func (r reserve) release() (bool, error) {
	err := os.Remove(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// isDiskFull reports whether SQLite found no room.
func isDiskFull(err error) bool {
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && lite.Code()&0xff == sqlite3.SQLITE_FULL
}
