package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
)

// The disk is tested with syncTrials writes of a page. Each commit waits for such a write, so the disk is
// slow when the median takes longer than slowSync. Below fastSync it is no disk.
const (
	syncTrials = 11
	slowSync   = 20 * time.Millisecond
	fastSync   = 20 * time.Microsecond
)

// checkDisk tests the folder whose disk a 2xx relies on: that of the SQLite file, or the spool.
func (d *doctor) checkDisk(ctx context.Context) finding {
	name, dir := "SPOOL_DIR", d.cfg.SpoolDir
	switch {
	case d.cfg.Database == Database{}:
		return skipped("DATABASE_URL is wrong or unreadable")
	case d.cfg.Database.SQLite != "":
		name, dir = "DATABASE_URL", filepath.Dir(d.cfg.Database.SQLite)
	case dir == "":
		return skipped("SPOOL_DIR is unreadable")
	}
	existing, err := existingDir(dir)
	if err != nil {
		return finding{gradeFail, fmt.Sprintf("%s cannot be used: %s", dir, reason(err)), []string{"name another place by " + name}}
	}
	took, err := measureSync(ctx, existing)
	if err != nil {
		return finding{gradeFail, fmt.Sprintf("%s cannot be written: %s", existing, reason(err)),
			[]string{"let the user that cxbridge runs as write there, or name another place by " + name}}
	}
	return judgeSync(existing, took)
}

// judgeSync says whether a folder is fit for the data where an fsync takes so long.
func judgeSync(dir string, took time.Duration) finding {
	text := fmt.Sprintf("%s can be written; fsync takes %v", dir, took.Round(time.Microsecond))
	switch {
	case took > slowSync:
		return finding{gradeWarn, text, []string{"this is slow, and every commit to this disk waits for it: use an SSD, or a volume that is not shared"}}
	case took < fastSync:
		return finding{gradeWarn, text, []string{"no disk is that fast: see that the folder is not in memory (tmpfs), where a power cut loses it"}}
	}
	return fine("%s", text)
}

// existingDir returns the folder, or the nearest one above it that exists: serve creates the rest.
func existingDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return dir, nil
		case err == nil:
			return "", errors.New("there is a file of that name")
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

// measureSync writes to a file in the folder, which it removes again, and returns the median time until
// a write is on the disk.
func measureSync(ctx context.Context, dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".cxbridge-doctor-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	var took []time.Duration
	for range syncTrials {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// checkSpool compares the room on the disk with the limit of the spool. checkDisk tests whether its
// folder can be written.
func (d *doctor) checkSpool(context.Context) finding {
	switch {
	case d.cfg.Database.SQLite != "":
		return skipped("not used with SQLite")
	case d.cfg.SpoolDir == "" || d.cfg.SpoolMaxBytes == 0:
		return skipped("SPOOL_DIR or SPOOL_MAX_BYTES is wrong or unreadable")
	}
	dir, err := existingDir(d.cfg.SpoolDir)
	if err != nil {
		return finding{gradeFail, fmt.Sprintf("%s cannot be used: %s", d.cfg.SpoolDir, reason(err)), []string{"name another place by SPOOL_DIR"}}
	}
	free, err := d.free(dir)
	if err != nil {
		return finding{gradeWarn, fmt.Sprintf("cannot find out how much room there is in %s: %v", dir, err), []string{"see that there is as much as SPOOL_MAX_BYTES"}}
	}
	limit := uint64(d.cfg.SpoolMaxBytes)
	text := fmt.Sprintf("%s free in %s; the limit is %s", humanize.IBytes(free), dir, humanize.IBytes(limit))
	if free < limit {
		return finding{gradeWarn, text, []string{"make room, or lower SPOOL_MAX_BYTES; the file is somewhat larger than that. Once the disk is full, events are answered 503 before the limit is reached"}}
	}
	return fine("%s", text)
}
