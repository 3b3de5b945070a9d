package cxone

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/apiurl"
)

// Config says where CXone is and who we are there.
type Config struct {
	// BaseURL is CXONE_DOMAIN: a bare domain, meant as https, or a full URL, taken as it is.
	BaseURL      string
	ClientID     string    // CXONE_CLIENT_ID
	ClientSecret string    // CXONE_CLIENT_SECRET
	AuthStyle    AuthStyle // how the credentials are sent; AuthBasic when empty
	Scopes       []string  // asked for with every token; DefaultScopes when nil

	// ServerURL is SERVER_URL: where CXone reaches this service, up to the paths of the webhooks.
	// When empty there is nothing to subscribe.
	ServerURL string
	// WebhookSecret is what CXone is told to send in X-Webhook-Secret. A ServerURL needs one.
	WebhookSecret string

	// HTTP makes the calls. When nil it is a client of our own. Redirects are not followed and
	// calls are limited in time, whatever client is given.
	HTTP *http.Client
}

// AuthStyle says how the client credentials travel to the token endpoint (RFC 6749, section 2.3.1).
type AuthStyle string

// The auth styles.
const (
	AuthBasic AuthStyle = "basic" // HTTP Basic; the default
	AuthBody  AuthStyle = "body"  // client_id and client_secret in the form
)

// timeout limits one call, from dialling to the end of the answer, when Config.HTTP sets no limit.
const timeout = 10 * time.Second

// resolve checks the settings and reports everything that is wrong with them, by the names that
// the user gave them. The server is nil when none is set.
func (c Config) resolve() (base, server *url.URL, err error) {
	var problems []error
	for _, s := range []struct{ name, value string }{
		{"CXONE_CLIENT_ID", c.ClientID}, {"CXONE_CLIENT_SECRET", c.ClientSecret},
	} {
		if s.value == "" {
			problems = append(problems, fmt.Errorf("%s is not set", s.name))
		}
	}
	switch c.AuthStyle {
	case "", AuthBasic, AuthBody:
	default:
		problems = append(problems, fmt.Errorf("CXONE_AUTH_STYLE is %q: use %q or %q", c.AuthStyle, AuthBasic, AuthBody))
	}
	if base, err = ParseDomain(c.BaseURL); err != nil {
		problems = append(problems, fmt.Errorf("CXONE_DOMAIN %w", err))
	}
	if c.ServerURL != "" {
		if server, err = apiurl.Parse(c.ServerURL); err != nil {
			problems = append(problems, fmt.Errorf("SERVER_URL %w", err))
		}
		if c.WebhookSecret == "" {
			problems = append(problems, errors.New("WEBHOOK_SECRET is not set, and CXone is to send it"))
		}
	}
	return base, server, errors.Join(problems...)
}

// ParseDomain reads CXONE_DOMAIN: a bare domain, meant as https, or what apiurl.Parse takes. Its
// errors are those of apiurl.Parse.
func ParseDomain(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if text != "" && !strings.Contains(text, "://") {
		text = "https://" + text
	}
	return apiurl.Parse(text)
}

// client returns the HTTP client that all calls go through.
func (c Config) client() *http.Client {
	client := http.Client{Timeout: timeout}
	if c.HTTP != nil {
		client = *c.HTTP
		if client.Timeout == 0 {
			client.Timeout = timeout
		}
	}
	// A redirect would carry the token, or the secret in the body, to a place nobody configured.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}
