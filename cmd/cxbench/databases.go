package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/cxbridge/cxbridge/internal/load"
)

// database is what the benchmark needs from the database under a server.
type database interface {
	// rows counts the rows of the run whose message ids have the prefix.
	rows(ctx context.Context, prefix string) (load.Rows, error)

	// settle lets the database come to rest before a run, so that no run pays for the one before it.
	settle(ctx context.Context) error

	// counters returns how much work the database has done so far; zeros if it does not count that.
	counters(ctx context.Context) (counters, error)

	// describe names the version and the settings that matter.
	describe(ctx context.Context) (string, error)

	// execute runs a statement that changes the database.
	execute(ctx context.Context, statement string) error
}

// counters only grow; the work of a run is the difference.
type counters struct {
	Commits  int64         `json:"commits"`
	WALBytes int64         `json:"wal_bytes"`
	CPU      time.Duration `json:"cpu_ns"`
}

func (c counters) since(before counters) counters {
	return counters{
		Commits: c.Commits - before.Commits, WALBytes: c.WALBytes - before.WALBytes, CPU: c.CPU - before.CPU,
	}
}

type postgresDatabase struct {
	url        string
	messages   string // the table of the messages
	history    string // the table of the receipts that are not in messages; "" when none is kept
	postmaster int    // process id; 0 when it is not ours to look at
}

func (d *postgresDatabase) connect(ctx context.Context, use func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return use(conn)
}

func (d *postgresDatabase) rows(ctx context.Context, prefix string) (rows load.Rows, err error) {
	err = d.connect(ctx, func(conn *pgx.Conn) error {
		q := `SELECT count(*), count(*) FILTER (WHERE status = 'DELIVERED') FROM ` + d.messages + ` WHERE message_id LIKE $1 || '%'`
		if err := conn.QueryRow(ctx, q, prefix).Scan(&rows.Messages, &rows.Final); err != nil {
			return err
		}
		if d.history == "" {
			rows.Receipts = load.NotKept
			return nil
		}
		q = `SELECT $2 + count(*) FROM ` + d.history + ` WHERE message_id LIKE $1 || '%'`
		return conn.QueryRow(ctx, q, prefix, rows.Messages).Scan(&rows.Receipts)
	})
	return rows, err
}

// settle writes out what the previous run left in memory.
func (d *postgresDatabase) settle(ctx context.Context) error {
	return d.connect(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CHECKPOINT")
		return err
	})
}

// counters may be read once the server has stopped: the processes of PostgreSQL report their
// commits when their connection ends.
func (d *postgresDatabase) counters(ctx context.Context) (c counters, err error) {
	err = d.connect(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint
			FROM pg_stat_database WHERE datname = current_database()`).Scan(&c.Commits, &c.WALBytes)
	})
	if err == nil && d.postmaster != 0 {
		c.CPU, err = familyCPUTime(d.postmaster)
	}
	return c, err
}

func (d *postgresDatabase) describe(ctx context.Context) (string, error) {
	names := []string{"server_version", "synchronous_commit", "fsync", "shared_buffers", "max_wal_size"}
	values := make([]string, len(names))
	err := d.connect(ctx, func(conn *pgx.Conn) error {
		for i, name := range names {
			if err := conn.QueryRow(ctx, "SHOW "+name).Scan(&values[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if values[1] != "on" || values[2] != "on" {
		return "", fmt.Errorf("PostgreSQL runs with synchronous_commit=%s and fsync=%s: its 2xx would be worth nothing", values[1], values[2])
	}
	version, _, _ := strings.Cut(values[0], " ")
	line := "PostgreSQL " + version + ":"
	for i := 1; i < len(names); i++ {
		line += " " + names[i] + "=" + values[i]
	}
	return line, nil
}

func (d *postgresDatabase) execute(ctx context.Context, statement string) error {
	return d.connect(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statement)
		return err
	})
}

// statements counts all statements of the server so far, BEGIN and COMMIT among them. It needs
// countingStatements, and the extension.
func (d *postgresDatabase) statements(ctx context.Context) (n int64, err error) {
	err = d.connect(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements").Scan(&n)
	})
	return n, err
}

type sqliteDatabase struct{ path string }

func (d *sqliteDatabase) rows(ctx context.Context, prefix string) (load.Rows, error) {
	var rows load.Rows
	err := d.query(ctx, `SELECT count(*), count(*) FILTER (WHERE status = 'DELIVERED') FROM sms_messages
		WHERE message_id GLOB ? || '*'`, []any{prefix}, &rows.Messages, &rows.Final)
	if err != nil {
		return rows, err
	}
	err = d.query(ctx, `SELECT ? + count(*) FROM sms_receipts WHERE message_id GLOB ? || '*'`,
		[]any{rows.Messages, prefix}, &rows.Receipts)
	return rows, err
}

func (d *sqliteDatabase) query(ctx context.Context, q string, args []any, into ...any) error {
	name := url.URL{Scheme: "file", Opaque: d.path, RawQuery: "mode=ro"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return err
	}
	defer db.Close()
	return db.QueryRowContext(ctx, q, args...).Scan(into...)
}

// settle has nothing to do: the server wrote everything out when it closed the file.
func (d *sqliteDatabase) settle(context.Context) error { return nil }

func (d *sqliteDatabase) counters(context.Context) (counters, error) { return counters{}, nil }

func (d *sqliteDatabase) describe(ctx context.Context) (string, error) {
	var version, journal string
	if err := d.query(ctx, "SELECT sqlite_version(), journal_mode FROM pragma_journal_mode", nil, &version, &journal); err != nil {
		return "", err
	}
	return fmt.Sprintf("SQLite %s: journal_mode=%s", version, journal), nil
}

func (d *sqliteDatabase) execute(ctx context.Context, statement string) error {
	db, err := sql.Open("sqlite", d.path)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
