package cxone

import "net/http"

// The API as the tutorials for CXone describe it. The real platform differs (there are no webhook
// subscriptions in its published API, and tokens come from another host): a second profile means a
// second set of what is in this file.
const (
	pathToken    = "/api/v2/oauth/token"
	pathWebhooks = "/api/v2/webhooks"

	scopeManageWebhooks = "webhooks:manage"
)

// Where this service takes the events that it subscribes to.
const callbackSMS = "/webhooks/cxone/sms"

// headerSecret carries the webhook secret with each event.
const headerSecret = "X-Webhook-Secret"

// DefaultScopes are the scopes that cxbridge needs for everything it does.
var DefaultScopes = []string{
	scopeManageWebhooks, "webhooks:read", "social:read", "interactions:read", "messaging:read", "messaging:write",
}

// Subscription is one webhook that cxbridge wants from CXone.
type Subscription struct {
	Name  string // as CXone and /readyz show it
	path  string
	scope string
	body  func(callback func(path string) string, secret string) any
}

// Subscriptions lists every webhook that cxbridge wants.
func Subscriptions() []Subscription {
	return []Subscription{smsStatus}
}

var smsStatus = Subscription{
	Name:  "sms-status-webhook",
	path:  pathWebhooks,
	scope: scopeManageWebhooks,
	body: func(callback func(string) string, secret string) any {
		return webhookRequest{
			Name:        "sms-status-webhook",
			CallbackURL: callback(callbackSMS),
			EventTypes:  []string{"messaging.status.update"},
			HTTPMethod:  http.MethodPost,
			Headers:     map[string]string{"Content-Type": "application/json", headerSecret: secret},
			Enabled:     true,
		}
	},
}

// webhookRequest is the body of POST /api/v2/webhooks.
type webhookRequest struct {
	Name        string            `json:"name"`
	CallbackURL string            `json:"callbackUrl"`
	EventTypes  []string          `json:"eventTypes"`
	HTTPMethod  string            `json:"httpMethod"`
	Headers     map[string]string `json:"headers"`
	Enabled     bool              `json:"enabled"`
}

// failure is every shape in which CXone tells what is wrong.
type failure struct {
	Message     string `json:"message"`
	Description string `json:"error_description"`
	Errors      []struct {
		Message string `json:"message"`
		Field   string `json:"field"`
	} `json:"errors"`
}
