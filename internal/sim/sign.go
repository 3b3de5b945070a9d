package sim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Sign adds to the headers of a post the proof of who sends it.
type Sign func(h http.Header, body []byte, now time.Time)

// BySecret proves by the secret itself, in X-Webhook-Secret.
func BySecret(secret string) Sign {
	return func(h http.Header, _ []byte, _ time.Time) { h.Set("X-Webhook-Secret", secret) }
}

// ByRequestSignature proves by X-Request-Signature: the HMAC-SHA256 of the body, in base64.
func ByRequestSignature(secret string) Sign {
	return func(h http.Header, body []byte, _ time.Time) {
		h.Set("X-Request-Signature", sum([]byte(secret), string(body)))
	}
}

// ByStandardWebhooks proves as standardwebhooks.com says. A secret that begins with whsec_ is
// base64 from there on.
func ByStandardWebhooks(secret string) (Sign, error) {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, fmt.Errorf("the secret begins with whsec_ and is not base64: %w", err)
		}
	}
	return func(h http.Header, body []byte, now time.Time) {
		id, at := "msg_"+rand.Text(), strconv.FormatInt(now.Unix(), 10)
		h.Set("Webhook-Id", id)
		h.Set("Webhook-Timestamp", at)
		h.Set("Webhook-Signature", "v1,"+sum(key, id+"."+at+"."+string(body)))
	}, nil
}

func sum(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
