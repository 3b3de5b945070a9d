package access

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNotice(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s := NewSessions("admin-token", "viewer-token")
	rapid.Check(t, func(t *rapid.T) {
		session, text := rapid.String().Draw(t, "session"), rapid.String().Draw(t, "text")
		notice := s.SealNotice(session, text, now)
		if got, ok := s.OpenNotice(session, notice, now.Add(NoticeLength-time.Second)); !ok || got != text {
			t.Fatalf("%q is opened as %q, %t", text, got, ok)
		}
		at := rapid.IntRange(0, len(notice)-1).Draw(t, "changed at")
		other := "A"
		if notice[at] == 'A' {
			other = "B"
		}
		for name, refused := range map[string]struct {
			sessions        *Sessions
			session, notice string
			now             time.Time
		}{
			"too old":          {s, session, notice, now.Add(NoticeLength)},
			"another session":  {s, session + "x", notice, now},
			"other tokens":     {NewSessions("admin-token", "another"), session, notice, now},
			"changed":          {s, session, notice[:at] + other + notice[at+1:], now},
			"cut off":          {s, session, notice[:at], now},
			"something behind": {s, session, notice + "A", now},
		} {
			if got, ok := refused.sessions.OpenNotice(refused.session, refused.notice, refused.now); ok {
				t.Fatalf("%s: %q is opened as %q", name, text, got)
			}
		}
	})
}

// A notice does not pass as a session, nor a session as a notice.
func TestNoticeIsNoSession(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s := NewSessions("admin-token", "viewer-token")
	session, _ := s.SignIn("admin-token", now)
	for _, text := range []string{"", "\x01", "\x02"} {
		if role := s.RoleOf(s.SealNotice(session, text, now), now); role != Anyone {
			t.Errorf("the notice %q is a session of a %v", text, role)
		}
	}
	for _, given := range []string{session, "", "!", strings.Repeat("A", 54)} {
		if text, ok := s.OpenNotice(session, given, now); ok {
			t.Errorf("%q is the notice %q", given, text)
		}
	}
}
