package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
)

// TLSFiles name a certificate and its key, in PEM.
type TLSFiles struct{ Cert, Key string }

// serverConfig returns the settings of a server that presents the certificate in the files.
func (f *TLSFiles) serverConfig(log *slog.Logger) (*tls.Config, error) {
	c := &certificate{files: *f, log: log, now: time.Now}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(), nil
		},
	}, nil
}

// certificateAge is how long a certificate is presented before its files are looked at again.
const certificateAge = time.Second

// certificate is one that is read again when its files change, so that it is renewed without a restart.
type certificate struct {
	files TLSFiles
	log   *slog.Logger
	now   func() time.Time

	mu        sync.Mutex
	shown     *tls.Certificate
	state     [2]fileState // of the files, when shown was read from them
	checked   time.Time
	complaint string // the last one in the log; "" after a good read
}

// fileState shows whether a file has changed. A file that is missing has the zero value.
type fileState struct {
	changed time.Time
	size    int64
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size()}
}

func (f *TLSFiles) state() [2]fileState { return [2]fileState{stateOf(f.Cert), stateOf(f.Key)} }

// current returns the certificate to present. Files that are changed and broken, as when only one of the
// two has been written yet, leave the last good certificate in use.
func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < certificateAge {
		return c.shown
	}
	c.checked = now
	if c.files.state() == c.state {
		return c.shown
	}
	if err := c.load(); err == nil {
		c.complaint = ""
		c.log.Info("the certificate was read again", "expires", c.shown.Leaf.NotAfter.UTC())
	} else if c.complaint != err.Error() {
		c.complaint = err.Error()
		c.log.Error("the new certificate cannot be used; the last one stays in use", "error", err)
	}
	return c.shown
}

// load reads the files. Their state is taken before that, so that a change made meanwhile is noticed
// later. After an error the state stays as it was: a change of who may read a file does not show in it.
func (c *certificate) load() error {
	state := c.files.state()
	c.checked = c.now()
	pair, err := c.files.read()
	if err != nil {
		return err
	}
	c.shown, c.state = pair, state
	return nil
}

func (f *TLSFiles) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// tls returns nil when the service does not speak TLS.
func (p *resolver) tls(s *TLSSettings) *TLSFiles {
	files := &TLSFiles{Cert: s.TLSCertFile.text, Key: s.TLSKeyFile.text}
	switch noCert, noKey := s.TLSCertFile.isMissing(), s.TLSKeyFile.isMissing(); {
	case noCert && noKey:
		return nil
	case noCert:
		p.wrong(s.TLSCertFile, "is not set, while TLS_KEY_FILE is", "set both, or none")
		return nil
	case noKey:
		p.wrong(s.TLSKeyFile, "is not set, while TLS_CERT_FILE is", "set both, or none")
		return nil
	case s.TLSCertFile.broken || s.TLSKeyFile.broken:
		return nil
	}
	pair, err := files.read()
	if err != nil {
		p.wrong(s.TLSCertFile, "cannot be used with TLS_KEY_FILE, "+oneLine(err), "give a certificate and its key, in PEM")
		return nil
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		p.warn(fmt.Sprintf("TLS_CERT_FILE holds a certificate that expired on %s: put a new one in its place", end.UTC().Format(time.DateOnly)))
	}
	return files
}

// proxies reads a list of addresses and networks.
func (p *resolver) proxies(v Value) access.Proxies {
	proxies, err := access.ParseProxies(items(v.text))
	if err != nil {
		p.wrong(v, "has a part that is wrong, "+err.Error(), "give addresses and networks, such as 10.0.0.0/8,192.168.1.1")
	}
	return proxies
}
