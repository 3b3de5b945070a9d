package cxone

import "net/http"

// The API as the tutorials for CXone describe it. The real platform differs (there are no webhook
// subscriptions in its published API, and tokens come from another host): a second profile means a
// second set of what is in this file.
const (
	pathToken               = "/api/v2/oauth/token"
	pathWebhooks            = "/api/v2/webhooks"
	pathInteractionWebhooks = "/api/v2/interactions/webhooks"
	pathThreads             = "/api/v2/interactions/social/threads/" // and the id of one

	scopeManageWebhooks = "webhooks:manage"
	scopesReadThreads   = "social:read or interactions:read" // as messages to a user name them
)

// Where this service takes the events that it subscribes to.
const (
	callbackSMS     = "/webhooks/cxone/sms"
	callbackThreads = "/api/webhooks/cxone-threads"
)

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
	return []Subscription{smsStatus, socialThreads}
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

var socialThreads = Subscription{
	Name:  "crm-social-thread-sync",
	path:  pathInteractionWebhooks,
	scope: scopeManageWebhooks,
	body: func(callback func(string) string, secret string) any {
		return interactionWebhookRequest{
			Name:    "crm-social-thread-sync",
			URI:     callback(callbackThreads),
			Events:  []string{"THREAD_UPDATED", "THREAD_MERGED", "THREAD_SPLIT"},
			Status:  "ACTIVE",
			Filter:  interactionFilter{Channel: "SOCIAL"},
			Headers: map[string]string{"Content-Type": "application/json", headerSecret: secret},
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

// interactionWebhookRequest is the body of POST /api/v2/interactions/webhooks.
//
// The tutorial's body has no headers: its webhook trusts every stranger. Ours does not, so the
// secret travels as in the other API. A URI that held it would show it in every access log. A tenant
// that accepts no headers has to sign what it posts (X-Request-Signature or Standard Webhooks).
type interactionWebhookRequest struct {
	Name    string            `json:"name"`
	URI     string            `json:"uri"`
	Events  []string          `json:"events"`
	Status  string            `json:"status"`
	Filter  interactionFilter `json:"filter"`
	Headers map[string]string `json:"headers"`
}

type interactionFilter struct {
	Channel string `json:"channel"`
}

// failure is every shape in which CXone says what is wrong.
type failure struct {
	Message     string `json:"message"`
	Description string `json:"error_description"`
	Errors      []struct {
		Message string `json:"message"`
		Field   string `json:"field"`
	} `json:"errors"`
}
