package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// InteractionWebhook is a subscription to what happens to interactions, as CXone keeps it.
type InteractionWebhook struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	URI     string            `json:"uri"`
	Events  []string          `json:"events"`
	Status  string            `json:"status"`
	Filter  InteractionFilter `json:"filter"`
	Headers map[string]string `json:"headers,omitempty"`
}

// InteractionFilter says which interactions an InteractionWebhook is about.
type InteractionFilter struct {
	Channel string `json:"channel"`
}

// InteractionWebhooks returns the subscriptions, oldest first.
func (c *CXone) InteractionWebhooks() []InteractionWebhook {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.hooks)
}

// ServeThreads makes the fake return the threads that the function returns. It is called by several
// goroutines at once; false says that there is no such thread.
func (c *CXone) ServeThreads(thread func(id string) (Conversation, bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.thread = thread
}

func (c *CXone) createInteractionWebhook(w http.ResponseWriter, r *http.Request) {
	var hook InteractionWebhook
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
	if r.Header.Get("X-Request-Id") == "" {
		refuse(w, http.StatusBadRequest, "X-Request-Id", "is missing")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.hooks {
		if other.Name == hook.Name || other.URI == hook.URI {
			refuse(w, http.StatusConflict, "name", "there is such a webhook already")
			return
		}
	}
	hook.ID = fmt.Sprintf("iw-%04d", len(c.hooks)+1)
	c.hooks = append(c.hooks, hook)
	writeJSON(w, http.StatusCreated, hook)
}

var threadEvents = []string{threadUpdated, threadMerged, threadSplit}

// wrong returns the first field that is wrong, and why.
func (h *InteractionWebhook) wrong() (field, message string) {
	u, err := url.Parse(h.URI)
	switch {
	case h.ID != "":
		return "id", "is not yours to choose"
	case h.Name == "":
		return "name", "is missing"
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "uri", "is not an http or https URL"
	case len(h.Events) == 0:
		return "events", "is empty"
	case slices.ContainsFunc(h.Events, func(e string) bool { return !slices.Contains(threadEvents, e) }):
		return "events", "holds an unknown event"
	case h.Status != "ACTIVE" && h.Status != "INACTIVE":
		return "status", "must be ACTIVE or INACTIVE"
	case h.Filter.Channel != "SOCIAL":
		return "filter.channel", "must be SOCIAL"
	}
	return "", ""
}

func (c *CXone) getThread(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	thread := c.thread
	c.mu.Unlock()
	if thread != nil {
		if conversation, ok := thread(r.PathValue("id")); ok {
			writeJSON(w, http.StatusOK, conversation)
			return
		}
	}
	refuse(w, http.StatusNotFound, "", "there is no such thread")
}
