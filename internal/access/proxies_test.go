package access

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParseProxies(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.3": "10.1.2.3/32", "10.1.2.3/8": "10.0.0.0/8", "::1": "::1/128", "2001:db8::5/32": "2001:db8::/32",
		"::ffff:10.1.2.3": "10.1.2.3/32", "::ffff:10.0.0.0/104": "10.0.0.0/8", "0.0.0.0/0": "0.0.0.0/0",
	} {
		if got, err := ParseProxies([]string{text}); err != nil || got[0].String() != want {
			t.Errorf("%s is %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "10.1.2", "10.1.2.3/33", "10.1.2.3:80", "fe80::1%eth0", "::ffff:0:0/90", "proxy.internal"} {
		if got, err := ParseProxies([]string{"10.1.2.3", text}); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestProxies(t *testing.T) {
	trusted, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		proxies Proxies
		peer    string
		chain   []string
		want    string // address
		believe bool   // the headers
	}{
		{"no proxy is set", nil, "10.0.0.1:5", []string{"198.51.100.1"}, "10.0.0.1", false},
		{"a stranger", trusted, "203.0.113.9:5", []string{"198.51.100.1"}, "203.0.113.9", false},
		{"a proxy that says nothing", trusted, "10.0.0.1:5", nil, "10.0.0.1", true},
		{"a proxy", trusted, "10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1", true},
		{"a proxy, by IPv6", trusted, "[2001:db8::1]:5", []string{"2001:dead::1"}, "2001:dead::1", true},
		{"a proxy, as IPv4 in IPv6", trusted, "[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1", true},
		{"a client that lies", trusted, "10.0.0.1:5", []string{"127.0.0.1, 10.9.9.9, 198.51.100.1"}, "198.51.100.1", true},
		{"two proxies", trusted, "10.0.0.1:5", []string{"127.0.0.1, 198.51.100.1, 192.0.2.7"}, "198.51.100.1", true},
		{"two proxies, two headers", trusted, "10.0.0.1:5", []string{"198.51.100.1", "192.0.2.7"}, "198.51.100.1", true},
		{"with ports", trusted, "10.0.0.1:5", []string{"198.51.100.1:4711"}, "198.51.100.1", true},
		{"with ports, by IPv6", trusted, "10.0.0.1:5", []string{"[2001:dead::1]:4711"}, "2001:dead::1", true},
		{"all are proxies", trusted, "10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3", true},
		{"rubbish", trusted, "10.0.0.1:5", []string{"198.51.100.1, unknown"}, "10.0.0.1", true},
		{"rubbish behind a proxy", trusted, "10.0.0.1:5", []string{"<x>, 10.0.0.2"}, "10.0.0.2", true},
		{"nothing", trusted, "10.0.0.1:5", []string{""}, "10.0.0.1", true},
		{"no address", trusted, "pipe", []string{"198.51.100.1"}, "invalid IP", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			r.RemoteAddr, r.Header["X-Forwarded-For"] = tt.peer, tt.chain
			r.Header.Set("X-Forwarded-Proto", "https")
			var addr netip.Addr
			var believed bool
			tt.proxies.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				addr, believed = AddressOf(r), r.Header.Get("X-Forwarded-Proto") == "https"
			})).ServeHTTP(httptest.NewRecorder(), r)
			if addr.String() != tt.want || believed != tt.believe {
				t.Errorf("from %v, believed: %t", addr, believed)
			}
		})
	}
}

// Whatever a chain holds, the client is the peer or an address in the chain, and a stranger is always the client.
func FuzzProxies(f *testing.F) {
	f.Add("198.51.100.1, 10.0.0.1", "10.0.0.1")
	f.Add(",,[::1]:5,", "203.0.113.9")
	f.Add("::ffff:10.0.0.1%x", "::1")
	trusted, err := ParseProxies([]string{"10.0.0.0/8", "::1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, chain, from string) {
		peer, err := netip.ParseAddr(from)
		if err != nil {
			return
		}
		got := trusted.client(peer, []string{chain})
		isInChain := slices.ContainsFunc(strings.Split(chain, ","), func(hop string) bool {
			addr, err := parseHop(strings.TrimSpace(hop))
			return err == nil && addr == got
		})
		if got != peer && !(isInChain && trusted.trusts(peer)) {
			t.Errorf("%q from %v is %v", chain, peer, got)
		}
	})
}
