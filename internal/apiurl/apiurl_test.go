package apiurl

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"https://crm.example.com":          "https://crm.example.com",
		" http://localhost:8080/api/v1// ": "http://localhost:8080/api/v1",
		"https://h/a%2Fb/":                 "https://h/a%2Fb",
		"https://[::1]:3000/":              "https://[::1]:3000",
		"":                                 "is not set",
		" ":                                "is not set",
		"crm.example.com":                  "is not the http or https URL",
		"ftp://canary":                     "is not the http or https URL",
		"https://:443/canary":              "is not the http or https URL",
		"https://u:canary%zz@h":            "is not the http or https URL",
		"https://u:canary@h":               "holds a user name",
		"https://h/?canary=1":              "holds more than",
		"https://h/#canary":                "holds more than",
	} {
		u, err := Parse(text)
		switch {
		case err == nil && u.String() != want:
			t.Errorf("%q became %s, want %s", text, u, want)
		case err != nil && !strings.HasPrefix(err.Error(), want):
			t.Errorf("%q: %v, want %s", text, err, want)
		case err != nil && strings.Contains(err.Error(), "canary"):
			t.Errorf("the error repeats the text: %v", err)
		}
	}
}
