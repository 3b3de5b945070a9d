package api

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

func TestSystem(t *testing.T) {
	b := newBench()
	b.Figures = figuresFunc(func() status.Figures { return status.Figures{UptimeSeconds: 12.34567} })
	b.store.description = store.Description{Engine: "SQLite", Version: "3.51.0", Schema: 4, Bytes: 1 << 40}
	b.store.replicas = []store.Replica{
		{ID: "a", Host: "host-1", Version: "1.2.3", Started: at("2026-01-02T04:04:05+01:00"), Seen: at("2026-01-02T03:04:15Z")},
	}
	b.store.backlog = store.Backlog{Pending: 3, Retrying: 2, Parked: 1, Oldest: at("2026-01-02T03:00:00Z")}
	requireSystem(t, b, `{
		"version":"test", "uptimeSeconds":12.346, "status":"ready", "parts":{"database":{"state":"up"}},
		"database":{"engine":"SQLite", "version":"3.51.0", "schema":4, "bytes":1099511627776},
		"replicas":[{"id":"a", "host":"host-1", "version":"1.2.3", "startedAt":"2026-01-02T03:04:05Z", "seenAt":"2026-01-02T03:04:15Z"}],
		"backlog":{"pending":3, "retrying":2, "parked":1, "oldestAt":"2026-01-02T03:00:00Z", "most":10000}}`)

	b.store.overseen = overseen{}
	b.Health = healthFunc(func() (bool, map[string]status.Part) {
		return false, map[string]status.Part{"database": {State: "down", Detail: "start it"}}
	})
	requireSystem(t, b, `{
		"version":"test", "uptimeSeconds":12.346, "status":"unready", "parts":{"database":{"state":"down", "detail":"start it"}},
		"database":{"engine":"", "version":"", "schema":0, "bytes":0}, "replicas":[],
		"backlog":{"pending":0, "retrying":0, "parked":0, "oldestAt":null, "most":10000}}`)

	// An operator asks when the database is away, too.
	b.store.err = fmt.Errorf("%w: dial", store.ErrUnavailable)
	requireSystem(t, b, `{
		"version":"test", "uptimeSeconds":12.346, "status":"unready", "parts":{"database":{"state":"down", "detail":"start it"}},
		"database":null, "replicas":[], "backlog":null}`)
	b.store.err = errors.New("another fault")
	wantProblem(t, b.ask(t, "GET", "/api/system", viewerToken), http.StatusServiceUnavailable)
	if b.log.Len() == 0 {
		t.Error("a fault is not logged")
	}
}

func requireSystem(t *testing.T, b *bench, want string) {
	t.Helper()
	w := b.ask(t, "GET", "/api/system", viewerToken)
	if diff := cmp.Diff(normal(t, want), normal(t, w.Body.String())); w.Code != http.StatusOK || diff != "" {
		t.Errorf("%d (-want +got)\n%s", w.Code, diff)
	}
}
