package rest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cxbridge/cxbridge/internal/apiurl"
)

// Config says where the CRM is and who we are there.
type Config struct {
	BaseURL string // CRM_API_URL: http or https, up to the path that /threads is joined to
	Token   string // CRM_API_TOKEN: sent as a bearer token (RFC 6750)

	// Timeout limits one call, from dialling to the end of the answer. 10 s when 0.
	Timeout time.Duration

	// Transport makes the calls; one of our own when nil.
	Transport http.RoundTripper

	// Traces shows each call of a context that is traced as a span, and the CRM gets its trace context
	// (traceparent). No traces when nil.
	Traces trace.TracerProvider
}

const (
	defaultTimeout = 10 * time.Second

	// idleConns is how many connections are kept for the next calls: more than threads are pushed
	// at a time. net/http keeps two.
	idleConns = 64

	// idleTimeout is below the five seconds after which common servers close what is idle, so that
	// a call seldom meets a connection that is just being closed.
	idleTimeout = 4 * time.Second

	maxHeader = 64 << 10 // bytes of header in an answer
)

// resolve checks the settings and reports everything that is wrong with them, by the names that
// the user gave them.
func (c Config) resolve() (*url.URL, error) {
	var problems []error
	u, err := apiurl.Parse(c.BaseURL)
	if err != nil {
		problems = append(problems, fmt.Errorf("CRM_API_URL %w", err))
	}
	switch isOther := func(r rune) bool { return r <= ' ' || r > '~' }; {
	case c.Token == "":
		problems = append(problems, errors.New("CRM_API_TOKEN is not set"))
	case strings.ContainsFunc(c.Token, isOther):
		problems = append(problems, errors.New("CRM_API_TOKEN holds a space or another character that no token has"))
	}
	return u, errors.Join(problems...)
}

func (c Config) client() *http.Client {
	client := &http.Client{
		Transport: c.Transport, Timeout: c.Timeout,
		// A redirect would carry the token to a place that nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if client.Timeout <= 0 {
		client.Timeout = defaultTimeout
	}
	if client.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost, transport.IdleConnTimeout = idleConns, idleTimeout
		transport.MaxResponseHeaderBytes = maxHeader
		client.Transport = transport
	}
	return client
}
