package api

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func describedAPI(t *testing.T) *contract {
	t.Helper()
	w := newBench().ask(t, "GET", "/openapi.json", viewerToken)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != openAPIType {
		t.Fatalf("%d of type %s", w.Code, w.Header().Get("Content-Type"))
	}
	return readContract(t, w.Body.Bytes())
}

// The description is one of OpenAPI 3.1: whatever it refers to is there.
func TestOpenAPIHoldsTogether(t *testing.T) {
	c := describedAPI(t)
	if c.Info.Title == "" || c.Info.Version == "" {
		t.Errorf("info %+v", c.Info)
	}
	tags := make(map[string]bool)
	for _, tag := range c.Tags {
		if tags[tag.Name] || tag.Description == "" {
			t.Errorf("the tag %q is there twice, or has no description", tag.Name)
		}
		tags[tag.Name] = true
	}
	for _, op := range c.byID {
		if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || !tags[op.Tags[0]] {
			t.Errorf("%s: id %q, summary %q, tags %v", op, op.OperationID, op.Summary, op.Tags)
		}
		requireParameters(t, c, op)
		for _, one := range op.Security {
			for scheme := range one {
				if c.Components.SecuritySchemes[scheme].Type == "" {
					t.Errorf("%s: there is no security scheme %s", op, scheme)
				}
			}
		}
		for status, r := range op.Responses {
			if !regexp.MustCompile(`^[2345][0-9][0-9]$`).MatchString(status) || r.Description == "" {
				t.Errorf("%s: answer %s, %q", op, status, r.Description)
			}
		}
	}
	requireReferences(t, c, c.raw, "")
	for name := range c.Components.Schemas {
		c.schemaAt(t, pointer("components", "schemas", name)) // is a schema of JSON Schema 2020-12
	}
}

// requireParameters checks that the parameters of the path are declared, and no others.
func requireParameters(t *testing.T, c *contract, op *operation) {
	t.Helper()
	var inPath []string
	for _, found := range regexp.MustCompile(`{([^}]*)}`).FindAllStringSubmatch(op.path, -1) {
		inPath = append(inPath, found[1])
	}
	var declared []string
	for i, p := range op.Parameters {
		if p.In == "path" {
			declared = append(declared, p.Name)
			if !p.Required || p.Example == nil {
				t.Errorf("%s: the parameter %s is not required, or has no example", op, p.Name)
			}
		}
		if p.Description == "" || p.Schema == nil {
			t.Errorf("%s: the parameter %s has no description or no schema", op, p.Name)
		}
		if p.Example != nil {
			c.requireValid(t, op.pointer+pointer("parameters", strconv.Itoa(i), "schema"), p.Example)
		}
	}
	if !slices.Equal(inPath, declared) {
		t.Errorf("%s declares the path parameters %v", op, declared)
	}
}

// requireReferences checks that every $ref leads to something.
func requireReferences(t *testing.T, c *contract, v any, at string) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if ref, isText := member.(string); isText && name == "$ref" && follow(c.raw, ref) == nil {
				t.Errorf("%s leads nowhere: %s", at, ref)
			}
			requireReferences(t, c, member, at+"/"+name)
		}
	case []any:
		for _, member := range v {
			requireReferences(t, c, member, at+"/-")
		}
	}
}

// follow returns what a reference within the document leads to, or nil.
func follow(v any, ref string) any {
	names, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	for _, name := range strings.Split(names, "/") {
		object, isObject := v.(map[string]any)
		if !isObject {
			return nil
		}
		v = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return v
}

// The webhooks are described here and served elsewhere: the API itself has nothing at their paths.
func TestWebhooksAreOnlyDescribed(t *testing.T) {
	b := newBench()
	for _, path := range []string{smsPath, threadsPath} {
		for _, method := range []string{"GET", "POST"} {
			wantProblem(t, b.ask(t, method, path, adminToken), http.StatusNotFound)
		}
	}
}

// There is an example of every body, and it is one that the schema allows.
func TestExamples(t *testing.T) {
	c := describedAPI(t)
	for _, op := range c.byID {
		if op.RequestBody != nil {
			requireSamples(t, c, op, op.pointer+"/requestBody", op.RequestBody.Content)
		}
		for _, r := range op.Responses {
			if op.OperationID == "get-openapi" && r.Content[openAPIType].Schema != nil {
				continue // it is its own example
			}
			requireSamples(t, c, op, r.pointer, r.Content)
		}
	}
	examples, err := readExamples()
	if err != nil {
		t.Fatal(err)
	}
	for id := range examples {
		if c.byID[id] == nil {
			t.Errorf("there is an example of %s, which is not there", id)
		}
	}
}

func requireSamples(t *testing.T, c *contract, op *operation, at string, content map[string]mediaType) {
	t.Helper()
	for kind, media := range content {
		samples := media.samples()
		if len(samples) == 0 {
			t.Errorf("%s: no example of %s at %s", op, kind, at)
		}
		for name, sample := range samples {
			c.requireValid(t, at+pointer("content", kind, "schema"), sample)
			if t.Failed() {
				t.Fatalf("the example %s of %s, %s", name, op, kind)
			}
		}
	}
}

// Cursors in the examples are such as the lists give.
func TestExampleCursors(t *testing.T) {
	examples, err := readExamples()
	if err != nil {
		t.Fatal(err)
	}
	for id, parse := range map[string]func(string) error{
		"list-threads":        func(s string) error { _, err := threadCursor.parse(s); return err },
		"list-audit":          func(s string) error { _, err := auditCursor.parseBefore(s); return err },
		"replay-dead-letters": func(s string) error { _, err := deadLetterCursor.parseBefore(s); return err },
	} {
		var page struct{ Next string }
		if err := json.Unmarshal(examples[id].Answer, &page); err != nil || page.Next == "" {
			t.Fatalf("%s: %v, next %q", id, err, page.Next)
		}
		if err := parse(page.Next); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}
