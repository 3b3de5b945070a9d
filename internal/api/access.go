package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// role is what a caller may do. A higher role may do all that a lower one may.
type role int

const (
	anyone   role = iota
	viewer        // may read
	operator      // may change, and see what was refused
)

// bearerScheme is the name of the security scheme in the OpenAPI document.
const bearerScheme = "bearer"

// security names the role as OpenAPI 3.1 wants it.
func (r role) security() []map[string][]string {
	switch r {
	case operator:
		return []map[string][]string{{bearerScheme: {"operator"}}}
	case viewer:
		return []map[string][]string{{bearerScheme: {"viewer"}}}
	}
	return nil
}

// keys knows the tokens by their SHA-256 digests. Digests are of one length, so that comparing
// them takes the same time for every token.
type keys struct {
	admin, viewer [sha256.Size]byte
	hasViewer     bool
}

func newKeys(admin, viewer string) keys {
	return keys{
		admin: sha256.Sum256([]byte(admin)), viewer: sha256.Sum256([]byte(viewer)),
		hasViewer: viewer != "",
	}
}

// roleOf returns the role that an Authorization header proves.
func (k *keys) roleOf(authorization string) role {
	scheme, token, _ := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return anyone
	}
	digest := sha256.Sum256([]byte(token))
	isAdmin := subtle.ConstantTimeCompare(digest[:], k.admin[:]) == 1
	isViewer := subtle.ConstantTimeCompare(digest[:], k.viewer[:]) == 1
	switch {
	case isAdmin:
		return operator
	case isViewer && k.hasViewer:
		return viewer
	}
	return anyone
}

// allows reports whether the caller has the role. If not, it has answered.
func (c *handler) allows(w http.ResponseWriter, r *http.Request, need role) bool {
	if need == anyone {
		return true
	}
	switch has := c.keys.roleOf(r.Header.Get("Authorization")); {
	case has >= need:
		return true
	case has == anyone:
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeProblem(w, http.StatusUnauthorized, "a valid token is needed: Authorization: Bearer TOKEN")
	default:
		writeProblem(w, http.StatusForbidden, "this needs the operator's token")
	}
	return false
}

// admit lets only callers of a role through to an operation.
func (c *handler) admit(need role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if c.allows(w, r, need) {
			next(ctx)
		}
	}
}

// guard lets only callers of a role through to a plain handler.
func (c *handler) guard(need role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.allows(w, r, need) {
			next.ServeHTTP(w, r)
		}
	})
}
