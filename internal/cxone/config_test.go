package cxone_test

import (
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/cxone"
)

func TestNewListsAllProblems(t *testing.T) {
	_, err := cxone.New(cxone.Config{
		BaseURL: "ftp://cxone.test", AuthStyle: "digest", ServerURL: "https://user:hidden@bridge.test",
	})
	if err == nil {
		t.Fatal("New takes settings that cannot work")
	}
	for _, name := range []string{
		"CXONE_CLIENT_ID", "CXONE_CLIENT_SECRET", "CXONE_AUTH_STYLE", "CXONE_DOMAIN", "SERVER_URL", "WEBHOOK_SECRET",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("%q reveals a password", err)
	}
}

func TestNewBaseURL(t *testing.T) {
	tests := map[string]bool{
		"api.cxone.test":               true,
		"api.cxone.test:8443":          true,
		"https://api.cxone.test":       true,
		"http://127.0.0.1:9/cxone":     true,
		"":                             false,
		"https://":                     false,
		"https://api.cxone.test?x=1":   false,
		"https://api.cxone.test/#here": false,
		"https://u:p@api.cxone.test":   false,
		"api cxone":                    false,
	}
	for value, valid := range tests {
		_, err := cxone.New(cxone.Config{BaseURL: value, ClientID: "a", ClientSecret: "b"})
		if (err == nil) != valid {
			t.Errorf("CXONE_DOMAIN=%q: %v", value, err)
		}
	}
}
