package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// Without --server, the commands ask the service on this machine where its settings say.
func TestServerOfSettings(t *testing.T) {
	t.Parallel()
	var asked []string
	api := deadLetterAPI(t, &asked)
	addr := api.Listener.Addr().String()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	const done, failed = "1 replayed", "cannot ask "
	tests := map[string]struct {
		env  map[string]string
		args []string
		code int
		want string // in what is printed
	}{
		"by its address":       {env: map[string]string{"ADDR": addr}, want: done},
		"by its port":          {env: map[string]string{"PORT": port}, want: done},
		"at every address":     {env: map[string]string{"ADDR": "0.0.0.0:" + port}, want: done},
		"address wins":         {env: map[string]string{"ADDR": addr, "PORT": "1"}, want: done},
		"by a flag":            {args: []string{"--addr", addr}, want: done},
		"--server wins":        {env: map[string]string{"ADDR": "nowhere", "PORT": "0"}, args: []string{"--server", api.URL}, want: done},
		"of IPv6":              {env: map[string]string{"ADDR": "[::1]:1"}, code: exitFailure, want: failed + "[::1]:1"},
		"nobody there":         {env: map[string]string{"PORT": "1"}, code: exitFailure, want: failed + "localhost:1"},
		"no address":           {env: map[string]string{"ADDR": "nowhere"}, code: exitUsage, want: `ADDR (environment) is "nowhere"`},
		"any port":             {env: map[string]string{"PORT": "0"}, code: exitUsage, want: "PORT (environment) has the port 0"},
		"any port of a host":   {env: map[string]string{"ADDR": host + ":0", "PORT": port}, code: exitUsage, want: "ADDR (environment) has the port 0"},
		"no certificate":       {env: map[string]string{"PORT": port, "TLS_CERT_FILE": "/nonexistent"}, code: exitUsage, want: "TLS_CERT_FILE (environment) cannot be read"},
		"an empty one":         {env: map[string]string{"PORT": port, "TLS_CERT_FILE": os.DevNull}, code: exitUsage, want: "TLS_CERT_FILE (environment) holds no certificate"},
		"a URL without a host": {args: []string{"--server", "localhost:3000"}, code: exitUsage, want: "http or https URL"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrial(with(tt.env))
			if code := p.run(t.Context(), append([]string{"replay", "1"}, tt.args...)); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if text := p.out.String() + p.err.String(); !strings.Contains(text, tt.want) {
				t.Errorf("printed %q, want %q in it", text, tt.want)
			}
		})
	}
}

// A proxy of the environment is for services elsewhere: on the way to that on this machine it would be shown
// the operator's token.
func TestServerOfSettingsWithoutProxy(t *testing.T) {
	t.Parallel()
	files := newTLSFiles(t)
	writeCertificate(t, files, 1, time.Now().Add(time.Hour))
	for _, cert := range []string{"", files.Cert} {
		s := ServerSettings{Timeout: time.Minute}
		s.AdminToken.text, s.Addr.text, s.Port.text, s.TLSCertFile.text = "t", "10.0.0.5:3000", "3000", cert
		r := &resolver{problems: &problems{}}
		direct, isOwn := s.client(r).http.Transport.(*http.Transport)
		if err := r.err(); err != nil {
			t.Fatal(err)
		}
		if !isOwn || direct.Proxy != nil {
			t.Errorf("with the certificate %q, a proxy is asked", cert)
		}
	}
}

// By TLS, only the service with the certificate of the settings is shown the token, by whatever names it goes.
func TestServerOfSettingsByTLS(t *testing.T) {
	t.Parallel()
	files, others := newTLSFiles(t), newTLSFiles(t)
	writeCertificate(t, files, 1, time.Now().Add(time.Hour))
	writeCertificate(t, others, 2, time.Now().Add(time.Hour))
	own, err := files.read()
	if err != nil {
		t.Fatal(err)
	}
	visits := 0
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits++
		w.Write([]byte(`{"replayed":true}`))
	}))
	api.TLS = &tls.Config{Certificates: []tls.Certificate{*own}}
	api.StartTLS()
	t.Cleanup(api.Close)
	_, port, err := net.SplitHostPort(api.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		cert string
		code int
		want string
	}{
		{files.Cert, exitOK, "1 replayed"},
		{others.Cert, exitFailure, "another certificate than that in TLS_CERT_FILE"},
	} {
		p := newTrial(with(map[string]string{"PORT": port, "TLS_CERT_FILE": tt.cert}))
		if code := p.run(t.Context(), []string{"replay", "1"}); code != tt.code || !strings.Contains(p.out.String(), tt.want) {
			t.Errorf("exit code %d: %s%s", code, &p.out, &p.err)
		}
	}
	if visits != 1 {
		t.Errorf("%d requests came, want 1", visits)
	}
}
