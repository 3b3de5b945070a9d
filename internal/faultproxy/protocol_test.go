package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// echo answers with the body of a request, or reports the error of reading it.
func echo(t *testing.T) (server *httptest.Server, broken <-chan error) {
	errs := make(chan error, 1)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			errs <- err
			return
		}
		_, _ = w.Write(body) // who is gone needs no answer
	}))
	t.Cleanup(server.Close)
	return server, errs
}

func TestHTTP(t *testing.T) {
	server, broken := echo(t)
	p := start(t, server.Listener.Addr().String())
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	t.Cleanup(client.CloseIdleConnections)
	body := bytes.Repeat([]byte("a request "), 20_000)
	post := func() (string, error) {
		answer, err := client.Post("http://"+p.Addr(), "text/plain", bytes.NewReader(body))
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		heard, err := io.ReadAll(answer.Body)
		return string(heard), err
	}
	mustEcho := func() {
		t.Helper()
		if heard, err := post(); heard != string(body) || err != nil {
			t.Fatalf("%d bytes of %d and %v came back", len(heard), len(body), err)
		}
	}
	mustEcho()
	began := time.Now()
	p.Set(Fault{Latency: 20 * time.Millisecond, Jitter: time.Millisecond})
	mustEcho()
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("a request and its answer took %v", took)
	}
	p.Set(Fault{BytesPerSecond: 2_000_000})
	began = time.Now()
	mustEcho()
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("%d bytes, and back, took %v", len(body), took)
	}
	p.Set(Fault{CutAfter: int64(len(body) / 2)})
	if heard, err := post(); err == nil {
		t.Errorf("a request that was cut was answered with %d bytes", len(heard))
	}
	if err := <-broken; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server was told %v in the midst of it", err)
	}
	p.Set(Fault{})
	mustEcho()
}

// database connects to a real PostgreSQL through a proxy.
func database(t *testing.T) (*Proxy, func() *pgx.Conn) {
	t.Helper()
	direct, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, direct.Host)
	direct.Host = p.Addr()
	return p, func() *pgx.Conn {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), direct.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = conn.Close(context.Background()) // it may be broken
			<-conn.PgConn().CleanupDone()
		})
		return conn
	}
}

func TestPostgreSQL(t *testing.T) {
	p, connect := database(t)
	conn := connect()
	p.Set(Fault{Latency: time.Millisecond, Jitter: time.Millisecond, BytesPerSecond: 20 << 20})
	batch := &pgx.Batch{}
	for i := range 200 {
		batch.Queue("SELECT $1::int, $2::text", i, strings.Repeat("x", 10*i)).QueryRow(func(row pgx.Row) error {
			var number int
			var text string
			err := row.Scan(&number, &text)
			if err == nil && (number != i || len(text) != 10*i) {
				t.Errorf("answer %d is %d with %d bytes", i, number, len(text))
			}
			return err
		})
	}
	if err := conn.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Fatal(err)
	}

	p.Set(Fault{BlackHole: true})
	answered := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "CREATE TABLE held (n int)")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a statement in a black hole ended with %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.Set(Fault{})
	if err := <-answered; err != nil {
		t.Errorf("a statement that was held ended with %v", err)
	}

	p.Reset()
	if err := conn.Ping(t.Context()); err == nil || !conn.IsClosed() {
		t.Errorf("a connection that was reset answers %v", err)
	}
	conn = connect()
	p.HalfClose() // and PostgreSQL ends the session
	eventually(t, "the session has ended", func() bool { return conn.Ping(t.Context()) != nil })
}
