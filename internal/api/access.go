package api

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/cxbridge/cxbridge/internal/access"
)

// bearerScheme is the name of the security scheme in the OpenAPI document.
const bearerScheme = "bearer"

// security returns the security requirement of a role, in the form of OpenAPI 3.1.
func security(need access.Role) []map[string][]string {
	if need == access.Anyone {
		return nil
	}
	return []map[string][]string{{bearerScheme: {need.String()}}}
}

// allows reports whether the caller has the role. If not, it has answered.
func (c *Handler) allows(w http.ResponseWriter, r *http.Request, need access.Role) bool {
	if need == access.Anyone {
		return true
	}
	shown := r.Header.Get("Authorization")
	switch has := c.tokens.RoleOfBearer(shown); {
	case has >= need:
		return true
	case has == access.Anyone:
		if shown != "" && c.isLimited(w, r) {
			return false
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeProblem(w, http.StatusUnauthorized, "a valid token is needed: Authorization: Bearer TOKEN")
	default:
		writeProblem(w, http.StatusForbidden, "this needs the operator's token")
	}
	return false
}

// isLimited counts a wrong token, and reports whether there were too many. If so, it has answered. Only
// wrong tokens are limited: see access.Failures.
func (c *Handler) isLimited(w http.ResponseWriter, r *http.Request) bool {
	wait := c.Failures.Failed(r, time.Now())
	if wait == 0 {
		c.Log.LogAttrs(r.Context(), slog.LevelWarn, "api: wrong token", slog.String("client", access.AddressOf(r).String()))
		return false
	}
	w.Header().Set("Retry-After", strconv.FormatInt(access.Seconds(wait), 10))
	writeProblem(w, http.StatusTooManyRequests, "there were too many wrong tokens from this address")
	return true
}

// admit lets only callers of a role through to an operation.
func (c *Handler) admit(need access.Role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if c.allows(w, r, need) {
			next(ctx)
		}
	}
}

// guard lets only callers of a role through to a plain handler.
func (c *Handler) guard(need access.Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.allows(w, r, need) {
			next.ServeHTTP(w, r)
		}
	})
}
