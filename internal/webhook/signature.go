package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signatureWindow is how far a Standard Webhooks timestamp may be from our clock, either way.
const signatureWindow = 5 * time.Minute

// The ways in which a signature does not hold.
const (
	errBadSignature   = unauthorized("the signature does not match the body and any valid secret")
	errStandardHeader = unauthorized("webhook-signature needs a webhook-id without full stops, a webhook-timestamp " +
		"in Unix seconds, and a v1 signature in base64; each header once")
	errStale          = unauthorized("webhook-timestamp is more than 5 minutes from the time here")
	errRequestHeader  = unauthorized("X-Request-Signature is not the base64 of an HMAC-SHA256; send it once")
	errWrongAlgorithm = unauthorized("X-Signature-Algorithm is not sha256")
)

// claim is what a request says about itself: that the HMAC-SHA256 of prefix and body, under one of the
// keys, is one of the codes.
type claim struct {
	prefix string
	keys   [][]byte
	codes  [][sha256.Size]byte
}

// standardClaim reads a signature of Standard Webhooks 1.0.0: it covers "id.timestamp.body", and
// the header lists any number of them as "v1,<base64>", separated by spaces. Other versions in the
// list are skipped. An id with a full stop is refused, as the specification has it: with one, the
// three parts could be cut elsewhere and still have the same signature.
func (s *Secrets) standardClaim(h http.Header, signatures []string, now time.Time) (claim, error) {
	list, ok := single(signatures)
	id, okID := single(h[headerWebhookID])
	stamp, okStamp := single(h[headerWebhookTimestamp])
	if !ok || !okID || !okStamp || id == "" || strings.Contains(id, ".") {
		return claim{}, errStandardHeader
	}
	seconds, err := strconv.ParseUint(stamp, 10, 40)
	if err != nil {
		return claim{}, errStandardHeader
	}
	if age := now.Sub(time.Unix(int64(seconds), 0)); age < -signatureWindow || age > signatureWindow {
		return claim{}, errStale
	}
	c := claim{prefix: id + "." + stamp + ".", keys: s.standard}
	for entry := range strings.FieldsSeq(list) {
		version, encoded, _ := strings.Cut(entry, ",")
		if version != "v1" {
			continue
		}
		if code, ok := decodeCode(encoded); ok {
			c.codes = append(c.codes, code)
		}
	}
	if len(c.codes) == 0 {
		return claim{}, errStandardHeader
	}
	return c, nil
}

// requestClaim reads the signature that the makers of CXone Digital publish: the base64 of the
// HMAC-SHA256 of the body. It names no time, so it does not protect against replay; the store promises
// that a replay changes nothing.
func (s *Secrets) requestClaim(h http.Header, signatures []string) (claim, error) {
	if values := h[headerAlgorithm]; values != nil {
		if name, ok := single(values); !ok || !strings.EqualFold(name, "sha256") {
			return claim{}, errWrongAlgorithm
		}
	}
	encoded, ok := single(signatures)
	if !ok {
		return claim{}, errRequestHeader
	}
	code, ok := decodeCode(encoded)
	if !ok {
		return claim{}, errRequestHeader
	}
	return claim{keys: s.plain, codes: [][sha256.Size]byte{code}}, nil
}

func decodeCode(encoded string) (code [sha256.Size]byte, ok bool) {
	if len(encoded) != base64.StdEncoding.EncodedLen(len(code)) {
		return code, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	return code, err == nil && copy(code[:], raw) == len(code)
}

// verify checks the claims against the body as it came, byte for byte. One that holds is enough.
// Every key and every code is tried, so the time taken does not reveal which of them matched.
func verify(claims []claim, body []byte) error {
	match := 0
	for _, c := range claims {
		for _, key := range c.keys {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(c.prefix))
			mac.Write(body)
			sum := mac.Sum(nil)
			for i := range c.codes {
				match |= subtle.ConstantTimeCompare(sum, c.codes[i][:])
			}
		}
	}
	if match == 0 {
		return errBadSignature
	}
	return nil
}
