package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// Webhook is a subscription as CXone keeps it.
type Webhook struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	CallbackURL string            `json:"callbackUrl"`
	EventTypes  []string          `json:"eventTypes"`
	HTTPMethod  string            `json:"httpMethod"`
	Headers     map[string]string `json:"headers"`
	Enabled     bool              `json:"enabled"`
}

// Webhooks returns the subscriptions, oldest first.
func (c *CXone) Webhooks() []Webhook {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.webhooks)
}

func (c *CXone) createWebhook(w http.ResponseWriter, r *http.Request) {
	var hook Webhook
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&hook); err != nil {
		refuse(w, http.StatusBadRequest, "", "the body is not a webhook")
		return
	}
	if field, message := hook.wrong(); field != "" {
		refuse(w, http.StatusBadRequest, field, message)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.webhooks {
		if other.Name == hook.Name || other.CallbackURL == hook.CallbackURL {
			refuse(w, http.StatusConflict, "name", "there is such a webhook already")
			return
		}
	}
	hook.ID = fmt.Sprintf("wh-%04d", len(c.webhooks)+1)
	c.webhooks = append(c.webhooks, hook)
	writeJSON(w, http.StatusCreated, hook)
}

// wrong returns the first field that is wrong, and why.
func (h *Webhook) wrong() (field, message string) {
	u, err := url.Parse(h.CallbackURL)
	switch {
	case h.ID != "":
		return "id", "is not yours to choose"
	case h.Name == "":
		return "name", "is missing"
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "callbackUrl", "is not an http or https URL"
	case len(h.EventTypes) == 0:
		return "eventTypes", "is empty"
	case h.HTTPMethod != http.MethodPost:
		return "httpMethod", "must be POST"
	case slices.ContainsFunc(h.EventTypes, func(e string) bool { return e != "messaging.status.update" }):
		return "eventTypes", "holds an unknown event"
	}
	return "", ""
}

func (c *CXone) listWebhooks(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"webhooks": c.Webhooks()})
}
