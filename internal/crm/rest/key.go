package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"github.com/cxbridge/cxbridge/internal/crm"
)

// escape percent-encodes an id as one segment of a path: all but letters, digits and "-_.~" of
// ASCII (RFC 3986, section 2.3). The segments "." and ".." have a meaning of their own, so their
// dots are encoded too.
func escape(id string) string {
	if id == "." || id == ".." {
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return strings.ReplaceAll(url.QueryEscape(id), "+", "%20")
}

// maxKey limits an idempotency key, in bytes: many servers keep it in a column of 255 characters.
const maxKey = 255

// idempotencyKey returns {id}-{version}-{hash of the body}, the id percent-encoded: the same body
// has the same key, another body another one. An id that would make it longer than maxKey is cut at
// its end. The key is no less unique, because the body names the thread in full.
func idempotencyKey(r *crm.Request) string {
	sum := sha256.Sum256(r.Body)
	rest := "-" + strconv.FormatInt(r.Version, 10) + "-" + hex.EncodeToString(sum[:16])
	return cut(escape(r.ThreadID), maxKey-len(rest)) + rest
}

// cut returns at most n bytes of an escaped text, and no part of an escape.
func cut(escaped string, n int) string {
	if len(escaped) <= n {
		return escaped
	}
	if i := strings.LastIndexByte(escaped[:n], '%'); i > n-len("%00") {
		n = i
	}
	return escaped[:n]
}
