package cxone_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/sim"
)

const pathOfThread = "/api/v2/interactions/social/threads/t-1"

// newThreadSim returns a platform that has the thread t-1, and every other one whose id it is given.
func newThreadSim(ids ...string) *sim.CXone {
	parent := "p-1"
	platform := newSim()
	platform.ServeThreads(func(id string) (sim.Conversation, bool) {
		c := sim.Conversation{
			ThreadID: id, ParentThreadID: &parent, Version: 7, UpdatedAt: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
			Messages: []sim.Message{{ID: "m", Text: "hi", Timestamp: "2026-03-01T09:00:00Z", AuthorID: "a", Direction: "INBOUND"}},
		}
		for _, known := range append(ids, "t-1") {
			if id == known {
				return c, true
			}
		}
		return sim.Conversation{}, false
	})
	return platform
}

func TestThread(t *testing.T) {
	data, err := newClient(t, newThreadSim()).Thread(t.Context(), "t-1")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"threadId":"t-1","parentThreadId":"p-1","version":7,"updatedAt":"2026-03-01T10:00:00Z","messages":[{"id":"m",
		"text":"hi","timestamp":"2026-03-01T09:00:00Z","authorId":"a","direction":"INBOUND"}],"participants":null}`
	var got, wanted any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Error(diff)
	}
}

// An id is one segment of the path, whatever it holds.
func TestThreadIDsAreEncoded(t *testing.T) {
	ids := []string{"a/b", "a//b", "a%2Fb", "../t-1", "...", "a b+c&d=e", "?x#y", "группа 1", "🦊", "a;b:c@d", strings.Repeat("ж", 256)}
	c := newClient(t, newThreadSim(ids...))
	for _, id := range ids {
		data, err := c.Thread(t.Context(), id)
		var got sim.Conversation
		if err != nil || json.Unmarshal(data, &got) != nil || got.ThreadID != id {
			t.Errorf("%q: got %q, %v", id, got.ThreadID, err)
		}
	}
	for _, id := range []string{"", ".", ".."} {
		_, err := c.Thread(t.Context(), id)
		wantError(t, err, 0, "no path can name")
	}
}

func TestThreadIsNotFound(t *testing.T) {
	_, err := newClient(t, newThreadSim()).Thread(t.Context(), "t-2")
	wantError(t, err, 404, "no such thread")
	if !cxone.IsNotFound(err) {
		t.Errorf("%v is not told apart", err)
	}
}

// A host that knows nothing of tokens is a wrong setting, and no missing thread.
func TestOther404IsNoMissingThread(t *testing.T) {
	_, err := newClient(t, http.NotFoundHandler()).Thread(t.Context(), "t-1")
	wantError(t, err, 404, "CXONE_DOMAIN")
	if cxone.IsNotFound(err) {
		t.Errorf("%v is taken for a missing thread", err)
	}
}

func TestThreadRefusals(t *testing.T) {
	tests := []struct {
		name  string
		fault sim.Fault
		words []string
	}{
		{"Elsewhere", sim.Fault{Status: 302, Location: "https://evil.test/"}, []string{"evil.test", "not followed"}},
		{"Trouble", sim.Fault{Status: 500}, []string{"trouble of its own"}},
		{"TooLarge", sim.Fault{Status: 200, Body: strings.Repeat(" ", 8<<20+1)}, []string{"8388608 bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.fault.Path = pathOfThread
			platform := newThreadSim()
			platform.Fail(tt.fault)
			_, err := newClient(t, platform).Thread(t.Context(), "t-1")
			wantError(t, err, tt.fault.Status, append(tt.words, "fetch a thread")...)
		})
	}
}

func TestLargestThread(t *testing.T) {
	platform := newThreadSim()
	platform.Fail(sim.Fault{Path: pathOfThread, Status: 200, Body: strings.Repeat(" ", 8<<20)})
	data, err := newClient(t, platform).Thread(t.Context(), "t-1")
	if err != nil || len(data) != 8<<20 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestThreadNamesTheScopes(t *testing.T) {
	for _, granted := range []string{"social:read", "interactions:read"} {
		c := newClient(t, newThreadSim(), func(c *cxone.Config) { c.Scopes = []string{granted} })
		_, err := c.Thread(t.Context(), "t-1")
		wantError(t, err, 403, "social:read", "interactions:read")
	}
}

func TestThreadRenewsATokenOnce(t *testing.T) {
	platform := newThreadSim()
	c := newClient(t, platform)
	for range 2 {
		if _, err := c.Thread(t.Context(), "t-1"); err != nil {
			t.Fatal(err)
		}
		platform.RevokeTokens()
	}
	if n := platform.TokenFetches(); n != 2 {
		t.Errorf("%d token fetches, want 2", n)
	}
	platform.Fail(sim.Fault{Path: pathOfThread, Status: 401, Times: 10})
	_, err := c.Thread(t.Context(), "t-1")
	wantError(t, err, 401)
	if n := platform.TokenFetches(); n != 3 {
		t.Errorf("%d token fetches, want 3", n)
	}
}

func TestThreadPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform := newThreadSim()
		platform.Fail(sim.Fault{Path: pathOfThread, Status: 429, RetryAfter: "30"})
		c := newClient(t, platform)
		_, err := c.Thread(t.Context(), "t-1")
		wantError(t, err, 429, "429: too many requests; CXone asks for a pause of 30s")
		time.Sleep(20 * time.Second) // in the bubble this takes no time
		_, err = c.Thread(t.Context(), "t-1")
		wantError(t, err, 429, "asks for a pause, which lasts another 10s")
		time.Sleep(10 * time.Second)
		if _, err := c.Thread(t.Context(), "t-1"); err != nil {
			t.Errorf("after the pause: %v", err)
		}
	})
}

func TestThreadStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil, func(c *cxone.Config) { c.HTTP.Transport = silentAboutThreads{inProcess{newThreadSim()}} })
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		began := time.Now()
		_, err := c.Thread(ctx, "t-1")
		wantError(t, err, 0, "did not answer in time")
		if took := time.Since(began); took != time.Second {
			t.Errorf("stopped after %s, want 1s", took)
		}
	})
}

// silentAboutThreads answers everything but questions about threads.
type silentAboutThreads struct{ http.RoundTripper }

func (s silentAboutThreads) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == pathOfThread {
		return silent{}.RoundTrip(r)
	}
	return s.RoundTripper.RoundTrip(r)
}
