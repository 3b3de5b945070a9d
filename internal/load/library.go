package load

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// library is a connection driven by the client of net/http, as most callers of a webhook are.
type library struct {
	cfg    *Config
	ctx    context.Context // of the connection
	cancel context.CancelFunc
	client http.Client
	body   bytes.Buffer // of the last answer, for reuse
}

func newLibrary(ctx context.Context, cfg *Config, deadline time.Time) *library {
	l := &library{cfg: cfg, client: http.Client{Transport: &http.Transport{
		MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, DisableCompression: true,
	}}}
	l.ctx, l.cancel = context.WithDeadline(ctx, deadline)
	return l
}

// exchange takes the body out of a request as it goes over the wire.
func (l *library) exchange(wire []byte) (response, error) {
	_, body, _ := bytes.Cut(wire, []byte("\r\n\r\n"))
	request, err := http.NewRequestWithContext(l.ctx, http.MethodPost, "http://"+l.cfg.Addr+l.cfg.Path, bytes.NewReader(body))
	if err != nil {
		return response{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range l.cfg.Header {
		request.Header.Set(name, value)
	}
	answer, err := l.client.Do(request)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close()
	l.body.Reset()
	if _, err := l.body.ReadFrom(io.LimitReader(answer.Body, maxBody)); err != nil {
		return response{}, err
	}
	return response{status: answer.StatusCode, body: l.body.Bytes()}, nil
}

func (l *library) close() {
	l.cancel()
	l.client.CloseIdleConnections()
}
