package api

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

func TestAlarms(t *testing.T) {
	b := newBench()
	none := b.ask(t, "GET", "/api/alarms", viewerToken)
	if diff := cmp.Diff(normal(t, `{"items":[],"next":null}`), normal(t, none.Body.String())); diff != "" {
		t.Error(diff)
	}
	b.store.alarms = []store.Alarm{
		{Name: store.SlowCarrier, Subject: "VODAFONE", Raised: at("2026-01-02T04:04:05+01:00"), Detail: audit.Detail{"slow": 7, "share": 0.5}},
		{Name: store.SlowCarrier, Subject: "TMOBILE", Raised: at("2026-01-02T03:04:05Z"), Cleared: at("2026-01-02T03:05:00Z"), Detail: audit.Detail{}},
	}
	raised := `{"name":"slow-carrier", "subject":"VODAFONE", "raisedAt":"2026-01-02T03:04:05Z", "clearedAt":null, "detail":{"slow":7,"share":0.5}}`
	cleared := `{"name":"slow-carrier", "subject":"TMOBILE", "raisedAt":"2026-01-02T03:04:05Z", "clearedAt":"2026-01-02T03:05:00Z", "detail":{}}`
	for target, want := range map[string]string{
		"/api/alarms":         `{"items":[` + raised + `,` + cleared + `],"next":null}`,
		"/api/alarms?limit=1": `{"items":[` + raised + `],"next":null}`,
	} {
		w := b.ask(t, "GET", target, viewerToken)
		if diff := cmp.Diff(normal(t, want), normal(t, w.Body.String())); w.Code != http.StatusOK || diff != "" {
			t.Errorf("%s: %d (-want +got)\n%s", target, w.Code, diff)
		}
	}
	for _, query := range []string{"limit=0", "limit=501", "limit=x"} {
		wantProblem(t, b.ask(t, "GET", "/api/alarms?"+query, viewerToken), http.StatusUnprocessableEntity)
	}
	b.store.err = store.ErrUnavailable
	wantProblem(t, b.ask(t, "GET", "/api/alarms", viewerToken), http.StatusServiceUnavailable)
}
