package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
	"github.com/cxbridge/cxbridge/internal/store/storetest"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func create(t *testing.T) storetest.Open {
	database := pgtest.Database(t)
	return func() (store.Store, error) { return postgres.Open(database) }
}

func TestStore(t *testing.T) { storetest.Run(t, create) }

func TestReplicas(t *testing.T) { storetest.RunReplicas(t, create) }

func TestOpenSaysNoPassword(t *testing.T) {
	for _, url := range []string{
		"postgres://user:hunter2@host:notaport/db",
		"postgres://user:hunter2@host/db?synchronous_commit=off",
		"postgres://user:hunter2@host/db?synchronous_commit=OFF",
		"postgres://user:hunter2@host/db?pool_max_conns=none",
		"postgres://user:hunter2@host/db?default_query_exec_mode=exec",
		"postgres://user:hunter2@host/db?default_query_exec_mode=simple_protocol",
	} {
		_, err := postgres.Open(url)
		if err == nil {
			t.Errorf("%s was taken", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestServerThatIsAway(t *testing.T) {
	server := pgtest.New(t)
	st, err := postgres.Open(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, do := range map[string]func() error{
		"Migrate": func() error { return st.Migrate(ctx) },
		"Ping":    func() error { return st.Ping(ctx) },
		"Commit": func() error {
			letter := &store.DeadLetter{Kind: store.KindSMS, Reason: "x", Raw: []byte("x")}
			_, err := st.Commit(ctx, store.Batch{Entries: []store.Entry{{DeadLetter: letter}}})
			return err
		},
		"Message": func() error { _, _, err := st.Message(ctx, "m"); return err },
	} {
		if err := do(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
	if err := server.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	if err := st.Ping(ctx); !errors.Is(err, store.ErrSchema) {
		t.Errorf("Ping of an empty database: got %v, want ErrSchema", err)
	}
	if err := st.Migrate(ctx); err != nil {
		t.Errorf("Migrate after the server came back: %v", err)
	}
}

func TestPingOfAReadOnlyDatabase(t *testing.T) {
	database := pgtest.Database(t)
	for _, setting := range []string{"", "on", "off"} {
		u, err := url.Parse(database)
		if err != nil {
			t.Fatal(err)
		}
		if setting != "" {
			query := u.Query()
			query.Set("default_transaction_read_only", setting)
			u.RawQuery = query.Encode()
		}
		st, err := postgres.Open(u.String())
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if setting == "" {
			if err := st.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := st.Ping(t.Context()); errors.Is(err, store.ErrUnavailable) != (setting == "on") {
			t.Errorf("Ping with default_transaction_read_only=%s: %v", setting, err)
		}
	}
}

func TestServerSettings(t *testing.T) {
	st, err := postgres.Open(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	settings, err := st.ServerSettings(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if settings["synchronous_commit"] != "on" || settings["fsync"] != "off" || settings["server_version"] == "" {
		t.Errorf("got %v; the connection asks for synchronous_commit=on, and pgtest runs with fsync=off", settings)
	}
}
