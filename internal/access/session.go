package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Sessions makes and reads the sessions of people who have signed in with a token. A session is signed
// with a key that is derived from the tokens: every replica can read it, and it ends when a token is
// replaced. It is safe for concurrent use.
type Sessions struct {
	key    []byte
	tokens Tokens
}

// SessionLength is how long a session lasts.
const SessionLength = 12 * time.Hour

// NewSessions returns the sessions of the bearers of the operator's and the viewer's token; "" is no viewer.
func NewSessions(admin, viewer string) *Sessions {
	mac := hmac.New(sha256.New, []byte(admin))
	mac.Write([]byte("cxbridge console session\x00" + viewer))
	return &Sessions{key: mac.Sum(nil), tokens: NewTokens(admin, viewer)}
}

// SignIn returns a session that begins now for the bearer of a token, and false for a wrong one.
func (s *Sessions) SignIn(token string, now time.Time) (session string, ok bool) {
	role := s.tokens.RoleOf(token)
	if role == Anyone {
		return "", false
	}
	claim := append(binary.BigEndian.AppendUint64(nil, uint64(now.Add(SessionLength).Unix())), byte(role))
	return base64.RawURLEncoding.EncodeToString(append(claim, s.sign(claim)...)), true
}

// claimBytes is the length of a claim: when it ends, in Unix time, and the role.
const claimBytes = 9

// RoleOf returns the role of a session, and Anyone for one that is over or forged.
func (s *Sessions) RoleOf(session string, now time.Time) Role {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(session)
	if err != nil || len(raw) != claimBytes+sha256.Size {
		return Anyone
	}
	claim, signature := raw[:claimBytes], raw[claimBytes:]
	if !hmac.Equal(signature, s.sign(claim)) || now.Unix() >= int64(binary.BigEndian.Uint64(claim)) {
		return Anyone
	}
	return Role(claim[8])
}

func (s *Sessions) sign(claim []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(claim)
	return mac.Sum(nil)
}
