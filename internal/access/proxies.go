package access

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses of the reverse proxies in front of cxbridge, which may say for whom they
// speak. The zero value trusts none.
type Proxies []netip.Prefix

// ParseProxies takes a list of addresses and networks in CIDR form, such as 10.0.0.0/8. Its error names
// the first that is neither.
func ParseProxies(list []string) (Proxies, error) {
	var proxies Proxies
	for _, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no address and no network", text)
		}
		// A connection is compared in its short form: ::ffff:10.0.0.1 is 10.0.0.1.
		if addr := prefix.Addr(); addr.Is4In6() {
			if prefix.Bits() < 96 {
				return nil, fmt.Errorf("%q holds all of IPv4 and more", text)
			}
			prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
		}
		proxies = append(proxies, prefix.Masked())
	}
	return proxies, nil
}

func (p Proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// The headers by which a proxy says for whom it speaks, and how it was asked.
const (
	headerFor   = "X-Forwarded-For"
	headerProto = "X-Forwarded-Proto"
)

// Handler shows next where a request really comes from. RemoteAddr becomes the address of the client, as
// far as trusted proxies vouch for it. Forwarding headers are removed unless a trusted proxy sent the
// request, so that next can believe them.
func (p Proxies) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.correct(r)
		next.ServeHTTP(w, r)
	})
}

func (p Proxies) correct(r *http.Request) {
	if len(p) > 0 { // otherwise the address need not be read
		if peer := AddressOf(r); p.trusts(peer) {
			if client := p.client(peer, r.Header[headerFor]); client != peer {
				r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
			}
			return
		}
	}
	delete(r.Header, headerFor)
	delete(r.Header, headerProto)
}

// client goes back along the chain of proxies, from the nearest, to the first address that is not
// trusted. Each proxy appends the address that its request came from, so everything further to the left
// is that stranger's own claim. It stops before a part that is no address.
func (p Proxies) client(peer netip.Addr, chain []string) netip.Addr {
	hops := strings.Split(strings.Join(chain, ","), ",")
	client := peer
	for i := len(hops) - 1; i >= 0 && p.trusts(client); i-- {
		hop, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		client = hop
	}
	return client
}

// parseHop reads an address with or without a port: some proxies write one.
func parseHop(text string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap().WithZone(""), err
}

// AddressOf returns the address that a request comes from, and the zero value when RemoteAddr is no
// address, such as that of a pipe.
func AddressOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}
