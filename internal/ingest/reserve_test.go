package ingest

import (
	"os"
	"path/filepath"
	"testing"
)

// The reserve is there from the start, is given up once, and is taken up again by an empty spool. That
// a spool on a full disk drains by it is shown by `make crash`, which fills one.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	spool := newSpool(t, dir, 1<<20)
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "spool.reserve"))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	if size() != reserveBytes {
		t.Fatalf("the reserve is of %d bytes", size())
	}
	for i, want := range []error{nil, ErrSpoolFull} {
		if err := spool.makeRoom(ErrSpoolFull); err != want {
			t.Errorf("time %d: %v", i, err)
		}
		if size() != 0 {
			t.Error("there is a reserve after it was given up")
		}
	}
	if err := spool.Shrink(); err != nil {
		t.Fatal(err)
	}
	if size() != reserveBytes {
		t.Errorf("the reserve of an empty spool is of %d bytes", size())
	}
}
