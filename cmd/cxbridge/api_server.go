package main

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"
)

// ServerSettings say how a command reaches the service that it asks, and how it proves itself there.
type ServerSettings struct {
	FileSettings
	OperatorSettings `group:"Secrets and tokens"`
	ListenSettings   `group:"HTTP"`

	Server  *url.URL      `placeholder:"URL" help:"Where cxbridge runs. Unset: on this machine, where ADDR, PORT and TLS_CERT_FILE say."`
	Timeout time.Duration `default:"60s" placeholder:"TIME" help:"How long one request may take."`
}

// check returns what is wrong with the flags that are no settings.
func (s *ServerSettings) check() error {
	switch {
	case s.Server != nil && (s.Server.Host == "" || s.Server.Scheme != "http" && s.Server.Scheme != "https"):
		return errors.New("--server must be an http or https URL, such as http://localhost:3000")
	case s.Timeout <= 0:
		return errors.New("--timeout must be above 0")
	}
	return nil
}

// client returns a client of the service. It may be used if r has no error.
func (s *ServerSettings) client(r *resolver) *apiClient {
	api := &apiClient{server: s.Server, token: r.token(s.AdminToken), http: newAPIHTTP(s.Timeout)}
	r.required(s.AdminToken)
	if s.Server == nil {
		direct := http.DefaultTransport.(*http.Transport).Clone()
		direct.Proxy = nil // it would be shown the token, on a way that does not leave this machine
		api.server, api.http.Transport = s.local(r), direct
		if file := s.TLSCertFile; !file.isMissing() {
			api.server.Scheme, direct.TLSClientConfig = "https", r.pinned(file)
		}
	}
	return api
}

// local returns the address at which the service on this machine listens.
func (s *ServerSettings) local(r *resolver) *url.URL {
	host, port, _ := net.SplitHostPort(r.addr(s.Addr, s.Port)) // without an address, r has an error
	if port == "0" {
		from := s.Port
		if s.Addr.text != "" {
			from = s.Addr
		}
		r.wrong(from, "has the port 0, which is any free one", "give --server, with the address that the service logs as it starts")
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
}

// pinned accepts only a service that presents the certificate in a file. Its names are those by which others
// know the service, so the certificate itself is compared: nobody else is shown the token.
func (p *resolver) pinned(file Value) *tls.Config {
	data, err := os.ReadFile(file.text)
	own := firstCertificate(data)
	switch {
	case file.broken:
		return nil
	case err != nil:
		p.wrong(file, "cannot be read, "+reason(err), "give the certificate of the service, in PEM, or --server")
		return nil
	case own == nil:
		p.wrong(file, "holds no certificate", "give the certificate of the service, in PEM, or --server")
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			if !bytes.Equal(s.PeerCertificates[0].Raw, own) {
				return errors.New("it presents another certificate than that in TLS_CERT_FILE")
			}
			return nil
		},
	}
}

// firstCertificate returns the first certificate in PEM, that of the service itself; nil when there is none.
func firstCertificate(data []byte) []byte {
	for {
		block, rest := pem.Decode(data)
		switch {
		case block == nil:
			return nil
		case block.Type == "CERTIFICATE":
			return block.Bytes
		}
		data = rest
	}
}
