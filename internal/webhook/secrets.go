package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The headers that a caller can authenticate itself with, in the canonical form of net/http.
const (
	headerSecret           = "X-Webhook-Secret"
	headerRequestSignature = "X-Request-Signature"
	headerAlgorithm        = "X-Signature-Algorithm"
	headerWebhookID        = "Webhook-Id"
	headerWebhookTimestamp = "Webhook-Timestamp"
	headerWebhookSignature = "Webhook-Signature"
)

// maxCredential bounds the value of a credential header, in bytes. It leaves room for some eighty
// signatures, and keeps the refusal of a stranger cheap.
const maxCredential = 4096

// Secrets are the webhook secrets that are valid now: several during a rotation. They are safe for
// concurrent use.
//
// A caller may authenticate itself in three ways: the secret itself in X-Webhook-Secret, a Standard
// Webhooks signature, or an X-Request-Signature. Any one of them that holds admits the request,
// whatever the others say: each is proof enough alone, and a gateway on the way may add or spoil a
// header that the sender knows nothing of.
type Secrets struct {
	digests  [][sha256.Size]byte // of the secrets as given, for X-Webhook-Secret
	plain    [][]byte            // the keys of X-Request-Signature: the secrets as given
	standard [][]byte            // the keys of Standard Webhooks
}

// standardPrefix marks a secret whose Standard Webhooks key is the base64 that follows.
const standardPrefix = "whsec_"

// NewSecrets takes the valid secrets. It fails when there is none, or when one could never match;
// the error names each by its place in the list, counted from 1, and never by its text.
func NewSecrets(list ...string) (*Secrets, error) {
	if len(list) == 0 {
		return nil, errors.New("no webhook secret is set")
	}
	s := &Secrets{}
	var problems []error
	for i, secret := range list {
		key, err := standardKey(secret)
		if err != nil {
			problems = append(problems, fmt.Errorf("webhook secret %d of %d: %w", i+1, len(list), err))
			continue
		}
		s.digests = append(s.digests, sha256.Sum256([]byte(secret)))
		s.plain = append(s.plain, []byte(secret))
		s.standard = append(s.standard, key)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return s, nil
}

// standardKey checks a secret and returns the key it stands for in Standard Webhooks.
func standardKey(secret string) ([]byte, error) {
	switch {
	case secret == "":
		return nil, errors.New("it is empty")
	case len(secret) > maxCredential:
		return nil, fmt.Errorf("it is longer than %d bytes", maxCredential)
	case strings.TrimSpace(secret) != secret:
		return nil, errors.New("it has space around it, which a header cannot carry")
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, errors.New("it holds a control character, which a header cannot carry")
	}
	encoded, marked := strings.CutPrefix(secret, standardPrefix)
	if !marked {
		return []byte(secret), nil
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil || len(key) == 0 {
		return nil, errors.New("what follows " + standardPrefix + " is not base64")
	}
	return key, nil
}

// unauthorized says why a caller is a stranger. It is the answer's text, so it says what to fix and
// nothing about the secrets.
type unauthorized string

func (e unauthorized) Error() string { return string(e) }

const (
	errNoCredential = unauthorized("no credential: send " + headerSecret + ", or sign the body")
	errWrongSecret  = unauthorized("wrong secret in " + headerSecret + ", or more than one")
)

// examine looks at the headers only. A caller who shows a valid secret is known. For a caller who shows
// signatures instead it returns the claims, which verify checks once the body is there. All others are
// strangers, and their bodies need not be read.
func (s *Secrets) examine(h http.Header, now time.Time) (known bool, claims []claim, err error) {
	err = errNoCredential
	if values := h[headerSecret]; values != nil {
		if s.matches(values) {
			return true, nil, nil
		}
		err = errWrongSecret
	}
	if values := h[headerWebhookSignature]; values != nil {
		c, problem := s.standardClaim(h, values, now)
		if problem == nil {
			claims = append(claims, c)
		}
		err = problem
	}
	if values := h[headerRequestSignature]; values != nil {
		c, problem := s.requestClaim(h, values)
		if problem == nil {
			claims = append(claims, c)
		}
		err = problem
	}
	if len(claims) > 0 {
		return false, claims, nil
	}
	return false, nil, err
}

// matches compares a shown secret with all valid ones. Digests have one length, and every one of
// them is compared, so the time taken reveals neither the length of a secret nor which one matched.
func (s *Secrets) matches(values []string) bool {
	shown, ok := single(values)
	if !ok {
		return false
	}
	digest := sha256.Sum256([]byte(shown))
	match := 0
	for i := range s.digests {
		match |= subtle.ConstantTimeCompare(digest[:], s.digests[i][:])
	}
	return match == 1
}

// single returns the value of a header that may be sent once. A second one is refused rather than
// chosen from: another party on the way might choose the other.
func single(values []string) (value string, ok bool) {
	if len(values) != 1 || len(values[0]) > maxCredential {
		return "", false
	}
	return values[0], true
}
