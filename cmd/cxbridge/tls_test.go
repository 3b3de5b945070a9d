package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate writes a new self-signed certificate for this machine, and its key.
func writeCertificate(t *testing.T, files TLSFiles, serial int64, ends time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		files.Cert: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func newTLSFiles(t *testing.T) TLSFiles {
	folder := t.TempDir()
	return TLSFiles{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
}

// A certificate is read again when its files change, at most once in a second. Broken ones change nothing.
func TestCertificateIsRenewed(t *testing.T) {
	files, now := newTLSFiles(t), time.Now()
	writeCertificate(t, files, 1, now.Add(time.Hour))
	var out bytes.Buffer
	c := &certificate{files: files, log: slog.New(slog.NewTextHandler(&out, nil)), now: func() time.Time { return now }}
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	wantSerial := func(when string, serial int64) {
		t.Helper()
		if got := c.current().Leaf.SerialNumber.Int64(); got != serial {
			t.Errorf("%s: certificate %d, want %d", when, got, serial)
		}
	}
	renew := func(serial int64) {
		writeCertificate(t, files, serial, now.Add(time.Hour))
		// Two writes may fall into one tick of the clock of the file system.
		changed := time.Now().Add(time.Duration(serial) * time.Hour)
		if err := os.Chtimes(files.Cert, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	wantSerial("at first", 1)
	renew(2)
	wantSerial("changed just now", 1)
	now = now.Add(certificateAge)
	wantSerial("a second later", 2)

	if err := os.WriteFile(files.Key, []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		now = now.Add(certificateAge)
		wantSerial("with a broken key", 2)
	}
	if err := os.Remove(files.Cert); err != nil {
		t.Fatal(err)
	}
	now = now.Add(certificateAge)
	wantSerial("without a certificate", 2)
	renew(3)
	now = now.Add(certificateAge)
	wantSerial("mended", 3)

	log := out.String()
	if n := strings.Count(log, "cannot be used"); n != 2 {
		t.Errorf("%d complaints in\n%s", n, log)
	}
	if strings.Contains(log, "half a k") {
		t.Errorf("the key is logged:\n%s", log)
	}
}

// A change of who may read the files does not show in their times and sizes.
func TestCertificateIsReadOnceItMayBe(t *testing.T) {
	files, now := newTLSFiles(t), time.Now()
	writeCertificate(t, files, 1, now.Add(time.Hour))
	c := &certificate{files: files, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }}
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, files, 2, now.Add(time.Hour))
	good, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{make([]byte, len(good)), good} {
		if err := os.WriteFile(files.Key, text, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{files.Key, files.Cert} {
			if err := os.Chtimes(path, now, now); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(certificateAge)
		c.current()
		now = now.Add(-certificateAge)
		c.checked = time.Time{}
	}
	if got := c.current().Leaf.SerialNumber.Int64(); got != 2 {
		t.Errorf("certificate %d is shown", got)
	}
}

func TestTLSSettings(t *testing.T) {
	good, old, mixed := newTLSFiles(t), newTLSFiles(t), newTLSFiles(t)
	writeCertificate(t, good, 1, time.Now().Add(time.Hour))
	writeCertificate(t, old, 1, time.Now().Add(-24*time.Hour))
	writeCertificate(t, mixed, 1, time.Now().Add(time.Hour))
	tests := []struct {
		name, cert, key string
		wrong, warning  string
	}{
		{"none", "", "", "", ""},
		{"both", good.Cert, good.Key, "", ""},
		{"no key", good.Cert, "", "TLS_KEY_FILE is not set, while TLS_CERT_FILE is", ""},
		{"no certificate", "", good.Key, "TLS_CERT_FILE is not set, while TLS_KEY_FILE is", ""},
		{"another's key", good.Cert, mixed.Key, "cannot be used with TLS_KEY_FILE", ""},
		{"not there", good.Cert + "x", good.Key, "no such file", ""},
		{"no PEM", os.DevNull, good.Key, "cannot be used with TLS_KEY_FILE", ""},
		{"expired", old.Cert, old.Key, "", "expired on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := resolve(t, nil, with(map[string]string{"TLS_CERT_FILE": tt.cert, "TLS_KEY_FILE": tt.key}))
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
				t.Errorf("error %v, want %q", err, tt.wrong)
			}
			if warnings := strings.Join(cfg.Warnings, "\n"); warnings == "" != (tt.warning == "") || !strings.Contains(warnings, tt.warning) {
				t.Errorf("warnings %q, want %q", warnings, tt.warning)
			}
			if got := cfg.TLS != nil; got != (tt.wrong == "" && tt.cert != "") {
				t.Errorf("TLS is %v", cfg.TLS)
			}
		})
	}
}

func TestTrustedProxiesSetting(t *testing.T) {
	cfg, err := resolve(t, nil, with(map[string]string{"TRUSTED_PROXIES": " 10.0.0.0/8 ,, 192.0.2.7"}))
	if err != nil || len(cfg.TrustedProxies) != 2 {
		t.Errorf("%v, %v", cfg.TrustedProxies, err)
	}
	_, err = resolve(t, nil, with(map[string]string{"TRUSTED_PROXIES": "10.0.0.0/8,proxy"}))
	if err == nil || !strings.Contains(err.Error(), `"proxy" is no address`) {
		t.Errorf("error %v", err)
	}
}

// A secret in the command line is pointed out, and one in a file is not.
func TestSecretInTheCommandLine(t *testing.T) {
	file := write(t, "token", needed["ADMIN_TOKEN"])
	without := with(map[string]string{"ADMIN_TOKEN": ""})
	for name, tt := range map[string]struct {
		args  []string
		warns bool
	}{
		"flag":                 {[]string{"--admin-token", needed["ADMIN_TOKEN"]}, true},
		"file":                 {[]string{"--admin-token-file", file}, false},
		"address of a file":    {[]string{"--admin-token-file", file, "--database-url", "sqlite:x.db"}, false},
		"address, no password": {[]string{"--admin-token-file", file, "--database-url", "postgres://u@h/d"}, false},
		"address, password":    {[]string{"--admin-token-file", file, "--database-url", "postgres://u:p1ain@h/d"}, true},
	} {
		cfg, err := resolve(t, tt.args, without)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		warnings := strings.Join(cfg.Warnings, "\n")
		if strings.Contains(warnings, "list of processes") != tt.warns || strings.Contains(warnings, needed["ADMIN_TOKEN"]) {
			t.Errorf("%s: warnings %q", name, warnings)
		}
	}
}

// The whole service speaks TLS 1.2 and later, HTTP/2, and nothing in the clear; the health check finds it.
func TestServeTLS(t *testing.T) {
	files := newTLSFiles(t)
	writeCertificate(t, files, 1, time.Now().Add(time.Hour))
	s := startService(t, with(map[string]string{"TLS_CERT_FILE": files.Cert, "TLS_KEY_FILE": files.Key}))
	pem, err := os.ReadFile(files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(s.address() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
		t.Errorf("%s %s", response.Proto, response.Status)
	}
	addr := s.listener.Addr().String()
	old := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", addr, old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if err := askHealth(t.Context(), addr, true); err != nil {
		t.Error(err)
	}
	if err := askHealth(t.Context(), addr, false); err == nil {
		t.Error("HTTP is spoken in the clear")
	}
}
