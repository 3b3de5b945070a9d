package access

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

func from(address string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = address
	return r
}

func TestFailures(t *testing.T) {
	f, now := NewFailures(LoginBurst), time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	const client = "198.51.100.1:1"
	for i := range LoginBurst {
		if wait := f.Failed(from(client), now); wait != 0 {
			t.Fatalf("failure %d: %v to wait", i, wait)
		}
	}
	for range 3 {
		if wait := f.Failed(from("198.51.100.1:2"), now); wait != failureEvery {
			t.Errorf("%v to wait", wait)
		}
	}
	if wait := f.Failed(from("198.51.100.2:1"), now); wait != 0 {
		t.Errorf("another client: %v to wait", wait)
	}
	if wait := f.Failed(from(client), now.Add(failureEvery/2)); wait != failureEvery/2 {
		t.Errorf("half way: %v to wait", wait)
	}
	if wait := f.Failed(from(client), now.Add(failureEvery)); wait != 0 {
		t.Errorf("later: %v to wait", wait)
	}
	if wait := f.Failed(from(client), now.Add(failureEvery)); wait == 0 {
		t.Error("two at once, later")
	}
	if wait := (*Failures)(nil).Failed(from(client), now); wait != 0 {
		t.Errorf("none: %v to wait", wait)
	}
}

// A machine has all addresses of its /64, so these are one client.
func TestFailuresOfNetworks(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name    string
		address func(i int) string
		isOne   bool
	}{
		{"one /64", func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i) }, true},
		{"many /64", func(i int) string { return fmt.Sprintf("[2001:db8:0:%x::1]:1", i) }, false},
		{"IPv4", func(i int) string { return fmt.Sprintf("198.51.100.%d:1", i) }, false},
		{"IPv4 in IPv6", func(i int) string { return fmt.Sprintf("[::ffff:198.51.100.%d]:1", i) }, false},
		{"no address", func(i int) string { return fmt.Sprint("pipe", i) }, true},
	} {
		f, limited := NewFailures(LoginBurst), false
		for i := range LoginBurst + 1 {
			limited = f.Failed(from(tt.address(i)), now) > 0
		}
		if limited != tt.isOne {
			t.Errorf("%s: limited is %t", tt.name, limited)
		}
	}
}

// However many clients there are, the table keeps its size, and forgets the one that failed longest ago.
func TestFailuresAreForgotten(t *testing.T) {
	f, now := NewFailures(LoginBurst), time.Now()
	f.most = 3
	exhaust := func(address string) {
		for f.Failed(from(address), now) == 0 {
		}
	}
	for _, address := range []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.1:1", "10.0.0.4:1"} {
		exhaust(address)
	}
	if len(f.clients) != 3 || f.recent.Len() != 3 {
		t.Errorf("%d and %d clients", len(f.clients), f.recent.Len())
	}
	if f.Failed(from("10.0.0.1:1"), now) == 0 {
		t.Error("a client that failed lately is forgotten")
	}
	if f.Failed(from("10.0.0.2:1"), now) != 0 {
		t.Error("the client that failed longest ago is remembered")
	}
}

func TestFailuresAtOnce(t *testing.T) {
	f, now := NewFailures(LoginBurst), time.Now()
	f.most = 5
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				f.Failed(from(fmt.Sprintf("10.0.%d.%d:1", g, i%20)), now)
			}
		})
	}
	wg.Wait()
	if len(f.clients) != 5 || f.recent.Len() != 5 {
		t.Errorf("%d and %d clients", len(f.clients), f.recent.Len())
	}
}

func TestSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]int64{0: 1, time.Millisecond: 1, time.Second: 1, time.Second + 1: 2, 2 * time.Second: 2} {
		if got := Seconds(wait); got != want {
			t.Errorf("%v is %d, want %d", wait, got, want)
		}
	}
}
