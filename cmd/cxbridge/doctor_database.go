package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cxbridge/cxbridge/internal/store"
)

// serverInspector is a store that knows the settings of its server.
type serverInspector interface {
	// ServerSettings returns settings of the database server by their own names, among them
	// "server_version", "synchronous_commit" and "fsync".
	ServerSettings(ctx context.Context) (map[string]string, error)
}

// checkDatabase asks the database whether it is there and has our schema, and the server whether its
// commits can be relied on.
func (d *doctor) checkDatabase(ctx context.Context) finding {
	db := d.cfg.Database
	switch {
	case db == Database{}:
		return skipped("DATABASE_URL is wrong or unreadable")
	case db.SQLite != "" && !exists(db.SQLite):
		return fine("%v does not exist yet; serve creates it", db)
	}
	st, err := d.openStore(d.cfg)
	if err != nil {
		return finding{gradeFail, fmt.Sprintf("%v cannot be opened: %v", db, err), db.advice("check DATABASE_URL")}
	}
	defer st.Close()
	f := fine("%v answers and its schema is up to date", db)
	switch err := st.Ping(ctx); {
	case errors.Is(err, store.ErrUnavailable):
		return finding{gradeFail, fmt.Sprintf("%v cannot be used: %v", db, err),
			db.advice("see that it runs and can be reached, and that user, password and sslmode in DATABASE_URL are right")}
	case err != nil:
		f = finding{gradeWarn, fmt.Sprintf("%v answers: %v", db, err), []string{"`cxbridge migrate` brings the schema up to date; serve does so at its start"}}
	}
	if server, can := st.(serverInspector); can {
		f.inspect(ctx, server)
	}
	return f
}

// advice returns what to do about a database that cannot be used: for SQLite always the same, for
// PostgreSQL the text.
func (d Database) advice(postgres string) []string {
	if d.SQLite != "" {
		return []string{"see that it is a SQLite database, that this user may write to it and its folder, that the disk is not full, and that no other program locks it"}
	}
	return []string{postgres}
}

// inspect adds the server settings under which a commit that returned may not be on the disk.
func (f *finding) inspect(ctx context.Context, server serverInspector) {
	settings, err := server.ServerSettings(ctx)
	if err != nil {
		f.grade, f.text = gradeWarn, fmt.Sprintf("%s; the server does not show its settings: %v", f.text, err)
		f.advice = append(f.advice, "see that synchronous_commit and fsync are on")
		return
	}
	f.text += "; version " + settings["server_version"]
	if settings["fsync"] == "off" {
		f.grade, f.advice = gradeFail, append(f.advice, "fsync is off on the server, so a crash can lose everything: turn it on")
	}
	if settings["synchronous_commit"] == "off" {
		f.grade, f.advice = gradeFail, append(f.advice, "synchronous_commit is off, so a crash loses what was acknowledged: turn it on")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
