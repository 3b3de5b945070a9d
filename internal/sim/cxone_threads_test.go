package sim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

const goodInteractionWebhook = `{"name":"n","uri":"https://bridge.test/in","events":["THREAD_UPDATED","THREAD_MERGED","THREAD_SPLIT"],
	"status":"ACTIVE","filter":{"channel":"SOCIAL"},"headers":{"X-Webhook-Secret":"s"}}`

func TestCXoneInteractionWebhooks(t *testing.T) {
	c := sim.NewCXone("id", "secret")
	manage, read := bearer(t, c, "webhooks:manage"), bearer(t, c, "webhooks:read")
	change := func(old, new string) string { return strings.Replace(goodInteractionWebhook, old, new, 1) }
	tests := []struct {
		name, auth, body string
		status           int
	}{
		{"Stranger", "Bearer guess", goodInteractionWebhook, 401},
		{"OtherScope", read, goodInteractionWebhook, 403},
		{"NoJSON", manage, `{`, 400},
		{"UnknownField", manage, change(`"uri"`, `"callbackUrl"`), 400},
		{"OwnID", manage, change(`"name"`, `"id":"x","name"`), 400},
		{"NoName", manage, change(`"n"`, `""`), 400},
		{"NoURL", manage, change(`https://bridge.test/in`, `/in`), 400},
		{"NoEvents", manage, change(`"THREAD_UPDATED","THREAD_MERGED","THREAD_SPLIT"`, ``), 400},
		{"OtherEvents", manage, change(`THREAD_SPLIT`, `THREAD_DELETED`), 400},
		{"OtherStatus", manage, change(`ACTIVE`, `on`), 400},
		{"OtherChannel", manage, change(`SOCIAL`, `SMS`), 400},
		{"Good", manage, goodInteractionWebhook, 201},
		{"Again", manage, goodInteractionWebhook, 409},
		{"SameName", manage, change(`/in`, `/other`), 409},
		{"SameURL", manage, change(`"n"`, `"m"`), 409},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := exchange(t, c, "POST", "/api/v2/interactions/webhooks", tt.body, "Authorization", tt.auth, "X-Request-Id", "r")
			if status != tt.status {
				t.Errorf("status %d, want %d: %v", status, tt.status, answer)
			}
		})
	}
	if status, _ := exchange(t, c, "POST", "/api/v2/interactions/webhooks", change(`"n"`, `"o"`), "Authorization", manage); status != 400 {
		t.Errorf("status %d without X-Request-Id, want 400", status)
	}
	want := []sim.InteractionWebhook{{
		ID: "iw-0001", Name: "n", URI: "https://bridge.test/in", Events: []string{"THREAD_UPDATED", "THREAD_MERGED", "THREAD_SPLIT"},
		Status: "ACTIVE", Filter: sim.InteractionFilter{Channel: "SOCIAL"}, Headers: map[string]string{"X-Webhook-Secret": "s"},
	}}
	if diff := cmp.Diff(want, c.InteractionWebhooks()); diff != "" {
		t.Error(diff)
	}
	if n := len(c.Webhooks()); n != 0 {
		t.Errorf("%d webhooks of the other API", n)
	}
}

func TestCXoneThreads(t *testing.T) {
	c := sim.NewCXone("id", "secret")
	both := bearer(t, c, "social:read interactions:read")
	get := func(id, auth string) (int, map[string]any) {
		return exchange(t, c, "GET", "/api/v2/interactions/social/threads/"+id, "", "Authorization", auth)
	}
	if status, _ := get("t%2F1", both); status != 404 {
		t.Errorf("status %d without threads, want 404", status)
	}
	parent := "p"
	c.ServeThreads(func(id string) (sim.Conversation, bool) {
		return sim.Conversation{ThreadID: id, ParentThreadID: &parent, Version: 3, UpdatedAt: start}, id == "t/1"
	})
	status, answer := get("t%2F1", both)
	want := map[string]any{
		"threadId": "t/1", "parentThreadId": "p", "version": 3., "updatedAt": "2026-03-01T23:59:30Z", "messages": nil, "participants": nil,
	}
	if diff := cmp.Diff(want, answer); status != 200 || diff != "" {
		t.Errorf("status %d\n%s", status, diff)
	}
	for _, tt := range []struct {
		id, auth string
		status   int
	}{
		{"t%2F2", both, 404}, {"t%2F1", "Bearer guess", 401},
		{"t%2F1", bearer(t, c, "social:read"), 403}, {"t%2F1", bearer(t, c, "interactions:read"), 403},
	} {
		if status, answer := get(tt.id, tt.auth); status != tt.status {
			t.Errorf("%s: status %d, want %d: %v", tt.id, status, tt.status, answer)
		}
	}
}
