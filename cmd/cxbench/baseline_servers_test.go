package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/proof"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && strings.HasPrefix(os.Args[1], "serve-") {
		main() // this binary started itself as one of the baselines
		return
	}
	code := pgtest.Main(m)
	if err := goleak.Find(); code == 0 && err != nil {
		panic(err)
	}
	os.Exit(code)
}

// putLoad sends receipts to a handler for a moment.
func putLoad(t *testing.T, handler http.Handler, cfg load.Config) load.Ledger {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	cfg.Addr, cfg.Path, cfg.Connections = server.Listener.Addr().String(), proof.ReceiptsPath, 4
	cfg.Duration = 200 * time.Millisecond
	result, err := load.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if result.Ledger.Failures() != 0 {
		t.Fatalf("not everything was acknowledged: %+v", result.Ledger)
	}
	return result.Ledger
}

func TestBareHandlerUnderLoad(t *testing.T) {
	ledger := putLoad(t, bareHandler(), load.Config{Prefix: "bare"})
	if ledger.Receipts != ledger.Requests {
		t.Errorf("got %+v", ledger)
	}
}

func TestNaiveHandlerIsVerified(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Database(t)
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, createNaiveTable); err != nil {
		t.Fatal(err)
	}
	ledger := putLoad(t, naiveHandler(pool), load.Config{Prefix: "naive", Repeat: 0.5})
	db := &postgresDatabase{url: address, messages: naiveTable}
	one := &run{Result: load.Result{Ledger: ledger}}
	if err := one.verify(ctx, db, "naive"); err != nil || one.Verified != "" {
		t.Fatalf("%v; %s", err, one.Verified)
	}
	if _, err := pool.Exec(ctx, `INSERT INTO `+naiveTable+` (message_id, carrier_code, status, updated_at, raw_payload) VALUES ('naive-2', '', '', now(), '{}')`); err != nil {
		t.Fatal(err)
	}
	if err := one.verify(ctx, db, "naive"); err != nil || !strings.Contains(one.Verified, "TOO MANY") {
		t.Errorf("with a stray row: %v; %q", err, one.Verified)
	}
	if _, err := pool.Exec(ctx, `DELETE FROM `+naiveTable+` WHERE message_id IN (SELECT message_id FROM `+naiveTable+` LIMIT 2)`); err != nil {
		t.Fatal(err)
	}
	if err := one.verify(ctx, db, "naive"); err != nil || !strings.Contains(one.Verified, "LOST") {
		t.Errorf("with a row missing: %v; %q", err, one.Verified)
	}
	if err := verify([]run{{Target: "b"}, *one}); err == nil || !strings.Contains(err.Error(), "LOST") {
		t.Errorf("the verdict is %v", err)
	}
}
