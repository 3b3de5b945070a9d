package console

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/api"
)

// describedBench is a console with the real description of the API.
func describedBench(t *testing.T) *bench {
	t.Helper()
	tools, err := api.New(api.Config{AdminToken: adminToken, Simulator: new(fakeSimulator)})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench()
	b.OpenAPI = tools.OpenAPI()
	return b
}

// Every operation is on the page, with who may use it and each of its answers.
func TestAPIPage(t *testing.T) {
	b := describedBench(t)
	w := b.get(t, "/docs/api", viewerToken)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	page := w.Body.String()
	var d struct {
		Paths map[string]map[string]struct {
			OperationID, Summary string
			Responses            map[string]json.RawMessage
			Parameters           []struct{ Name string }
		}
	}
	if err := json.Unmarshal(b.OpenAPI, &d); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for path, item := range d.Paths {
		for method, op := range item {
			operations++
			article, _, ended := strings.Cut(page[max(0, strings.Index(page, `id="`+op.OperationID+`"`)):], "</article>")
			if !ended {
				t.Fatalf("%s %s is not there", method, path)
			}
			want(t, article, strings.ToUpper(method), "<code>"+path+"</code>", html.EscapeString(op.Summary), "curl")
			for status := range op.Responses {
				want(t, article, ">"+status+"</span>")
			}
			for _, p := range op.Parameters {
				want(t, article, "<code>"+p.Name+"</code>")
			}
		}
	}
	if operations < 26 {
		t.Errorf("%d operations", operations)
	}
	want(t, page, "carrierAnalytics[].recommendedAction", "one of REROUTE, KEEP, INSUFFICIENT_DATA", "1 to 500", "data.messages[].id", "parts.*.state",
		"time or null", ">operator<", ">viewer<", ">anyone<", ">webhook secret<", "X-Request-Signature", "or an array of these", "9007199254740991")
}

// Every link within the page leads somewhere, and no two elements have one id.
func TestAPIPageAnchors(t *testing.T) {
	page := describedBench(t).get(t, "/docs/api", viewerToken).Body.String()
	ids := make(map[string]bool)
	for _, found := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[found[1]] {
			t.Errorf("two elements have the id %s", found[1])
		}
		ids[found[1]] = true
	}
	for _, found := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[found[1]] {
			t.Errorf("#%s leads nowhere", found[1])
		}
	}
	if found := regexp.MustCompile(`(?:src|href)="(?:https?:)?//`).FindString(page); found != "" || strings.Contains(page, "style=") {
		t.Errorf("the page has %q, or a style of its own", found)
	}
}

// The commands are such that a shell runs curl with the parts that were meant.
func TestAPIPageCommands(t *testing.T) {
	d, err := readOpenAPI(describedBench(t).OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	d.Paths["/api/odd/{id}"] = map[string]*apiOperation{"post": {OperationID: "odd", Tags: []string{"api"},
		Parameters: []apiParameter{{Name: "id", In: "path", Example: []byte(`"a/b \"$(x)\" ` + "`" + `"`)}, {Name: "q", In: "query", Example: []byte(`"it's $HOME & more"`)}},
	}}
	for path, item := range d.Paths {
		for method, op := range item {
			command := curl(strings.ToUpper(method), path, op)
			shell := exec.Command("sh", "-u", "-c", `curl() { for part; do printf '%s\n' "$part"; done; }; `+command)
			shell.Env = []string{"CXBRIDGE=http://localhost:3000", "ADMIN_TOKEN=a", "VIEWER_TOKEN=v", "WEBHOOK_SECRET=w"}
			printed, err := shell.Output()
			parts := strings.Split(string(printed), "\n")
			at := slices.IndexFunc(parts, func(part string) bool { return strings.HasPrefix(part, "http://localhost:3000/") })
			if err != nil || at < 0 {
				t.Errorf("%s\nruns %q, %v", command, parts, err)
				continue
			}
			if strings.ContainsAny(parts[at], "{}\"'$ `") {
				t.Errorf("%s\nasks for %s", command, parts[at])
			}
			if i := slices.Index(parts, "-d"); i >= 0 && !json.Valid([]byte(parts[i+1])) {
				t.Errorf("%s\nposts %s", command, parts[i+1])
			}
		}
	}
}

// A body may have any text.
func TestCurlQuotes(t *testing.T) {
	var op apiOperation
	if err := json.Unmarshal([]byte(`{"requestBody":{"content":{"application/json":{"example":{"text":"it's $HOME"}}}}}`), &op); err != nil {
		t.Fatal(err)
	}
	want(t, curl("POST", "/x", &op), `-d '{"text":"it'\''s $HOME"}'`)
}

func TestAPIDocument(t *testing.T) {
	b := describedBench(t)
	w := b.get(t, "/docs/openapi.json", viewerToken)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || w.Body.String() != string(b.OpenAPI) {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, path := range []string{"/docs/openapi.json", "/docs/api"} {
		if w := b.get(t, path, ""); w.Code != http.StatusSeeOther {
			t.Errorf("a stranger gets %d at %s", w.Code, path)
		}
	}
	b.OpenAPI = []byte("{")
	if _, err := New(b.Config); err == nil {
		t.Error("a console was made with a broken description")
	}
	b.OpenAPI = nil
	if c := b.console(t); c.Serves(httptest.NewRequest("GET", "/docs/api", nil)) {
		t.Error("there is a page of nothing")
	}
}

// Schemas that hold themselves, lead nowhere, or are nested for ever end somewhere.
func TestSchemaTables(t *testing.T) {
	d, err := readOpenAPI([]byte(`{"components":{"schemas":{
		"Tree":{"type":"object","required":["name"],"properties":{"children":{"type":"array","items":{"$ref":"#/components/schemas/Tree"}},
			"name":{"type":"string","description":"<b>"},"parent":{"anyOf":[{"$ref":"#/components/schemas/Tree"},{"type":"null"}]},
			"lost":{"$ref":"#/components/schemas/None"},"others":{"type":"object","additionalProperties":{"$ref":"#/components/schemas/Leaf"}}}},
		"Leaf":{"type":"object","additionalProperties":false,"properties":{"size":{"type":["integer","null"],"minimum":1,"default":3}}},
		"Loop":{"$ref":"#/components/schemas/Pool"},"Pool":{"$ref":"#/components/schemas/Loop"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	var names, types []string
	for _, table := range d.tables(&apiSchema{Ref: schemaPrefix + "Tree"}) {
		for _, row := range table.Rows {
			names, types = append(names, row.Name), append(types, row.Type)
		}
	}
	if got := strings.Join(names, " "); got != "name children lost others others.* others.*.size parent" {
		t.Errorf("members %s", got)
	}
	if got := strings.Join(types, ", "); got != "string, array of object, anything, object, object, integer or null, object or null" {
		t.Errorf("types %s", got)
	}
	if got := d.tables(&apiSchema{Ref: schemaPrefix + "Loop"}); len(got) != 1 || len(got[0].Rows) != 0 {
		t.Errorf("a loop is %+v", got)
	}
	deep := &apiSchema{Type: apiTypes{"string"}}
	for range 50 {
		deep = &apiSchema{Type: apiTypes{"object"}, Properties: map[string]*apiSchema{"x": deep}}
	}
	if got := d.tables(deep); len(got[0].Rows) > schemaDepth+2 {
		t.Errorf("%d rows", len(got[0].Rows))
	}
}

func TestProse(t *testing.T) {
	if got := string(prose("a `b<c>` **d** <e>")); got != "a <code>b&lt;c&gt;</code> <strong>d</strong> &lt;e&gt;" {
		t.Error(got)
	}
}
