package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sign returns the base64 of the HMAC-SHA256 of the parts, one after the other.
func sign(key string, parts ...string) string {
	mac := hmac.New(sha256.New, []byte(key))
	for _, p := range parts {
		mac.Write([]byte(p))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// admits does what a Gate does to prove a caller.
func admits(s *Secrets, h http.Header, body string, now time.Time) error {
	known, claims, err := s.examine(h, now)
	if known || err != nil {
		return err
	}
	return verify(claims, []byte(body))
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestPublishedVectors(t *testing.T) {
	tests := []struct {
		name   string
		secret string
		header http.Header
		body   string
		now    time.Time
	}{
		{
			name: "X-Request-Signature", secret: "random", body: `{"foo":"bar"}`,
			header: headers("X-Request-Signature", "36HN7juP6erwuhrmZelPH58M9xDaNrImKsDNi3u8Bww=", "X-Signature-Algorithm", "sha256"),
		},
		{
			name: "X-Request-Signature of an empty body", secret: "random", body: "",
			header: headers("X-Request-Signature", "qXRq3V1/nR82wfT6WyNGQWZYp9ShpuSQfpvGGCZ99LI="),
		},
		{
			name: "Standard Webhooks", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", body: `{"test": 2432232314}`,
			header: headers("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330",
				"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
			now: time.Unix(1614265330, 0),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := admits(mustSecrets(t, "other", tt.secret), tt.header, tt.body, tt.now); err != nil {
				t.Error(err)
			}
			if err := admits(mustSecrets(t, "other"), tt.header, tt.body, tt.now); err != errBadSignature {
				t.Errorf("with another secret: %v", err)
			}
			if err := admits(mustSecrets(t, tt.secret), tt.header, tt.body+" ", tt.now); err != errBadSignature {
				t.Errorf("with another body: %v", err)
			}
		})
	}
}

func TestStandardWebhooks(t *testing.T) {
	const body = `{"messageId":"1"}`
	now := time.Unix(1_700_000_000, 0)
	stamp := strconv.FormatInt(now.Unix(), 10)
	good := "v1," + sign("key", "msg_1.", stamp, ".", body)
	signed := func(stamp string) string { return "v1," + sign("key", "msg_1.", stamp, ".", body) }
	bad := "v1," + sign("wrong", "x")
	tests := []struct {
		name                 string
		id, stamp, signature []string
		want                 error
	}{
		{"good", []string{"msg_1"}, []string{stamp}, []string{good}, nil},
		{"after a wrong one", []string{"msg_1"}, []string{stamp}, []string{bad + " " + good}, nil},
		{"before a wrong one", []string{"msg_1"}, []string{stamp}, []string{good + " " + bad}, nil},
		{"beside other versions", []string{"msg_1"}, []string{stamp}, []string{"v1a,AAAA v2 , " + good}, nil},
		{"beside one that is no base64", []string{"msg_1"}, []string{stamp}, []string{"v1,!!! " + good}, nil},
		{"all wrong", []string{"msg_1"}, []string{stamp}, []string{bad + " " + bad}, errBadSignature},
		{"id that was not signed", []string{"msg_2"}, []string{stamp}, []string{good}, errBadSignature},
		{"time that was not signed", []string{"msg_1"}, []string{"1700000001"}, []string{good}, errBadSignature},
		{"right code of another version", []string{"msg_1"}, []string{stamp}, []string{"v2" + good[2:]}, errStandardHeader},
		{"no version", []string{"msg_1"}, []string{stamp}, []string{good[3:]}, errStandardHeader},
		{"empty", []string{"msg_1"}, []string{stamp}, []string{""}, errStandardHeader},
		{"cut short", []string{"msg_1"}, []string{stamp}, []string{good[:len(good)-4]}, errStandardHeader},
		{"hex", []string{"msg_1"}, []string{stamp}, []string{"v1," + strings.Repeat("ab", 32)}, errStandardHeader},
		{"header twice", []string{"msg_1"}, []string{stamp}, []string{good, good}, errStandardHeader},
		{"header too long", []string{"msg_1"}, []string{stamp}, []string{good + strings.Repeat(" ", maxCredential)}, errStandardHeader},
		{"no id", nil, []string{stamp}, []string{good}, errStandardHeader},
		{"empty id", []string{""}, []string{stamp}, []string{"v1," + sign("key", ".", stamp, ".", body)}, errStandardHeader},
		{"id twice", []string{"msg_1", "msg_1"}, []string{stamp}, []string{good}, errStandardHeader},
		{"id with a full stop", []string{"msg.1"}, []string{stamp}, []string{"v1," + sign("key", "msg.1.", stamp, ".", body)}, errStandardHeader},
		{"no time", []string{"msg_1"}, nil, []string{good}, errStandardHeader},
		{"time twice", []string{"msg_1"}, []string{stamp, stamp}, []string{good}, errStandardHeader},
		{"time with a sign", []string{"msg_1"}, []string{"+" + stamp}, []string{signed("+" + stamp)}, errStandardHeader},
		{"time in RFC 3339", []string{"msg_1"}, []string{now.Format(time.RFC3339)}, []string{good}, errStandardHeader},
		{"time beyond all", []string{"msg_1"}, []string{"99999999999999999999"}, []string{good}, errStandardHeader},
		{"time in milliseconds", []string{"msg_1"}, []string{stamp + "000"}, []string{signed(stamp + "000")}, errStandardHeader},
		{"time zero", []string{"msg_1"}, []string{"0"}, []string{signed("0")}, errStale},
		{"five minutes ago", []string{"msg_1"}, []string{"1699999700"}, []string{signed("1699999700")}, nil},
		{"longer ago", []string{"msg_1"}, []string{"1699999699"}, []string{signed("1699999699")}, errStale},
		{"in five minutes", []string{"msg_1"}, []string{"1700000300"}, []string{signed("1700000300")}, nil},
		{"later", []string{"msg_1"}, []string{"1700000301"}, []string{signed("1700000301")}, errStale},
	}
	s := mustSecrets(t, "another", "key")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{headerWebhookSignature: tt.signature}
			if tt.id != nil {
				h[headerWebhookID] = tt.id
			}
			if tt.stamp != nil {
				h[headerWebhookTimestamp] = tt.stamp
			}
			if err := admits(s, h, body, now); err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestRequestSignature(t *testing.T) {
	const body = "{ \"messageId\" :\t\"1\"\r\n}\n"
	good := sign("key", body)
	tests := []struct {
		name   string
		header http.Header
		want   error
	}{
		{"good", headers(headerRequestSignature, good), nil},
		{"algorithm", headers(headerRequestSignature, good, headerAlgorithm, "sha256"), nil},
		{"algorithm in capitals", headers(headerRequestSignature, good, headerAlgorithm, "SHA256"), nil},
		{"other algorithm", headers(headerRequestSignature, good, headerAlgorithm, "sha1"), errWrongAlgorithm},
		{"algorithm twice", headers(headerRequestSignature, good, headerAlgorithm, "sha256", headerAlgorithm, "sha256"), errWrongAlgorithm},
		{"of the body without its spaces", headers(headerRequestSignature, sign("key", `{"messageId":"1"}`)), errBadSignature},
		{"by another key", headers(headerRequestSignature, sign("other", body)), errBadSignature},
		{"empty", headers(headerRequestSignature, ""), errRequestHeader},
		{"no base64", headers(headerRequestSignature, strings.Repeat("!", 44)), errRequestHeader},
		{"with stray bits", headers(headerRequestSignature, good[:42]+"9="), errRequestHeader},
		{"twice", headers(headerRequestSignature, good, headerRequestSignature, good), errRequestHeader},
		{"algorithm alone", headers(headerAlgorithm, "sha256"), errNoCredential},
	}
	s := mustSecrets(t, "key")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := admits(s, tt.header, body, noon); err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// A whsec_ secret is decoded for Standard Webhooks only: the other scheme knows no such prefix.
func TestMarkedSecretSignsBothWays(t *testing.T) {
	marked := "whsec_" + base64.StdEncoding.EncodeToString([]byte("key"))
	s := mustSecrets(t, marked)
	if err := admits(s, headers(headerRequestSignature, sign(marked, "body")), "body", noon); err != nil {
		t.Errorf("by the text: %v", err)
	}
	if err := admits(s, headers(headerRequestSignature, sign("key", "body")), "body", noon); err != errBadSignature {
		t.Errorf("by the key: %v", err)
	}
}

func TestAnyCredentialThatHoldsAdmits(t *testing.T) {
	const body = "{}"
	stamp := strconv.FormatInt(noon.Unix(), 10)
	standard := func(code string) []string {
		return []string{headerWebhookID, "m", headerWebhookTimestamp, stamp, headerWebhookSignature, "v1," + code}
	}
	good, bad := sign("key", body), sign("wrong", body)
	goodStandard, badStandard := standard(sign("key", "m.", stamp, ".", body)), standard(bad)
	tests := []struct {
		name  string
		pairs [][]string
		want  error
	}{
		{"secret, wrong signatures", [][]string{{headerSecret, "key"}, {headerRequestSignature, bad}, badStandard}, nil},
		{"wrong secret, signature", [][]string{{headerSecret, "no"}, {headerRequestSignature, good}}, nil},
		{"wrong secret, standard", [][]string{{headerSecret, "no"}, goodStandard}, nil},
		{"signature, wrong standard", [][]string{{headerRequestSignature, good}, badStandard}, nil},
		{"standard, signature that cannot be read", [][]string{goodStandard, {headerRequestSignature, "?"}}, nil},
		{"signature, standard that cannot be read", [][]string{{headerRequestSignature, good}, {headerWebhookSignature, "?"}}, nil},
		{"all wrong", [][]string{{headerSecret, "no"}, {headerRequestSignature, bad}, badStandard}, errBadSignature},
		{"wrong secret, none can be read", [][]string{{headerSecret, "no"}, {headerRequestSignature, "?"}}, errRequestHeader},
	}
	s := mustSecrets(t, "key")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var all []string
			for _, p := range tt.pairs {
				all = append(all, p...)
			}
			if err := admits(s, headers(all...), body, noon); err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
