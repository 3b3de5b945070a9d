package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// documentURL is what schemas of the description refer to each other by.
const documentURL = "urn:cxbridge:openapi"

// contract is the description of the API, as a client reads it.
type contract struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Tags       []struct{ Name, Description string }
	Paths      map[string]map[string]*operation
	Components struct {
		Schemas         map[string]json.RawMessage
		Responses       map[string]*response
		SecuritySchemes map[string]struct{ Type, In, Name, Scheme string }
	}

	raw     any // all of it
	schemas *jsonschema.Compiler
	byID    map[string]*operation
	seen    map[string]bool // "operation status" that was answered
}

type operation struct {
	OperationID, Summary string
	Tags                 []string
	Security             []map[string][]string
	Parameters           []parameter
	RequestBody          *body
	Responses            map[string]*response

	method, path string
	pointer      string // to it in the document
}

type parameter struct {
	Name, In, Description string
	Required              bool
	Example               json.RawMessage
	Schema                json.RawMessage
}

type body struct {
	Required bool
	Content  map[string]mediaType
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]struct{ Required bool }
	Content     map[string]mediaType
	pointer     string
}

type mediaType struct {
	Schema   json.RawMessage
	Example  json.RawMessage
	Examples map[string]struct{ Value json.RawMessage }
}

// samples are the examples of the media type, by name.
func (m mediaType) samples() map[string]json.RawMessage {
	all := make(map[string]json.RawMessage)
	if m.Example != nil {
		all["example"] = m.Example
	}
	for name, e := range m.Examples {
		all[name] = e.Value
	}
	return all
}

func readContract(t *testing.T, document []byte) *contract {
	t.Helper()
	c := &contract{byID: make(map[string]*operation), seen: make(map[string]bool)}
	if err := json.Unmarshal(document, c); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.raw, err = jsonschema.UnmarshalJSON(bytes.NewReader(document)); err != nil {
		t.Fatal(err)
	}
	c.schemas = jsonschema.NewCompiler()
	c.schemas.DefaultDraft(jsonschema.Draft2020)
	c.schemas.AssertFormat()
	if err := c.schemas.AddResource(documentURL, c.raw); err != nil {
		t.Fatal(err)
	}
	for path, item := range c.Paths {
		for method, op := range item {
			op.method, op.path, op.pointer = strings.ToUpper(method), path, pointer("paths", path, method)
			if c.byID[op.OperationID] != nil {
				t.Errorf("%s stands for two operations", op.OperationID)
			}
			c.byID[op.OperationID] = op
			for status, r := range op.Responses {
				r.pointer = op.pointer + pointer("responses", status)
				if name, isShared := strings.CutPrefix(r.Ref, "#/components/responses/"); isShared && c.Components.Responses[name] != nil {
					*r = *c.Components.Responses[name]
					r.pointer = pointer("components", "responses", name)
				}
			}
		}
	}
	return c
}

// pointer is a JSON Pointer.
func pointer(names ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, name := range names {
		b.WriteString("/" + escape.Replace(name))
	}
	return b.String()
}

// schemaAt returns the schema that a pointer leads to.
func (c *contract) schemaAt(t *testing.T, at string) *jsonschema.Schema {
	t.Helper()
	// A pointer in a fragment is percent-encoded: of our paths the braces have to be.
	at = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D", " ", "%20", "+", "%2B").Replace(at)
	s, err := c.schemas.Compile(documentURL + "#" + at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// requireValid checks a JSON text against the schema that a pointer leads to.
func (c *contract) requireValid(t *testing.T, at string, text []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("%v in %s", err, text)
		return
	}
	if err := c.schemaAt(t, at).Validate(v); err != nil {
		t.Errorf("%v\nin %s", err, text)
	}
}

// requireAnswer checks that an answer is one that the operation is said to have, and notes it.
func (c *contract) requireAnswer(t *testing.T, op *operation, w *httptest.ResponseRecorder) {
	t.Helper()
	r := op.Responses[strconv.Itoa(w.Code)]
	if r == nil {
		t.Errorf("%s: the status %d is not described, only %v: %s", op.OperationID, w.Code, slices.Sorted(maps.Keys(op.Responses)), w.Body)
		return
	}
	c.seen[op.OperationID+" "+strconv.Itoa(w.Code)] = true
	for name, h := range r.Headers {
		if h.Required && w.Header().Get(name) == "" {
			t.Errorf("%s: %d without %s", op.OperationID, w.Code, name)
		}
	}
	if len(r.Content) == 0 {
		if w.Body.Len() > 0 {
			t.Errorf("%s: %d with a body: %s", op.OperationID, w.Code, w.Body)
		}
		return
	}
	kind, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	media, ok := r.Content[kind]
	if err != nil || !ok {
		t.Errorf("%s: %d of type %q, want one of %v", op.OperationID, w.Code, w.Header().Get("Content-Type"), slices.Sorted(maps.Keys(r.Content)))
		return
	}
	if media.Schema != nil && isJSON(kind) {
		c.requireValid(t, r.pointer+pointer("content", kind, "schema"), w.Body.Bytes())
	}
}

func isJSON(kind string) bool { return kind == jsonType || strings.HasSuffix(kind, "+json") }

// requireAll checks that every answer of the description was seen.
func (c *contract) requireAll(t *testing.T) {
	t.Helper()
	for id, op := range c.byID {
		for status := range op.Responses {
			if !c.seen[id+" "+status] {
				t.Errorf("no call of %s was answered %s", id, status)
			}
		}
	}
}

// target is where a call of the operation goes to.
func (op *operation) target(id, query string) string {
	target := strings.ReplaceAll(op.path, "{id}", encode(id))
	if query != "" {
		target += "?" + query
	}
	return target
}

func (op *operation) String() string { return fmt.Sprintf("%s %s", op.method, op.path) }
