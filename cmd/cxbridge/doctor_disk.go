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

// The disk is tried with as many writes of a page as this, and is slow when the middle one takes
// longer than slowSync: each commit waits for one.
const (
	syncTrials = 11
	slowSync   = 20 * time.Millisecond
	fastSync   = 20 * time.Microsecond
)

// checkDisk tries the folder whose disk a 2xx relies on: that of the SQLite file, or the spool.
func (d *doctor) checkDisk(ctx context.Context) finding {
	name, dir := "SPOOL_DIR", d.cfg.SpoolDir
	switch d.cfg.Database {
	case Database{}:
		return skipped("DATABASE_URL is wrong")
	case Database{SQLite: d.cfg.Database.SQLite}:
		name, dir = "DATABASE_URL", filepath.Dir(d.cfg.Database.SQLite)
	}
	existing, err := existingDir(dir)
	if err != nil {
		return finding{gradeFail, fmt.Sprintf("%s is not a folder: %s", dir, reason(err)), []string{"name another place by " + name}}
	}
	took, err := measureSync(ctx, existing)
	if err != nil {
		return finding{gradeFail, fmt.Sprintf("%s cannot be written: %s", existing, reason(err)),
			[]string{"let the user that cxbridge runs as write there, or name another place by " + name}}
	}
	return judgeSync(existing, took)
}

// judgeSync says whether a folder where fsync takes that long is fit for the data.
func judgeSync(dir string, took time.Duration) finding {
	text := fmt.Sprintf("%s can be written; fsync takes %v", dir, took.Round(time.Microsecond))
	switch {
	case took > slowSync:
		return finding{gradeWarn, text, []string{"this is slow, and every answer waits for it: use an SSD, or a volume that is not shared"}}
	case took < fastSync:
		return finding{gradeWarn, text, []string{"no disk is that fast: see that the folder is not in memory (tmpfs), where a power cut loses it"}}
	}
	return fine("%s", text)
}

// existingDir returns the folder, or the nearest one above it that exists: serve makes the rest.
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

// measureSync writes to a file in the folder, which it removes again, and returns how long it
// takes in the middle of several trials until a write is on the disk.
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

// checkSpool compares the room on the disk with the limit of the spool. That its folder can be
// written, checkDisk has found.
func (d *doctor) checkSpool(context.Context) finding {
	switch {
	case d.cfg.Database.SQLite != "":
		return skipped("not used with SQLite")
	case d.cfg.SpoolMaxBytes == 0:
		return skipped("SPOOL_MAX_BYTES is wrong")
	}
	dir, err := existingDir(d.cfg.SpoolDir)
	if err != nil {
		return finding{gradeFail, fmt.Sprintf("%s is not a folder: %s", d.cfg.SpoolDir, reason(err)), []string{"name another place by SPOOL_DIR"}}
	}
	free, err := d.free(dir)
	if err != nil {
		return finding{gradeWarn, fmt.Sprintf("cannot tell how much room there is in %s: %v", dir, err), []string{"see that there is as much as SPOOL_MAX_BYTES"}}
	}
	limit := uint64(d.cfg.SpoolMaxBytes)
	text := fmt.Sprintf("%s free in %s; the limit is %s", humanize.IBytes(free), dir, humanize.IBytes(limit))
	if free < limit {
		return finding{gradeWarn, text, []string{"make room, or lower SPOOL_MAX_BYTES, than which the file is somewhat larger: a full disk answers 503 before the limit does"}}
	}
	return fine("%s", text)
}
