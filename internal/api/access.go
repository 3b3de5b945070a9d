package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/cxbridge/cxbridge/internal/access"
)

// bearerScheme is the name of the security scheme in the OpenAPI document.
const bearerScheme = "bearer"

// security names a role as OpenAPI 3.1 wants it.
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
	switch has := c.tokens.RoleOfBearer(r.Header.Get("Authorization")); {
	case has >= need:
		return true
	case has == access.Anyone:
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeProblem(w, http.StatusUnauthorized, "a valid token is needed: Authorization: Bearer TOKEN")
	default:
		writeProblem(w, http.StatusForbidden, "this needs the operator's token")
	}
	return false
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
