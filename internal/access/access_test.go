package access

import (
	"strings"
	"testing"
	"time"
)

func TestRoleOfBearer(t *testing.T) {
	tokens := NewTokens("admin-token", "viewer-token")
	for header, want := range map[string]Role{
		"Bearer admin-token":   Operator,
		"bearer  admin-token ": Operator,
		"Bearer viewer-token":  Viewer,
		"Bearer viewer-toke":   Anyone,
		"Basic admin-token":    Anyone,
		"Bearer ":              Anyone,
		"":                     Anyone,
	} {
		if got := tokens.RoleOfBearer(header); got != want {
			t.Errorf("%q is %v, want %v", header, got, want)
		}
	}
}

func TestNoViewer(t *testing.T) {
	tokens := NewTokens("admin-token", "")
	if got := tokens.RoleOf(""); got != Anyone {
		t.Errorf("an empty token is %v", got)
	}
}

func TestSession(t *testing.T) {
	start := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	sessions := NewSessions("admin-token", "viewer-token")
	for token, want := range map[string]Role{"admin-token": Operator, "viewer-token": Viewer} {
		session, ok := sessions.SignIn(token, start)
		if !ok {
			t.Fatalf("%s is refused", token)
		}
		if got := sessions.RoleOf(session, start.Add(SessionLength-time.Second)); got != want {
			t.Errorf("the session of %s is %v", token, got)
		}
		if got := sessions.RoleOf(session, start.Add(SessionLength)); got != Anyone {
			t.Errorf("the session of %s does not end", token)
		}
		if got := NewSessions("admin-token", "another").RoleOf(session, start); got != Anyone {
			t.Errorf("the session of %s outlives the viewer's token", token)
		}
		for i := range session {
			other := "A"
			if session[i] == 'A' {
				other = "B"
			}
			forged := session[:i] + other + session[i+1:]
			if got := sessions.RoleOf(forged, start); got != Anyone {
				t.Errorf("a session that is changed at %d is %v", i, got)
			}
		}
	}
	if _, ok := sessions.SignIn("wrong", start); ok {
		t.Error("a wrong token signs in")
	}
	for _, text := range []string{"", "x", strings.Repeat("A", 55), strings.Repeat("A", 200)} {
		if got := sessions.RoleOf(text, start); got != Anyone {
			t.Errorf("%q is %v", text, got)
		}
	}
}
