package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	answers := func(status int) (addr, port string) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != "/healthz" {
				http.NotFound(w, r)
				return
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		addr = s.Listener.Addr().String()
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		return addr, port
	}
	well, port := answers(http.StatusOK)
	unwell, _ := answers(http.StatusInternalServerError)
	nobody := strings.TrimPrefix(nobodyListens, "http://")

	tests := map[string]struct {
		env  map[string]string
		code int
		err  string // what standard error tells; "" is nothing
	}{
		"alive":                {map[string]string{"ADDR": well}, exitOK, ""},
		"at every address":     {map[string]string{"ADDR": "0.0.0.0:" + port}, exitOK, ""},
		"by its port":          {map[string]string{"PORT": port}, exitOK, ""},
		"other settings wrong": {map[string]string{"PORT": port, "DATABASE_URL": "mysql://db", "LOG_LEVEL": "loud"}, exitOK, ""},
		"not well":             {map[string]string{"ADDR": unwell}, exitFailure, "/healthz at " + unwell + " answers 500"},
		"nobody there":         {map[string]string{"ADDR": nobody}, exitFailure, "/healthz does not answer: dial tcp " + nobody},
		"no address":           {map[string]string{"ADDR": "nowhere"}, exitUsage, "ADDR"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrial(tt.env)
			if code := p.run(t.Context(), []string{"healthcheck"}); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if got := p.err.String(); !strings.Contains(got, tt.err) || (got == "") != (tt.err == "") {
				t.Errorf("it says %q, want %q", got, tt.err)
			}
			if p.out.Len() > 0 {
				t.Errorf("it prints %q", &p.out)
			}
		})
	}
}
