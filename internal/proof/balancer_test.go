package proof

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/faultproxy"
)

// threeServers are replicas of which nothing is there but an address. They answer with their names.
func threeServers(t *testing.T) (replicas []*Replica) {
	for i := range 3 {
		name := fmt.Sprint(i)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s", name, body)
		}))
		t.Cleanup(server.Close)
		address := strings.TrimPrefix(server.URL, "http://")
		proxy, err := faultproxy.Start(address, rand.New(rand.NewPCG(1, uint64(i))))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { proxy.Close() })
		replicas = append(replicas, &Replica{
			Service: &Service{Address: address}, Name: name, proxies: map[Link]*faultproxy.Proxy{Intake: proxy},
		})
	}
	return replicas
}

// Requests go to replicas in turn; those that one does not answer go to the next, whole; and the one is
// left alone.
func TestBalancer(t *testing.T) {
	replicas := threeServers(t)
	b := NewBalancer(replicas)
	defer b.CloseIdleConnections()
	client := &http.Client{Transport: b}
	answers := func(n int) map[string]int {
		counts := make(map[string]int)
		for range n {
			response, err := client.Post("http://replicas/path", "text/plain", strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			counts[string(body)]++
		}
		return counts
	}
	if got := answers(9); got["0 hello"] != 3 || got["1 hello"] != 3 || got["2 hello"] != 3 {
		t.Errorf("%v", got)
	}
	bad := replicas[1].Proxy(Intake)
	bad.Set(faultproxy.Fault{Refuse: true})
	bad.Reset()
	if got := answers(9); got["0 hello"]+got["2 hello"] != 9 {
		t.Errorf("%v", got)
	}
	if c := b.Counts(); c.Failed == 0 || c.Attempts != 18+c.Failed {
		t.Errorf("%+v", c)
	}
	bad.Set(faultproxy.Fault{})
	err := Await(t.Context(), "the replica is asked again", func() bool { return answers(3)["1 hello"] > 0 })
	if err != nil {
		t.Error(err)
	}
	for _, r := range replicas {
		r.Proxy(Intake).Set(faultproxy.Fault{Refuse: true})
		r.Proxy(Intake).Reset()
	}
	if _, err := client.Post("http://replicas/path", "text/plain", strings.NewReader("hello")); err == nil {
		t.Error("somebody has answered")
	}
}
