package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cxbridge/cxbridge/internal/store"
)

type migrateCommand struct {
	FileSettings
	DatabaseSettings `group:"Database"`
}

// Run needs only the settings of the database, so that a job that only migrates is given nothing
// else.
func (c *migrateCommand) Run(ctx context.Context, p *program, k *kong.Context) (err error) {
	r := &resolver{problems: load(k, p.env)}
	cfg := Config{Database: r.database(c.DatabaseURL)}
	if err := r.err(); err != nil {
		return err
	}
	st, err := p.openStore(cfg)
	if err != nil {
		return fmt.Errorf("open %v: %w", cfg.Database, err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()

	before := st.Ping(ctx)
	if err := migrate(ctx, st, p.stderr); err != nil {
		return fmt.Errorf("migrate %v: %w", cfg.Database, err)
	}
	if err := st.Ping(ctx); err != nil {
		return fmt.Errorf("check %v after the migration: %w", cfg.Database, err)
	}
	if before == nil {
		fmt.Fprintf(p.stdout, "%v: the schema was up to date; there was nothing to do\n", cfg.Database)
		return nil
	}
	fmt.Fprintf(p.stdout, "%v: the schema is up to date now\n", cfg.Database)
	return nil
}

// migrateAgain is how long migrate leaves locked tables alone before it tries again.
const migrateAgain = 5 * time.Second

// migrate tries again, for as long as the context allows, while others use the tables, and says so once.
func migrate(ctx context.Context, st store.Store, out io.Writer) error {
	for attempt := 1; ; attempt++ {
		bar := newSpinner(out, "migrating")
		err := st.Migrate(ctx)
		bar.clear()
		if !errors.Is(err, store.ErrLocked) {
			return err
		}
		if attempt == 1 {
			fmt.Fprintf(out, "cxbridge: cannot migrate yet, trying again every %v: %v\n", migrateAgain, err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(migrateAgain):
		}
	}
}
