package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
)

// openDatabase makes an empty database. The store is for this process, to fill the database; the target is
// cxbridge on it.
func (w *workspace) openDatabase(ctx context.Context, kind, name string) (store.Store, *target, error) {
	if kind == "sqlite" {
		t := w.onSQLite(name)
		st, err := sqlite.Open(filepath.Join(w.dir, name+".db"))
		return st, t, err
	}
	url, err := w.cluster.CreateDatabase(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	st, err := postgres.Open(url)
	return st, w.onPostgres(url), err
}

// stocked is a database that was filled.
type stocked struct {
	target *target
	stock  *stock
	took   time.Duration
	bytes  int64 // of the database
}

// fillDatabase makes a database with that many messages.
func (w *workspace) fillDatabase(ctx context.Context, kind, name string, messages int) (*stocked, error) {
	st, t, err := w.openDatabase(ctx, kind, name)
	if err != nil {
		return nil, err
	}
	began, writers := time.Now(), 2
	if kind == "sqlite" {
		writers = 1 // transactions take turns, and rows are to be in the order of time
	}
	filled := &stocked{target: t}
	filled.stock, err = fill(ctx, st, messages, writers)
	filled.took = time.Since(began)
	if err == nil {
		var d store.Description
		d, err = st.Describe(ctx)
		filled.bytes = d.Bytes
	}
	if err = errors.Join(err, st.Close()); err != nil {
		return nil, err
	}
	if kind == "postgres" {
		// What autovacuum does sooner or later must not fall into the measurement.
		if err := t.database.execute(ctx, "VACUUM (ANALYZE)"); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(os.Stderr, "%d messages filled in %s\n", messages, filled.took.Round(time.Second))
	return filled, w.describe(ctx, t)
}
