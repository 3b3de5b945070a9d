package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

type backupCommand struct {
	FileSettings
	DatabaseSettings `group:"Database"`

	File string `arg:"" placeholder:"FILE" help:"The file to make. It must not exist, and its folder must."`
}

const backupDetail = `Copies the SQLite database into a file, while the service runs, and checks the copy. What was
acknowledged before the command began is in it. The file has its name only when it is whole; until then
it is called FILE.partial. To copy the database by other means is not safe as long as the service runs.

PostgreSQL has backups of its own. docs/backup.md tells how both are made and restored.

Example:
  cxbridge backup /mnt/backup/cxbridge-$(date +%Y%m%dT%H%M%S).db`

// Help is what the help of the command says beside its settings.
func (backupCommand) Help() string { return backupDetail }

// errNoBackupOfPostgres says what to do in place of the command.
var errNoBackupOfPostgres = errors.New("this command is for SQLite: PostgreSQL has pg_dump and pg_basebackup, see docs/backup.md")

// Run needs the settings of the database alone.
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
		return fmt.Errorf("%v does not exist", db) // to open it would make it
	}
	bar := newBackupProgress(p.stderr)
	defer bar.clear()
	size, err := sqlitedb.Backup(ctx, db.SQLite, c.File, bar.reach)
	bar.clear()
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("nothing was copied, lest something be overwritten: %w", err)
	}
	if err != nil {
		return fmt.Errorf("back up %v: %w", db, err)
	}
	fmt.Fprintf(p.stdout, "%v: copied to %s (%s), and the copy is sound\n", db, c.File, humanize.IBytes(uint64(size)))
	return nil
}

// newBackupProgress draws a bar whose end is known at the first step.
func newBackupProgress(out io.Writer) *progress {
	if !isTerminal(out) {
		return nil
	}
	return &progress{progressbar.NewOptions(-1, progressbar.OptionSetWriter(out), progressbar.OptionShowCount(),
		progressbar.OptionSetItsString("pages"), progressbar.OptionShowIts(), progressbar.OptionSetRenderBlankState(true))}
}

// reach draws that so much of all is done.
func (p *progress) reach(done, all int) {
	if p != nil {
		p.bar.ChangeMax(all)
		_ = p.bar.Set(done)
	}
}
