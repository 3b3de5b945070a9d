package webhook

import (
	"net/http"
	"strings"
	"testing"
)

func TestNewSecrets(t *testing.T) {
	tests := []struct {
		name string
		list []string
		want string // in the error; "" is none
	}{
		{"one", []string{"a"}, ""},
		{"several", []string{"a", "b", "whsec_c2VjcmV0"}, ""},
		{"base64 without padding", []string{"whsec_c2VjcmV0MQ"}, ""},
		{"base64 with padding", []string{"whsec_c2VjcmV0MQ=="}, ""},
		{"text that is not ASCII", []string{"schlüssel"}, ""},
		{"none", nil, "no webhook secret"},
		{"empty", []string{"a", ""}, "webhook secret 2 of 2: it is empty"},
		{"space around", []string{"a "}, "secret 1 of 1: it has space around it"},
		{"control character", []string{"a\x01b"}, "control character"},
		{"no base64", []string{"whsec_sesame!"}, "is not base64"},
		{"no key", []string{"whsec_"}, "is not base64"},
		{"too long", []string{strings.Repeat("a", maxCredential+1)}, "longer than 4096 bytes"},
		{"all problems at once", []string{"", "a", "whsec_!"}, "secret 3 of 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewSecrets(tt.list...)
			if tt.want == "" {
				if err != nil || s == nil {
					t.Fatalf("NewSecrets: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %q does not say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("error %q shows the secret", err)
			}
		})
	}
}

func TestSharedSecret(t *testing.T) {
	s := mustSecrets(t, "first", "second", "whsec_c2VjcmV0")
	tests := []struct {
		name   string
		values []string
		want   error
	}{
		{"first", []string{"first"}, nil},
		{"second", []string{"second"}, nil},
		{"marked one as it is written", []string{"whsec_c2VjcmV0"}, nil},
		{"marked one decoded", []string{"secret"}, errWrongSecret},
		{"other", []string{"third"}, errWrongSecret},
		{"other case", []string{"First"}, errWrongSecret},
		{"prefix", []string{"firs"}, errWrongSecret},
		{"longer", []string{"first1"}, errWrongSecret},
		{"list", []string{"first,second"}, errWrongSecret},
		{"empty", []string{""}, errWrongSecret},
		{"twice", []string{"first", "first"}, errWrongSecret},
		{"far too long", []string{strings.Repeat("first", maxCredential)}, errWrongSecret},
		{"none", nil, errNoCredential},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.values != nil {
				h[headerSecret] = tt.values
			}
			known, claims, err := s.examine(h, noon)
			if err != tt.want || known != (tt.want == nil) || claims != nil {
				t.Errorf("examine = %t, %v, %v, want error %v", known, claims, err, tt.want)
			}
		})
	}
}

// The constants are keys of http.Header, which are looked up without being made canonical.
func TestHeaderNamesAreCanonical(t *testing.T) {
	for _, name := range []string{
		headerSecret, headerRequestSignature, headerAlgorithm,
		headerWebhookID, headerWebhookTimestamp, headerWebhookSignature, "Www-Authenticate", "X-Request-Id",
	} {
		if got := http.CanonicalHeaderKey(name); got != name {
			t.Errorf("%s is not canonical: %s", name, got)
		}
	}
}
