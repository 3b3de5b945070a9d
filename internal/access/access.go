// Package access decides who may do what: it knows two tokens, and what each of them lets its bearer do.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// Role is what a caller may do. A higher role may do all that a lower one may.
type Role int

// The roles.
const (
	Anyone   Role = iota
	Viewer        // may read
	Operator      // may change, and see what was refused
)

// String returns the name of the role, such as operator.
func (r Role) String() string {
	return [...]string{"anyone", "viewer", "operator"}[r]
}

// Tokens keeps the tokens as their SHA-256 digests. All digests have the same length, so comparing
// them takes the same time for every token.
type Tokens struct {
	admin, viewer [sha256.Size]byte
	hasViewer     bool
}

// NewTokens takes the token of the operator and that of the viewer. With "" as the latter there is no
// viewer.
func NewTokens(admin, viewer string) Tokens {
	return Tokens{
		admin: sha256.Sum256([]byte(admin)), viewer: sha256.Sum256([]byte(viewer)),
		hasViewer: viewer != "",
	}
}

// RoleOf returns the role that a token proves, and Anyone for a wrong one.
func (t *Tokens) RoleOf(token string) Role {
	if token = strings.TrimSpace(token); token == "" {
		return Anyone
	}
	digest := sha256.Sum256([]byte(token))
	isAdmin := subtle.ConstantTimeCompare(digest[:], t.admin[:]) == 1
	isViewer := subtle.ConstantTimeCompare(digest[:], t.viewer[:]) == 1
	switch {
	case isAdmin:
		return Operator
	case isViewer && t.hasViewer:
		return Viewer
	}
	return Anyone
}

// RoleOfBearer returns the role that an Authorization header proves.
func (t *Tokens) RoleOfBearer(authorization string) Role {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Anyone
	}
	return t.RoleOf(token)
}
