package proof

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

const deltaBody = `{"threadId":"t/1","version":VERSION,"updatedAt":"2026-03-02T10:00:00Z","parentThreadId":null,"addedMessages":[],"addedParticipants":[]}`

// ask sends a request as a replica does, and returns the ETag of the answer; "" when there is none.
func ask(t *testing.T, r *Recorder, replica, method, ifMatch, version string) string {
	t.Helper()
	path := "/threads/t%2F1"
	if method == http.MethodPost {
		path = "/threads"
	}
	var body io.Reader
	if method != http.MethodGet {
		body = strings.NewReader(strings.Replace(deltaBody, "VERSION", version, 1))
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Address()+"/"+replica+path, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.Settings["CRM_API_TOKEN"])
	request.Header.Set("Idempotency-Key", "key-"+version)
	if ifMatch != "" {
		request.Header.Set("If-Match", ifMatch)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	response.Body.Close()
	return response.Header.Get("ETag")
}

// The history says what the CRM did, even if its answer said something else.
func TestRecorder(t *testing.T) {
	crm, err := StartCRM(1, sim.CRMTrouble{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Record(crm)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	faults := []sim.CRMFault{{}, {Status: 500, Applied: true}, {Status: 503}, {}, {Cut: true, Applied: true}, {Cut: true}, {}}
	r.SetFaults(func(*http.Request) sim.CRMFault {
		f := faults[0]
		faults = faults[1:]
		return f
	})
	first := ask(t, r, "a", http.MethodPost, "", "1")
	ask(t, r, "a", http.MethodPatch, first, "2") // carried out, and answered with 500
	ask(t, r, "a", http.MethodPatch, first, "3")
	second := ask(t, r, "b", http.MethodGet, "", "")
	ask(t, r, "b", http.MethodPatch, second, "4") // carried out, and cut off
	ask(t, r, "b", http.MethodPatch, second, "5")
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	go r.MeddleUntil(ctx, rand.New(rand.NewPCG(1, 1)), time.Millisecond)
	if err := Await(ctx, "another writer works", func() bool { return len(r.History()) > 6 }); err != nil {
		t.Fatal(err)
	}
	cancel()
	h := r.History()
	for i, want := range []Operation{
		{Replica: "a", Method: "POST", Key: "key-1", Version: 1, Carried: true, Status: 201, ETag: first, Told: 1},
		{Replica: "a", Method: "PATCH", Key: "key-2", IfMatch: first, Version: 2, Carried: true, lied: true},
		{Replica: "a", Method: "PATCH", Key: "key-3", IfMatch: first, Version: 3},
		{Replica: "b", Method: "GET", Key: "key-", Carried: true, Status: 200, ETag: second, Told: 2},
		{Replica: "b", Method: "PATCH", Key: "key-4", IfMatch: second, Version: 4, Carried: true, lied: true},
		{Replica: "b", Method: "PATCH", Key: "key-5", IfMatch: second, Version: 5},
		{Carried: true},
	} {
		got := *h[i]
		if got.Thread != "t/1" || got.Return.Before(got.Call) {
			t.Errorf("operation %d: %+v", i, got)
		}
		got.Thread, got.Call, got.Return = "", time.Time{}, time.Time{}
		if got != want {
			t.Errorf("operation %d is %+v, want %+v", i, got, want)
		}
	}
	if checked := CheckHistories(h, time.Minute); len(checked.Wrong) != 0 || checked.Threads != 1 || checked.Lost != 2 {
		t.Errorf("%+v", checked)
	}
}

// A request that the CRM did not come to gets no answer, also not by way of a connection that is half
// closed: an empty 200 would say that it was carried out.
func TestRecorderOfHalfClosed(t *testing.T) {
	crm, err := StartCRM(1, sim.CRMTrouble{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Record(crm)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{Stall: true} })
	conn, err := net.Dial("tcp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /a/threads/t HTTP/1.1\r\nHost: crm\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 {
		t.Errorf("answered %q, %v", answer, err)
	}
	if h := r.History(); len(h) != 1 || h[0].Carried {
		t.Errorf("%d operations", len(h))
	}
}
