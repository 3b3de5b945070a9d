package eventjson_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/eventjson"
)

// read skips the one value that a text should be.
func read(text string) error {
	dec := jsontext.NewDecoder(bytes.NewBufferString(text), eventjson.Options...)
	if err := eventjson.Skip(dec); err != nil {
		return eventjson.Malformed(err)
	}
	return eventjson.End(dec)
}

func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":[1,{"b":null}],"a":"\ud83d"} `: "",
		``:                                   "there is no value",
		`{"a":1} {}`:                         "there is more than one value, at byte 9",
		`{"a":1}}`:                           "at byte 7",
		`{"secret":tru}`:                     "at byte 13",
		`{"secret`:                           "unexpected EOF, at byte",
		strings.Repeat("[", 64) + strings.Repeat("]", 64): "",
		strings.Repeat("[", 65) + strings.Repeat("]", 65): "nested deeper than 64 levels",
	} {
		err := read(text)
		if want == "" {
			if err != nil {
				t.Errorf("%.80s: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.80s: got %v, want %s", text, err, want)
		}
	}
}
