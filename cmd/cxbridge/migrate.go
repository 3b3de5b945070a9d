package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
)

type migrateCommand struct {
	FileSettings
	DatabaseSettings `group:"Database"`
}

// Run needs the settings of the database alone, so that a job that only migrates is given nothing
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
	bar := newSpinner(p.stderr, "migrating")
	err = st.Migrate(ctx)
	bar.clear()
	if err != nil {
		return fmt.Errorf("migrate %v: %w", cfg.Database, err)
	}
	if err := st.Ping(ctx); err != nil {
		return fmt.Errorf("check %v after the migration: %w", cfg.Database, err)
	}
	if before == nil {
		fmt.Fprintf(p.stdout, "%v: the schema was up to date; nothing was to do\n", cfg.Database)
		return nil
	}
	fmt.Fprintf(p.stdout, "%v: the schema is up to date now\n", cfg.Database)
	return nil
}
