package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
	"context"

	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/api"
)

type recf struct{}
func (recf) Reconcile(ctx context.Context, id string) (reconcile.Outcome, error) { return reconcile.Outcome{Status: reconcile.UpToDate}, nil }
type figs struct{}
func (figs) Figures() api.Figures { return api.Figures{CRM: &api.CRMFigures{Breaker: "closed"}} }

func TestZZServe(t *testing.T) {
	if os.Getenv("ZZ") == "" { return }
	w := newWorld(t, func(c *Config) { c.HasCRM = true; c.Reconciler = recf{}; c.Figures = figs{} })
	for i := range 30 {
		w.sms(t, at("2026-03-01T10:00:00Z").Add(time.Duration(i)*time.Second),
			fmt.Sprintf(`{"messageId":"m-%d-2026","status":"%s","rawStatus":"x","errorCode":"%s","carrier":"VODAFONE","cost":"0.041","currency":"EUR","segments":2,"from":"+12025550100","to":"+1202555%04d","submittedAt":"2026-03-01T09:59:55Z","timestamp":"2026-03-01T10:00:%02dZ"}`, i, []string{"DELIVRD","UNDELIV","SENT"}[i%3], []string{"","3:12",""}[i%3], i, i),
			fmt.Sprintf(`{"messageId":"m-%d-2026","status":"SENT","carrier":"VODAFONE","from":"+12025550100","to":"+1202555%04d","timestamp":"2026-03-01T09:59:%02dZ"}`, i, i, i))
	}
	w.sms(t, at("2026-03-01T10:05:00Z"), `{"messageId":"m/..%2f\"x\" \u202e evil","status":"DELIVRD","from":"+12025550100","to":"+12025550199"}`)
	for i := range 8 {
		w.sms(t, at("2026-03-01T10:05:00Z"), fmt.Sprintf(`{"messageId":"q-%d","status":"DELIVERED","from":"not a sender id!","to":"+12025550101"}`, i))
	}
	w.sms(t, at("2026-03-01T10:06:00Z"), `{"status":"DELIVERED"}`)
	w.threads(t, story...)
	for i := range 60 {
		w.threads(t, fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"conv-%03d","version":%d,"updatedAt":"2026-03-01T09:00:00Z"}}`, i, i))
	}
	c, err := w.db.Claim(t.Context(), store.ClaimRequest{Limit: 100, Lease: time.Minute, Items: 100})
	if err != nil { t.Fatal(err) }
	var ps []store.Push
	for i, wk := range c.Work {
		p := store.Push{Claim: wk.Claim, Rev: wk.Row.Sync.Want, Done: true, Status: 200}
		p.Notes = []audit.Note{{Subject: wk.ThreadID, Action: audit.ActionPush, Outcome: "acknowledged", Detail: audit.Detail{"version": 3, "status": 200, "requests": 2, "added": 4, "ms": 12}}}
		switch {
		case i%7 == 3: p.Done=false; p.Status=503; p.Error="the CRM answers 503: Service Unavailable"; p.RetryIn=time.Hour
			p.Notes[0].Outcome="failed"; p.Notes[0].Detail["reason"]=p.Error; p.Notes[0].Detail["status"]=503
		case i%11 == 5 || wk.ThreadID=="case/4711": p.Done=false; p.Status=422; p.Error="the CRM answers 422: role must be one of CUSTOMER, AGENT"
			p.Notes[0].Outcome="parked"; p.Notes[0].Detail["reason"]=p.Error; p.Notes[0].Detail["status"]=422
			p.Park=&store.DeadLetter{Kind: store.KindThreadPush, Key: wk.ThreadID, Subject: wk.ThreadID, Reason: p.Error, Received: at("2026-03-01T11:00:00Z"), Raw: []byte(`{"threadId":"x","version":1,"addedMessages":[]}`)}
			p.Notes = append(p.Notes, audit.Note{Subject: wk.ThreadID, Action: audit.ActionPark, Outcome: "parked", Detail: audit.Detail{"status": 422, "reason": p.Error}})
		default:
			for _, it := range wk.Items { it.Acked = it.View(); p.Items = append(p.Items, it) }
		}
		ps = append(ps, p)
	}
	if _, err := w.db.Record(t.Context(), ps, at("2026-03-01T11:00:00Z")); err != nil { t.Fatal(err) }
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(sessionCookie); err != nil { r.AddCookie(w.tokens[adminToken]) }
		w.Console.ServeHTTP(rw, r)
	}))
	defer s.Close()
	os.WriteFile("/tmp/h5/url", []byte(s.URL), 0o644)
	for { time.Sleep(time.Second); if _, err := os.Stat("/tmp/h5/url"); err != nil { w.Stop(); return } }
}

var story = []string{
	`{"event":"THREAD_UPDATED","data":{"threadId":"case/4711","version":2,"updatedAt":"2026-03-01T09:00:00Z",
		"participants":[{"id":"p1","role":"CUSTOMER","name":"Ada Lovelace","platformId":"@ada"},{"id":"a1","role":"AGENT","name":"Grace"},{"id":"sys","role":"SYSTEM","name":"Bot"}],
		"messages":[{"id":"m1","text":"Hello, my parcel has not arrived. It was to come on Monday.","timestamp":"2026-03-01T08:00:03Z","authorId":"p1"},
			{"id":"m2","text":"Good morning Ada, I am looking into it. Which number does the parcel have?","timestamp":"2026-03-01T08:01:03Z","authorId":"a1","direction":"OUTBOUND"},
			{"id":"m3","text":"<script>alert(1)</script> 🎉 مرحبا بالعالم \u202e reversed","timestamp":"2026-03-01T08:02:03Z","authorId":"p1"},
			{"id":"m4","text":"Ada was moved to the queue PARCELS","timestamp":"2026-03-01T08:02:30Z","authorId":"sys"},
			{"id":"m6","text":"`+strings.Repeat("A long story. ", 60)+`","timestamp":"2026-03-01T08:06:03Z","authorId":"p1"},
			{"id":"m7","text":"And about my bill: why two?","timestamp":"2026-03-01T08:07:03Z","authorId":"p1"},
			{"id":"m8","text":"And the refund?","timestamp":"2026-03-01T08:07:33Z","authorId":"p1"},
			{"id":"m0","text":"when?","timestamp":"yesterday","authorId":"p1"}]}}`,
	`{"event":"THREAD_MERGED","data":{"threadId":"dm-88213","parentThreadId":"case/4711","version":1,"updatedAt":"2026-03-01T08:05:00Z",
		"participants":[{"id":"p2","role":"CUSTOMER","name":"Ada (Instagram)"}],
		"messages":[{"id":"d1","text":"Hi, does anybody read this?","timestamp":"2026-03-01T08:03:00Z","authorId":"p2"},
			{"id":"d2","text":"I have written by mail, too.","timestamp":"2026-03-01T08:04:04Z","authorId":"p2"}]}}`,
	`{"event":"THREAD_MERGED","data":{"threadId":"dm-88214","parentThreadId":"dm-88213","version":1,"updatedAt":"2026-03-01T08:05:30Z",
		"messages":[{"id":"e1","text":"Number 4711","timestamp":"2026-03-01T08:05:40Z","authorId":"p9"}]}}`,
	`{"event":"THREAD_SPLIT","data":{"threadId":"billing-9","parentThreadId":"case/4711","version":1,"updatedAt":"2026-03-01T09:08:00Z",
		"participants":[{"id":"p1","role":"CUSTOMER","name":"Ada Lovelace"}],
		"messages":[{"id":"m7","text":"And about my bill: why two?","timestamp":"2026-03-01T08:07:03Z","authorId":"p1"},{"id":"m8","text":"And the refund?","timestamp":"2026-03-01T08:07:33Z","authorId":"p1"}]}}`,
}
