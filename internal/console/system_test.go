package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

// systemStore also tells of the database and the replicas.
type systemStore struct {
	*fakeStore
	description store.Description
	replicas    []store.Replica
}

func (s *systemStore) Describe(context.Context) (store.Description, error) {
	return s.description, s.fault()
}

func (s *systemStore) Replicas(context.Context) ([]store.Replica, error) {
	return s.replicas, s.fault()
}

func systemBench() (*bench, *systemStore) {
	b := newBench()
	s := &systemStore{fakeStore: b.store, description: store.Description{Engine: "PostgreSQL", Version: "18.1", Schema: 4, Bytes: 3 << 30}}
	b.Store = s
	return b, s
}

func TestSystem(t *testing.T) {
	b, s := systemBench()
	now := time.Now()
	s.replicas = []store.Replica{
		{ID: "first", Host: "host-<1>", Version: "1.2.3", Started: now.Add(-time.Hour), Seen: now.Add(-5 * time.Second)},
		{ID: "second", Host: "host-2", Version: "1.2.2", Started: now.Add(-time.Minute), Seen: now.Add(-3*time.Hour - 10*time.Minute)},
	}
	s.backlog = store.Backlog{Pending: 12, Retrying: 3, Oldest: now.Add(-90 * time.Minute)}
	b.parts = map[string]status.Part{
		"database": {State: "up"}, "spool": {State: "holding", Detail: "7 events wait for the database"}, "crm": {State: "failing"},
		"cxone sms-status-webhook": {State: "subscribed"}, "cxone crm-social-thread-sync": {State: "failing"},
	}
	b.figures = status.Figures{
		TotalProcessed: 12345, TotalErrors: 123, AvgLatencyMs: 4.2, Duplicates: 77, DeadLetters: 11, SpoolEvents: 7, SpoolBytes: 2048, UptimeSeconds: 3725,
		CRM: &status.CRMFigures{Pushes: 901, Failures: 14, Conflicts: 5, Breaker: "open", State: "failing", AvgLagMs: 38},
	}
	for _, token := range []string{viewerToken, adminToken} {
		w := b.get(t, "/system", token)
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		page := w.Body.String()
		want(t, page, "1 h 2 min", "PostgreSQL 18.1, schema 4", "3.0 GiB", "host-&lt;1&gt;", "1 of them silent", `<span class="badge warn">silent</span>`,
			`<span class="badge ok">live</span>`, "3 h 10 min ago", "7 events wait for the database", "sms-status-webhook", `<span class="badge ok">subscribed</span>`,
			`<span class="badge bad">failing</span>`, "12,345", "1.00 %", "901", `<span class="badge bad">open</span>`, "2.0 KiB", "3 of them being retried", "1 h 30 min")
		if strings.Count(page, ">cxone ") > 0 {
			t.Error("a subscription stands among the parts")
		}
	}
}

func TestSystemWhileTheCRMIsLeftAlone(t *testing.T) {
	b, _ := systemBench()
	until := time.Date(2026, 11, 22, 18, 5, 0, 0, time.UTC)
	b.parts["crm"] = status.Part{State: "paused", Until: until, Detail: "it asked for it"}
	b.figures = status.Figures{CRM: &status.CRMFigures{Breaker: "closed", State: "paused", PausedUntil: until}}
	page := b.get(t, "/system", viewerToken).Body.String()
	want(t, page, `<span class="badge warn">paused</span> until <time datetime="2026-11-22T18:05:00Z">`, "it asked for it",
		`left alone until <time datetime="2026-11-22T18:05:00Z">2026-11-22 18:05:00 UTC</time>; breaker closed`)
	wantNot(t, page, "it serves pushes")
}

func TestSystemAlarms(t *testing.T) {
	b, s := systemBench()
	raised := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s.alarms = []store.Alarm{
		slowAlarm("VODAFONE"),
		{Name: store.SlowCarrier, Subject: "O2 & Co", Raised: raised, Cleared: raised.Add(20 * time.Minute), Detail: audit.Detail{"share": 0.08, "after": "5m0s", "window": "15m0s"}},
		{Name: "another-thing", Subject: "x", Raised: raised},
	}
	page := b.get(t, "/system", viewerToken).Body.String()
	want(t, page, "Slow carrier", "VODAFONE", `href="/carriers?carrier=O2&#43;%26&#43;Co"`, "after 20 min",
		"8 % of its messages within 15 min took longer than 5 min", "Another thing", `<span class="badge warn">raised</span>`, ">cleared<")
}

func TestSystemSettings(t *testing.T) {
	b, _ := systemBench()
	b.Settings = []Setting{
		{Name: "ADMIN_TOKEN", Value: "set", Source: "environment"}, {Name: "SLA_MS", Value: "500", Source: "default"},
		{Name: "CRM_API_URL", Value: "https://crm.example/<x>", Source: "file"},
	}
	page := b.get(t, "/system", viewerToken).Body.String()
	want(t, page, "ADMIN_TOKEN", "1 at their default", "https://crm.example/&lt;x&gt;")
	if strings.Contains(page, adminToken) || strings.Contains(page, viewerToken) {
		t.Error("the page tells a token")
	}
	usual, _, _ := strings.Cut(page[strings.Index(page, `id="usual-settings"`):], "</details>")
	want(t, usual, "SLA_MS")
	wantNot(t, usual, "ADMIN_TOKEN")
}

// An operator looks here when the database is away, too.
func TestSystemWithoutDatabase(t *testing.T) {
	b, s := systemBench()
	s.fail(store.ErrUnavailable)
	b.unready, b.parts = true, map[string]status.Part{"database": {State: "down", Detail: "see the log"}}
	w := b.get(t, "/system", viewerToken)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	want(t, w.Body.String(), "Not ready", "No answer", "see the log", "they are not known")
	s.fail(errors.New("a fault"))
	if w := b.get(t, "/system", viewerToken); w.Code != http.StatusInternalServerError {
		t.Errorf("a fault: %d", w.Code)
	}
}

func TestSystemIsEmptyAtFirst(t *testing.T) {
	b, _ := systemBench()
	b.parts = nil
	want(t, b.get(t, "/system", viewerToken).Body.String(), "None has reported yet", "None was ever raised", "CXone is not called",
		"No CRM is set", "everything has its default")
}

// Every live block stands in an element of its name.
func TestSystemBlocks(t *testing.T) {
	b, _ := systemBench()
	c := b.console(t)
	page := b.get(t, "/system", viewerToken).Body.String()
	for _, p := range c.pages {
		if p.Name == "system" {
			for _, block := range p.live {
				want(t, page, `id="`+block+`"`)
			}
		}
	}
	if found := inline.FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
}
