package rest

import (
	"net/http"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/crm"
)

const (
	maxWords = 200  // runes that are repeated of the CRM's words
	maxHeard = 4096 // bytes that are looked at
)

// words returns the CRM's own words, to be added to a message: "" when it has none. They are left
// out when they hold the token, or repeat what people wrote: the message goes to logs.
func (c *Client) words(resp *http.Response, body []byte, r *crm.Request) string {
	said := findWords(body, 0)
	if said == "" && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		said = string(body)
	}
	said = strings.ToValidUTF8(said[:min(len(said), maxHeard)], "")
	switch {
	case said == "":
		return ""
	case strings.Contains(said, c.token):
		return " (its words hold the token and are left out)"
	case r != nil && repeats(said, r.Body):
		return " (its words repeat the conversation and are left out)"
	}
	said = strings.Join(strings.FieldsFunc(said, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }), " ")
	if said == "" {
		return ""
	}
	if runes := []rune(said); len(runes) > maxWords {
		said = string(runes[:maxWords-1]) + "…"
	}
	return " (it says: " + said + ")"
}

// findWords returns the first text of a JSON value that explains it, by the names that frameworks
// give to such texts; "" when there is none.
func findWords(value jsontext.Value, depth int) string {
	const maxDepth = 4
	if depth > maxDepth {
		return ""
	}
	switch value.Kind() {
	case '"':
		var text string
		if json.Unmarshal(value, &text, lenient) != nil {
			return ""
		}
		return text
	case '[':
		var list []jsontext.Value
		if json.Unmarshal(value, &list, lenient) != nil || len(list) == 0 {
			return ""
		}
		return findWords(list[0], depth+1)
	case '{':
		var object map[string]jsontext.Value
		if json.Unmarshal(value, &object, lenient) != nil {
			return ""
		}
		for _, name := range []string{"message", "detail", "error_description", "msg", "reason", "error", "title", "errors"} {
			if text := findWords(object[name], depth+1); text != "" {
				return text
			}
		}
	}
	return ""
}

const (
	shortest = 4  // bytes: a shorter text, repeated as a whole, reveals nothing
	gram     = 16 // bytes: a run in common of this length is no coincidence
)

// repeats reports whether words repeat what people wrote in a delta, in whole or in part.
func repeats(words string, delta []byte) bool {
	grams := make(map[string]bool)
	for i := 0; i+gram <= len(words); i++ {
		grams[words[i:i+gram]] = true
	}
	texts, err := textsOf(delta)
	if err != nil {
		return true // for all that is known
	}
	for _, text := range texts {
		if len(text) >= shortest && strings.Contains(words, text) {
			return true
		}
		for i := 0; i+gram <= len(text); i++ {
			if grams[text[i:i+gram]] {
				return true
			}
		}
	}
	return false
}

// textsOf returns what people wrote in a delta: the texts of messages and the names of people.
func textsOf(delta []byte) (texts []string, err error) {
	type item struct {
		Text string `json:"text"`
		Name string `json:"name"`
	}
	var d struct {
		AddedMessages       []item `json:"addedMessages"`
		UpdatedMessages     []item `json:"updatedMessages"`
		AddedParticipants   []item `json:"addedParticipants"`
		UpdatedParticipants []item `json:"updatedParticipants"`
	}
	if err := json.Unmarshal(delta, &d); err != nil {
		return nil, err
	}
	for _, list := range [][]item{d.AddedMessages, d.UpdatedMessages, d.AddedParticipants, d.UpdatedParticipants} {
		for _, i := range list {
			texts = append(texts, i.Text, i.Name)
		}
	}
	return texts, nil
}
