package store

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// BackfillVersion is the number of the migration that counts the messages that were there before the
// tables of analytics. It is written in Go, and has no file.
const BackfillVersion = 4

// SchemaVersion returns the number of the newest migration: BackfillVersion, or one in a folder whose
// files are named NUMBER_what.sql. It panics if the folder cannot be read: the migrations are embedded.
func SchemaVersion(migrations fs.FS, folder string) int {
	files, err := fs.ReadDir(migrations, folder)
	if err != nil {
		panic(err)
	}
	newest := BackfillVersion
	for _, f := range files {
		number, _, _ := strings.Cut(f.Name(), "_")
		if n, err := strconv.Atoi(number); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}

// CheckSchema compares the version of a database's schema with the one that is needed. A newer one
// is in order: migrations only add, and in a rolling upgrade the new replica migrates first.
func CheckSchema(version, needed int) error {
	if version < needed {
		return fmt.Errorf("%w (it has version %d, and %d is needed)", ErrSchema, version, needed)
	}
	return nil
}
