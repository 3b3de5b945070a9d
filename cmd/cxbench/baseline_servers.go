package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// The baselines are servers like cxbridge: each is its own process, on net/http with its defaults.

// bareHandler is the ceiling: it reads the body and answers, and that is all.
func bareHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+proof.ReceiptsPath, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, "cannot read the body", http.StatusBadRequest)
			return
		}
		answer(w, map[string]any{"acknowledged": true})
	})
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

// naiveTable has the columns that the handler of the tutorial writes.
const naiveTable = "naive_sms_messages"

const createNaiveTable = `CREATE TABLE IF NOT EXISTS ` + naiveTable + ` (
	message_id   text PRIMARY KEY,
	carrier_code text NOT NULL,
	status       text NOT NULL,
	error_code   text,
	sender_id    text,
	recipient    text,
	updated_at   timestamptz NOT NULL,
	raw_payload  json NOT NULL
)`

const naiveUpsert = `INSERT INTO ` + naiveTable + `
	(message_id, carrier_code, status, error_code, sender_id, recipient, updated_at, raw_payload)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
	ON CONFLICT (message_id) DO UPDATE SET
		carrier_code = EXCLUDED.carrier_code, status = EXCLUDED.status, error_code = EXCLUDED.error_code,
		updated_at = EXCLUDED.updated_at, raw_payload = EXCLUDED.raw_payload`

// naiveHandler stores each receipt by its own statement, and so in its own transaction. It answers after the
// commit, because otherwise there would be nothing to compare.
func naiveHandler(pool *pgxpool.Pool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+proof.ReceiptsPath, func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "cannot read the body", http.StatusBadRequest)
			return
		}
		var event struct {
			Payload struct {
				MessageID string  `json:"messageId"`
				Carrier   string  `json:"carrier"`
				Status    string  `json:"status"`
				ErrorCode *string `json:"errorCode"`
				From      string  `json:"from"`
				To        string  `json:"to"`
			} `json:"payload"`
		}
		if err := json.Unmarshal(raw, &event); err != nil {
			http.Error(w, "malformed payload", http.StatusBadRequest)
			return
		}
		p := &event.Payload
		_, err = pool.Exec(r.Context(), naiveUpsert,
			p.MessageID, p.Carrier, p.Status, p.ErrorCode, p.From, p.To, time.Now(), string(raw))
		if err != nil {
			http.Error(w, "database error", http.StatusInternalServerError)
			return
		}
		answer(w, map[string]any{"acknowledged": true, "messageId": p.MessageID})
	})
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

func answer(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	// An error means that the caller is gone: there is nobody to report it to.
	_ = json.NewEncoder(w).Encode(body)
}

func serveBare(addr string) error { return serveUntilSignal(addr, bareHandler()) }

func serveNaive(addr, databaseURL string) error {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, createNaiveTable); err != nil {
		return err
	}
	return serveUntilSignal(addr, naiveHandler(pool))
}

// serveUntilSignal serves until SIGTERM or SIGINT, and finishes what is in flight.
func serveUntilSignal(addr string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
