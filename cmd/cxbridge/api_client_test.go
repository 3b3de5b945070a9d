package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A redirect is not followed: the operator's token would go to a stranger.
func TestAPIClientRedirect(t *testing.T) {
	var visits atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer stranger.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(stranger.URL, status))
		address, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		c := &apiClient{server: address, token: "t", http: newAPIHTTP(time.Minute)}
		if _, err := c.reconcile(t.Context(), "T1"); err == nil || !strings.Contains(err.Error(), http.StatusText(status)) {
			t.Errorf("%d: error %v", status, err)
		}
		c.http.CloseIdleConnections()
		server.Close()
	}
	if visits.Load() != 0 {
		t.Error("a redirect was followed")
	}
}
