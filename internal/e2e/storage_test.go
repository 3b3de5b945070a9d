package e2e_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// storage is an empty database for one test, and a folder for the spool. It is read with SQL, like people
// do who do not use the API.
type storage struct {
	settings settings
	open     func() (*sql.DB, error)
}

// onEach runs a test on each kind of database.
func onEach(t *testing.T, test func(t *testing.T, s *storage)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, onSQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, onPostgres(t, pgtest.Database(t)))
	})
}

func onSQLite(t testing.TB) *storage {
	path := filepath.Join(t.TempDir(), "cxbridge.db")
	return &storage{
		settings: settings{"DATABASE_URL": "sqlite:" + path},
		open:     func() (*sql.DB, error) { return sqlitedb.Open(path, sqlitedb.Options{ReadOnly: true}) },
	}
}

func onPostgres(t testing.TB, url string) *storage {
	return &storage{
		settings: settings{"DATABASE_URL": url, "SPOOL_DIR": filepath.Join(t.TempDir(), "spool")},
		open:     func() (*sql.DB, error) { return sql.Open("pgx", url) },
	}
}

// query calls scan for each row of a query's result.
func (s *storage) query(t testing.TB, query string, scan func(*sql.Rows) error) {
	t.Helper()
	db, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// count returns the number that a query results in.
func (s *storage) count(t testing.TB, query string) (n int) {
	t.Helper()
	s.query(t, query, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n
}

// row is a row of sms_messages and the number of its receipts; what is null is "".
type row struct {
	status, rawStatus, statusAt, carrier, errorCode, sender, recipient, region, compliance string

	receipts int
}

const selectMessages = `SELECT m.message_id, m.status, m.raw_status, m.status_at, m.carrier_code,
	coalesce(m.error_code, ''), coalesce(m.sender_id, ''), coalesce(m.recipient, ''),
	coalesce(m.region, ''), m.compliance, h.receipts
FROM sms_messages m
JOIN (SELECT message_id, count(*) AS receipts FROM sms_receipt_history GROUP BY message_id) h
ON h.message_id = m.message_id`

// messages returns every row of sms_messages by its message id.
func (s *storage) messages(t testing.TB) map[string]row {
	t.Helper()
	all := make(map[string]row)
	s.query(t, selectMessages, func(rows *sql.Rows) error {
		var id string
		var r row
		var at any
		err := rows.Scan(&id, &r.status, &r.rawStatus, &at, &r.carrier, &r.errorCode, &r.sender, &r.recipient,
			&r.region, &r.compliance, &r.receipts)
		r.statusAt = timeText(t, at)
		all[id] = r
		return err
	})
	return all
}

// timeText writes a time of either database as the API does.
func timeText(t testing.TB, at any) string {
	t.Helper()
	switch at := at.(type) {
	case nil:
		return ""
	case time.Time:
		return at.UTC().Format(time.RFC3339Nano)
	case string:
		parsed, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Format(time.RFC3339Nano)
	}
	t.Fatalf("a time of type %T", at)
	return ""
}

// deadLetterCount returns how many dead letters there are.
func (s *storage) deadLetterCount(t testing.TB) int {
	t.Helper()
	return s.count(t, "SELECT count(*) FROM dead_letters")
}
