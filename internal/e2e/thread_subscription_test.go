package e2e_test

import (
	"net/http"
	"slices"
	"testing"
)

// threadSubscription is what /readyz calls the subscription to threads.
const threadSubscription = "cxone crm-social-thread-sync"

// Both subscriptions are made in CXone, and what CXone then posts of threads is taken.
func TestThreadSubscription(t *testing.T) {
	t.Parallel()
	platform := newPlatform(t)
	platform.here.Store(true)
	s := onSQLite(t)
	p := serve(t, s.settings.with(platform.settings()))
	awaitBoth := func() {
		t.Helper()
		eventually(t, "CXone has both subscriptions", func() bool {
			_, parts := p.ready(t)
			return parts[subscription] == "subscribed" && parts[threadSubscription] == "subscribed"
		})
	}
	awaitBoth()
	if n := len(platform.Webhooks()); n != 1 {
		t.Errorf("%d subscriptions to receipts", n)
	}
	hooks := platform.InteractionWebhooks()
	if len(hooks) != 1 {
		t.Fatalf("subscriptions %+v", hooks)
	}
	hook := hooks[0]
	slices.Sort(hook.Events)
	if hook.URI != "https://bridge.example.com/inbound"+threadsPath || hook.Status != "ACTIVE" || hook.Filter.Channel != "SOCIAL" ||
		!slices.Equal(hook.Events, []string{merged, split, updated}) {
		t.Errorf("the subscription is %+v", hook)
	}
	p.wantAnswer(t, accepted, event(updated, "t-1", 1), "X-Webhook-Secret", hook.Headers["X-Webhook-Secret"])
	p.postThread(t, http.StatusUnauthorized, event(updated, "t-2", 1), "X-Webhook-Secret", "")

	// Another start finds them there.
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p = serve(t, s.settings.with(platform.settings()))
	awaitBoth()
	if n, m := len(platform.Webhooks()), len(platform.InteractionWebhooks()); n != 1 || m != 1 {
		t.Errorf("%d and %d subscriptions after another start", n, m)
	}
}
