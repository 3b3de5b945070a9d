package webhook

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	tests := []struct {
		name, body string
		want       []string
		err        string
	}{
		{"empty", "[]", nil, ""},
		{"values of all kinds", ` [ {"a":[1,2]} , "x,]" ,-1.5e3,true, null,[ ] ] `, []string{`{"a":[1,2]}`, `"x,]"`, `-1.5e3`, `true`, `null`, `[ ]`}, ""},
		{"repeated name", `[{"a":1,"a":2},3]`, []string{`{"a":1,"a":2}`, "3"}, ""},
		{"not UTF-8", "[\"\xff\",3]", []string{"\"\xff\"", "3"}, ""},
		{"unknown escape", `["\x",3]`, nil, "syntax error at byte 2"},
		{"not closed", `[1,2`, nil, "it ends too early"},
		{"item not closed", `[{"a":1`, nil, "it ends too early"},
		{"only begun", `[`, nil, "it ends too early"},
		{"comma at the end", `[1,]`, nil, "syntax error at byte 2"},
		{"comma at the start", `[,1]`, nil, "syntax error at byte 1"},
		{"no comma", `[1 2]`, nil, "syntax error at byte 3"},
		{"wrong end", `[1}`, nil, "syntax error at byte 2"},
		{"something after", `[1] []`, nil, "something follows the array at byte 3"},
		{"rubbish after", `[1] x`, nil, "something follows the array at byte 3"},
		{"too deep", deep, nil, "syntax error at byte 10000"},
		{"too many", "[1,2,3,4,5,6,7]", nil, "too many items"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := []byte(tt.body)
			items, err := split(body, 6)
			var got []string
			for _, item := range items {
				got = append(got, string(item))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if text := errText(err); text != tt.err {
				t.Errorf("error %q, want %q", text, tt.err)
			}
			if string(body) != tt.body {
				t.Errorf("the body was changed to %q", body)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// split agrees with encoding/json on what is an array, and on its items.
func FuzzSplit(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		if !isArray(body) {
			return
		}
		before := string(body)
		items, err := split(body, len(body))
		var want []json.RawMessage
		if wantErr := json.Unmarshal(body, &want); (err == nil) != (wantErr == nil) {
			t.Fatalf("split says %v, encoding/json says %v", err, wantErr)
		}
		if string(body) != before {
			t.Fatal("the body was changed")
		}
		if err != nil {
			return
		}
		if len(items) != len(want) {
			t.Fatalf("%d items, want %d", len(items), len(want))
		}
		for i := range items {
			if string(items[i]) != string(want[i]) || cap(items[i]) != len(items[i]) {
				t.Fatalf("item %d is %q, want %q", i, items[i], want[i])
			}
		}
	})
}
