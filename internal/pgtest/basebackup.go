package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Archiving holds the settings that make a server copy each full segment of its write-ahead log into a folder
// beside its data. The server runs the command in its data folder.
var Archiving = []string{
	"archive_mode=on",
	"archive_command=mkdir -p ../archive && cp %p ../archive/%f.partial && mv ../archive/%f.partial ../archive/%f",
}

// BaseBackup copies the data of a running server by pg_basebackup. Restore makes a cluster of the copy.
func (c *Cluster) BaseBackup(ctx context.Context) (*BaseBackup, error) {
	program, err := Program("pg_basebackup")
	if err != nil {
		return nil, err
	}
	dir, owner, err := newFolder(filepath.Dir(c.dir))
	if err != nil {
		return nil, err
	}
	b := &BaseBackup{dir: dir, archive: filepath.Join(c.dir, "archive")}
	copying := exec.CommandContext(ctx, program, "--dbname="+c.URL, "--pgdata="+filepath.Join(dir, "data"), "--checkpoint=fast", "--wal-method=stream")
	copying.Dir, copying.SysProcAttr = dir, &syscall.SysProcAttr{Credential: owner}
	if out, err := copying.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("pgtest: pg_basebackup: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return b, nil
}

// BaseBackup is a copy of the data of a cluster that has the settings Archiving.
type BaseBackup struct{ dir, archive string }

// Restore starts a server on the copy, and waits until it has replayed the archive to its end. The cluster
// that was copied need not run, but its folder must exist. Restore may be called once.
func (b *BaseBackup) Restore(ctx context.Context, settings ...string) (*Cluster, error) {
	c, err := b.restore(ctx, settings)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.dir))
	}
	if err := c.awaitRecovered(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (b *BaseBackup) restore(ctx context.Context, settings []string) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: b.dir, bin: bin, settings: append(settings, "restore_command=cp "+b.archive+"/%f %p")}
	if err := os.WriteFile(filepath.Join(c.data(), "recovery.signal"), nil, 0o644); err != nil {
		return nil, err
	}
	if err := c.choosePort(); err != nil {
		return nil, err
	}
	return c, c.Resume(ctx)
}

// awaitRecovered waits until a server that answers has ended its recovery.
func (c *Cluster) awaitRecovered(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		var recovering bool
		if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovering); err != nil || !recovering {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("pgtest: the server does not come to the end of the archive: %w", ctx.Err())
		}
	}
}
