package pgtest

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestDatabasesAreApart(t *testing.T) {
	ctx := context.Background()
	first, second := Database(t), Database(t)
	if first == second {
		t.Fatal("two calls gave one database")
	}
	query(t, first, "CREATE TABLE only_here (n int)")
	conn, err := pgx.Connect(ctx, second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT n FROM only_here"); err == nil {
		t.Error("the second database has the table of the first")
	}
}

func TestDataSurvivesKill(t *testing.T) {
	c := New(t)
	query(t, c.URL, "CREATE TABLE kept (n int)")
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(context.Background(), c.URL); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := c.Resume(context.Background()); err != nil {
		t.Fatal(err)
	}
	query(t, c.URL, "SELECT n FROM kept")
}

// What was committed before every process of the server was killed is there when it runs again.
func TestDataSurvivesCrash(t *testing.T) {
	c := New(t)
	query(t, c.URL, "CREATE TABLE kept (n int)")
	for range 2 {
		if err := c.Crash(); err != nil {
			t.Fatal(err)
		}
		if _, err := pgx.Connect(context.Background(), c.URL); err == nil {
			t.Fatal("a server that crashed answers")
		}
		if err := c.Resume(context.Background()); err != nil {
			t.Fatal(err)
		}
		query(t, c.URL, "SELECT n FROM kept")
	}
}

// A test that fails while its server is paused must not hang at its end.
func TestEndOfAPausedServer(t *testing.T) {
	for name, end := range map[string]func(*Cluster) error{"stop": (*Cluster).Stop, "kill": (*Cluster).Kill, "crash": (*Cluster).Crash} {
		c := New(t)
		if err := c.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := end(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		select {
		case <-c.exited:
		default:
			t.Errorf("%s: the server runs", name)
		}
	}
}

func query(t *testing.T, url, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}
