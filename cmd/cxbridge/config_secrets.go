package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/webhook"
)

// webhookSecrets reads a list of secrets. Empty items and repeated ones are left out.
func (p *resolver) webhookSecrets(v Value) []Secret {
	var secrets []Secret
	var texts []string
	seen := make(map[string]bool)
	for text := range strings.SplitSeq(v.text, ",") {
		if text = strings.TrimSpace(text); text != "" && !seen[text] {
			seen[text] = true
			secrets, texts = append(secrets, Secret(text)), append(texts, text)
		}
	}
	if v.text == "" {
		return nil
	}
	if secrets == nil {
		p.wrong(v, "holds nothing but commas", "give at least one secret")
		return nil
	}
	if _, err := webhook.NewSecrets(texts...); err != nil {
		p.wrong(v, "cannot be used, "+oneLine(err), "give secrets of printable characters, separated by commas")
		return nil
	}
	return secrets
}

// token reads a token, which must fit into an Authorization header.
func (p *resolver) token(v Value) Secret {
	if strings.ContainsFunc(v.text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		p.wrong(v, "holds a character that a bearer token cannot", "use letters, digits and signs, without spaces")
		return ""
	}
	return Secret(v.text)
}

type namedSecret struct {
	name   string
	secret Secret
}

// secrets lists the secrets that strangers could try to guess.
func (c *Config) secrets() []namedSecret {
	var list []namedSecret
	for i, s := range c.WebhookSecrets {
		name := "WEBHOOK_SECRET"
		if len(c.WebhookSecrets) > 1 {
			name = fmt.Sprintf("WEBHOOK_SECRET %d of %d", i+1, len(c.WebhookSecrets))
		}
		list = append(list, namedSecret{name, s})
	}
	for _, token := range []namedSecret{{"ADMIN_TOKEN", c.AdminToken}, {"VIEWER_TOKEN", c.ViewerToken}} {
		if token.secret != "" {
			list = append(list, token)
		}
	}
	return list
}

// secretWarnings says which secrets are unwise, without showing them.
func (c *Config) secretWarnings() []string {
	var warnings []string
	for _, named := range c.secrets() {
		if why := weakness(named.secret); why != "" {
			warnings = append(warnings, named.name+" "+why+": use a long random text, such as `openssl rand -hex 32` prints")
		}
	}
	if slices.ContainsFunc(c.WebhookSecrets, func(s Secret) bool { return s == c.AdminToken || s == c.ViewerToken }) {
		warnings = append(warnings, "WEBHOOK_SECRET holds a token of the API, so CXone could use the API: give each a text of its own")
	}
	return append(warnings, c.crmTokenWarnings()...)
}

// crmTokenWarnings checks the token of the CRM. Its length and its characters are the CRM's business, so
// only a token that was plainly never filled in, or is one of ours, is pointed out.
func (c *Config) crmTokenWarnings() []string {
	if c.CRM == nil || c.CRM.Token == "" {
		return nil
	}
	var warnings []string
	if isSample(c.CRM.Token) {
		warnings = append(warnings, "CRM_API_TOKEN looks like a sample value: give the token that the CRM has issued")
	}
	if slices.ContainsFunc(c.secrets(), func(ours namedSecret) bool { return ours.secret == c.CRM.Token }) {
		warnings = append(warnings, "CRM_API_TOKEN is also a secret of cxbridge itself, so the CRM knows that secret: give each a text of its own")
	}
	return warnings
}

const strongLength = 16

// samples are words that are used in examples. A random text of hexadecimal digits hardly ever
// holds one.
var samples = []string{"changeme", "change-me", "change_me", "secret", "password", "example", "sample", "token", "test", "demo", "12345678"}

// isSample reports whether a text consists of the words in samples alone.
func isSample(secret Secret) bool {
	rest := strings.ToLower(string(secret))
	for _, sample := range samples {
		rest = strings.ReplaceAll(rest, sample, "")
	}
	return strings.Trim(rest, "-_.") == ""
}

// weakness says why a secret is easy to guess; "" when it does not look so.
func weakness(secret Secret) string {
	text := strings.TrimPrefix(string(secret), "whsec_")
	if len(text) < strongLength {
		return fmt.Sprintf("is shorter than %d characters", strongLength)
	}
	lower := strings.ToLower(text)
	for _, sample := range samples {
		if strings.Contains(lower, sample) {
			return "looks like a sample value"
		}
	}
	distinct := make(map[rune]bool)
	for _, r := range text {
		distinct[r] = true
	}
	if len(distinct) < 6 {
		return "is made of very few different characters"
	}
	return ""
}
