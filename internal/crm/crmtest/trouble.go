package crmtest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// The CRM asks to be left alone: nobody decides on the thread.
func testThrottled(t *testing.T, sink crm.Sink, far CRM) {
	eachCall(t, sink, func(t *testing.T, c call, id string) {
		for _, tt := range []struct {
			status     int
			retryAfter string
			want       time.Duration // at most
		}{
			{http.StatusTooManyRequests, "", 0},
			{http.StatusTooManyRequests, "7", 7 * time.Second},
			{http.StatusServiceUnavailable, "30", 30 * time.Second},
			{http.StatusServiceUnavailable, time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), time.Minute},
			{http.StatusTooManyRequests, "86400", 5 * time.Minute},
			{http.StatusTooManyRequests, "soon", 0},
		} {
			far.Fail(sim.CRMFault{Status: tt.status, RetryAfter: tt.retryAfter})
			err := c.make(t.Context(), sink, id)
			e := wantClass(t, err, crm.ClassThrottled, c.isWrite && tt.status >= 500)
			isDate := strings.HasSuffix(tt.retryAfter, "GMT") // until then, some time has passed
			if e.RetryAfter > tt.want || !isDate && e.RetryAfter < tt.want || e.RetryAfter < tt.want/2 {
				t.Errorf("%q is %s, want %s", tt.retryAfter, e.RetryAfter, tt.want)
			}
		}
		if err := c.make(t.Context(), sink, id); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func testFailed(t *testing.T, sink crm.Sink, far CRM) {
	eachCall(t, sink, func(t *testing.T, c call, id string) {
		for _, tt := range []struct {
			status    int
			uncertain bool
		}{
			{http.StatusInternalServerError, true}, {http.StatusBadGateway, true}, {http.StatusGatewayTimeout, true},
			{http.StatusRequestTimeout, true}, {http.StatusTooEarly, false},
		} {
			far.Fail(sim.CRMFault{Status: tt.status, Body: `{"message":"the disk is full"}`})
			err := c.make(t.Context(), sink, id)
			if e := wantClass(t, err, crm.ClassFailed, c.isWrite && tt.uncertain); e.Status != tt.status {
				t.Errorf("status %d, want %d", e.Status, tt.status)
			}
		}
		if !c.isWrite {
			return
		}
		// What fails after it was applied is not applied again.
		far.Fail(sim.CRMFault{Applied: true})
		wantClass(t, c.make(t.Context(), sink, id), crm.ClassFailed, true)
		if err := c.make(t.Context(), sink, id); err != nil {
			t.Errorf("the same request again: %v", err)
		}
	})
}

func testPermanent(t *testing.T, sink crm.Sink, far CRM) {
	eachCall(t, sink, func(t *testing.T, c call, id string) {
		for _, status := range []int{
			http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
			http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
		} {
			far.Fail(sim.CRMFault{Status: status})
			if e := wantClass(t, c.make(t.Context(), sink, id), crm.ClassPermanent, false); e.Status != status {
				t.Errorf("status %d, want %d", e.Status, status)
			}
		}
	})
}

// The CRM repeats what it was sent. The error does not, because it goes to logs.
func testEcho(t *testing.T, sink crm.Sink, far CRM) {
	const text = "a private word"
	mustCreate(t, sink, "t1")
	far.Fail(sim.CRMFault{Status: http.StatusUnprocessableEntity, Body: `{"message":"this cannot be kept: ` + text + `"}`})
	_, err := sink.Patch(t.Context(), request("t1", 4, "", message("t1", "m2", text)))
	if e := wantClass(t, err, crm.ClassPermanent, false); strings.Contains(e.Message, text) {
		t.Errorf("the error repeats the text of a message: %v", e)
	}
}

// A connection breaks: nobody knows whether the request was applied. The same one again succeeds,
// and is applied once.
func testCut(t *testing.T, sink crm.Sink, far CRM) {
	eachCall(t, sink, func(t *testing.T, c call, id string) {
		for _, applied := range []bool{false, true} {
			// Nothing of the sink may hide it by sending a read again.
			far.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{Cut: true, Applied: applied} })
			err := c.make(t.Context(), sink, id)
			far.SetFaults(nil)
			if e := wantClass(t, err, crm.ClassFailed, c.isWrite); e.Status != 0 {
				t.Errorf("status %d, and there was no answer", e.Status)
			}
		}
		if err := c.make(t.Context(), sink, id); err != nil {
			t.Errorf("the same request again: %v", err)
		}
	})
}

// The caller gives up: the error is the context's.
func testCanceled(t *testing.T, sink crm.Sink, far CRM) {
	eachCall(t, sink, func(t *testing.T, c call, id string) {
		ctx, cancel := context.WithCancel(t.Context())
		arrived := make(chan struct{}, 1)
		far.SetFaults(func(*http.Request) sim.CRMFault {
			arrived <- struct{}{}
			return sim.CRMFault{Stall: true}
		})
		go func() {
			<-arrived
			cancel()
		}()
		if err := c.make(ctx, sink, id); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		far.SetFaults(nil)
		if err := c.make(ctx, sink, id); !errors.Is(err, context.Canceled) {
			t.Errorf("before the call, the error is %v", err)
		}
	})
}
