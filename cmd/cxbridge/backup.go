package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

type backupCommand struct {
	FileSettings
	DatabaseSettings `group:"Database"`

	File string `arg:"" placeholder:"FILE" help:"The file to make. It must not exist, and its folder must."`
}

const backupDetail = `Copies the SQLite database into a file, while the service runs, and checks the copy. It holds all that
was acknowledged before the command began. The file gets its name only once it is complete; until then
it is called FILE.partial. Other ways to copy the database are not safe while the service runs.

PostgreSQL has backups of its own. docs/backup.md says how both are made and restored.

Example:
  cxbridge backup /mnt/backup/cxbridge-2026-03-01.db`

// Help returns what the help of the command says besides its settings.
func (backupCommand) Help() string { return backupDetail }

// errNoBackupOfPostgres says what to use instead of the command.
var errNoBackupOfPostgres = errors.New("this command is for SQLite: PostgreSQL has pg_dump and pg_basebackup, see docs/backup.md")

// Run needs only the settings of the database.
func (c *backupCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	r := &resolver{problems: load(k, p.env)}
	db := r.database(c.DatabaseURL)
	if err := r.err(); err != nil {
		return err
	}
	switch {
	case db.SQLite == "":
		return errNoBackupOfPostgres
	case !exists(db.SQLite):
		return fmt.Errorf("%v does not exist", db) // opening it would create it
	}
	bar := backupProgress{terminal: isTerminal(p.stderr), out: p.stderr}
	size, err := sqlitedb.Backup(ctx, db.SQLite, c.File, bar.reach)
	bar.clear()
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("nothing was copied, so that no file is overwritten: %w; give another name", err)
	}
	if err != nil {
		return fmt.Errorf("back up %v: %w", db, err)
	}
	fmt.Fprintf(p.stdout, "%v: copied to %s (%s), and the copy is sound\n", db, c.File, humanize.IBytes(uint64(size)))
	return nil
}

// backupProgress is a bar that is drawn from the first step on, which says how long it is.
type backupProgress struct {
	terminal bool
	out      io.Writer
	*progress
}

// reach draws that so many of all pages are done.
func (b *backupProgress) reach(done, all int) {
	if !b.terminal {
		return
	}
	if b.progress == nil {
		b.progress = drawProgress(b.out, all, "pages")
	}
	_ = b.bar.Set(done) // it fails where nothing can be drawn
}
