package sim_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

func TestBySecret(t *testing.T) {
	h := make(http.Header)
	sim.BySecret("s")(h, nil, time.Time{})
	if got := h.Get("X-Webhook-Secret"); got != "s" {
		t.Errorf("got %q", got)
	}
}

// The expected value was made with: printf '{"a":1}' | openssl dgst -sha256 -hmac key -binary | base64
func TestByRequestSignature(t *testing.T) {
	h := make(http.Header)
	sim.ByRequestSignature("key")(h, []byte(`{"a":1}`), time.Time{})
	if got, want := h.Get("X-Request-Signature"), "iKZ/JLvNrtDmyZdAS7eadDuvRMa6svTCcyjjAJ0i40I="; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestByStandardWebhooks(t *testing.T) {
	now := time.Unix(1614265330, 0)
	headers := func(secret string) http.Header {
		sign, err := sim.ByStandardWebhooks(secret)
		if err != nil {
			t.Fatal(err)
		}
		h := make(http.Header)
		sign(h, []byte(`{"a":1}`), now)
		return h
	}
	ids := make(map[string]bool)
	for _, secret := range []string{"key", "whsec_a2V5"} {
		h := headers(secret)
		id := h.Get("webhook-id")
		ids[id] = true
		if !strings.HasPrefix(id, "msg_") || h.Get("webhook-timestamp") != "1614265330" {
			t.Errorf("got %v", h)
		}
		mac := hmac.New(sha256.New, []byte("key"))
		mac.Write([]byte(id + `.1614265330.{"a":1}`))
		if got, want := h.Get("webhook-signature"), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("with the secret %s: the signature is %s, want %s", secret, got, want)
		}
	}
	if len(ids) != 2 {
		t.Error("two posts have one id")
	}
	if _, err := sim.ByStandardWebhooks("whsec_***"); err == nil || strings.Contains(err.Error(), "***") {
		t.Errorf("got %v", err)
	}
}
