package console

import (
	"cmp"
	"context"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/access"
)

// apiPage adds nothing without a description.
func (c *Console) apiPage() error {
	if len(c.OpenAPI) == 0 {
		return nil
	}
	d, err := readOpenAPI(c.OpenAPI)
	if err != nil {
		return err
	}
	v := d.view()
	c.add(&page{
		Name: "apipage", Path: "/docs/api", Title: "API", Menu: true, Need: access.Viewer,
		load: func(context.Context, *http.Request) (any, error) { return v, nil },
	})
	c.mux.HandleFunc("GET /docs/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		if c.allows(w, r, access.Viewer) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(c.OpenAPI) // the reader may be gone
		}
	})
	return nil
}

// apiView is what the page shows.
type apiView struct {
	About    []template.HTML
	Groups   []apiGroup
	Problems []shownAnswer // that operations have in common
}

type apiGroup struct {
	ID, Name, About string
	Operations      []shownOperation
}

// shownOperation is an operation as the page shows it.
type shownOperation struct {
	ID, Method, Path, Summary string
	Level                     string // of the badge of the method
	About                     template.HTML
	Who, WhoLevel             string
	Proofs                    [][]apiScheme // the ways to authenticate to a webhook: all schemes of any one way
	Parameters                []shownParameter
	Body                      []shownContent
	Answers                   []shownAnswer
	Problems                  []shownAnswer // those in common: they link to their descriptions
	Curl                      string
}

type shownParameter struct {
	Name, In, Type, About, Example string
	Required                       bool
	Bounds                         []string
}

type shownAnswer struct {
	ID, Status, Level, About string
	Headers                  []shownParameter
	Contents                 []shownContent
}

type shownContent struct {
	Type    string
	Tables  []schemaTable
	Samples []shownSample
}

type shownSample struct {
	Name string
	Text []byte
}

// view returns what the page shows of a description. Groups are in the order of the tags, and operations by
// path and method.
func (d *openAPI) view() *apiView {
	v := &apiView{}
	for _, paragraph := range strings.Split(d.Info.Description, "\n\n") {
		v.About = append(v.About, prose(paragraph))
	}
	byTag := make(map[string][]shownOperation)
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			if op := d.Paths[path][method]; op != nil && len(op.Tags) > 0 {
				byTag[op.Tags[0]] = append(byTag[op.Tags[0]], d.operation(strings.ToUpper(method), path, op))
			}
		}
	}
	for _, tag := range d.Tags {
		v.Groups = append(v.Groups, apiGroup{
			ID: "tag-" + strings.ReplaceAll(tag.Name, " ", "-"), Name: capital(tag.Name), About: tag.Description, Operations: byTag[tag.Name],
		})
	}
	for name, r := range d.Components.Responses {
		status := d.statusOf(name)
		v.Problems = append(v.Problems, d.answer(status, name, r))
	}
	slices.SortFunc(v.Problems, func(a, b shownAnswer) int { return cmp.Compare(a.Status, b.Status) })
	return v
}

const responsePrefix = "#/components/responses/"

// statusOf returns the status of an answer that operations have in common; "" if none uses it.
func (d *openAPI) statusOf(name string) string {
	for _, item := range d.Paths {
		for _, op := range item {
			for status, r := range op.Responses {
				if r.Ref == responsePrefix+name {
					return status
				}
			}
		}
	}
	return ""
}

var methodLevels = map[string]string{"GET": "info", "POST": "ok", "DELETE": "bad"}

func (d *openAPI) operation(method, path string, op *apiOperation) shownOperation {
	o := shownOperation{
		ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Level: cmp.Or(methodLevels[method], "neutral"),
		About: prose(op.Description), Curl: curl(method, path, op),
	}
	o.Who, o.WhoLevel = whoMay(op)
	if o.Who == webhookSender {
		o.Proofs = d.proofs(op)
	}
	for _, p := range op.Parameters {
		o.Parameters = append(o.Parameters, d.parameter(p))
	}
	if op.RequestBody != nil {
		o.Body = d.contents(op.RequestBody.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		if name, isShared := strings.CutPrefix(r.Ref, responsePrefix); isShared && d.Components.Responses[name] != nil {
			o.Problems = append(o.Problems, d.answer(status, name, d.Components.Responses[name]))
			continue
		}
		o.Answers = append(o.Answers, d.answer(status, op.OperationID+"-"+status, r))
	}
	return o
}

func (d *openAPI) parameter(p apiParameter) shownParameter {
	s := d.resolve(p.Schema)
	return shownParameter{
		Name: p.Name, In: p.In, Type: d.typeText(s), About: p.Description, Example: valueText(p.Example), Required: p.Required, Bounds: bounds(s),
	}
}

func (d *openAPI) answer(status, id string, r *apiResponse) shownAnswer {
	a := shownAnswer{ID: "answer-" + id, Status: status, About: r.Description, Contents: d.contents(r.Content)}
	switch {
	case strings.HasPrefix(status, "2"):
		a.Level = "ok"
	case strings.HasPrefix(status, "5"):
		a.Level = "bad"
	default:
		a.Level = "warn"
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		h := d.parameter(r.Headers[name])
		h.Name = name
		a.Headers = append(a.Headers, h)
	}
	return a
}

func (d *openAPI) contents(content map[string]apiMedia) []shownContent {
	var all []shownContent
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		media := content[kind]
		shown := shownContent{Type: kind, Tables: d.tables(media.Schema)}
		if media.Example != nil {
			shown.Samples = append(shown.Samples, shownSample{"Example", sampleText(media.Example)})
		}
		for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
			one := media.Examples[name]
			shown.Samples = append(shown.Samples, shownSample{cmp.Or(one.Summary, name), sampleText(one.Value)})
		}
		all = append(all, shown)
	}
	return all
}

// webhookSender is what whoMay returns for a webhook.
const webhookSender = "webhook secret"

// whoMay returns who may use an operation, and the level of the badge that says so.
func whoMay(op *apiOperation) (who, level string) {
	if len(op.Security) == 0 {
		return "anyone", "neutral"
	}
	for _, roles := range op.Security[0] {
		if len(roles) > 0 {
			if roles[0] == access.Operator.String() {
				return roles[0], "warn"
			}
			return roles[0], "info"
		}
	}
	return webhookSender, "neutral"
}

// proofs returns the ways in which the sender of a webhook can authenticate itself: any one is enough.
func (d *openAPI) proofs(op *apiOperation) [][]apiScheme {
	var all [][]apiScheme
	for _, together := range op.Security {
		var way []apiScheme
		for _, name := range slices.Sorted(maps.Keys(together)) {
			way = append(way, d.Components.SecuritySchemes[name])
		}
		all = append(all, way)
	}
	return all
}

// curl returns a command that makes a request, from the examples. It takes the address and the secrets from
// shell variables.
func curl(method, path string, op *apiOperation) string {
	query := make(url.Values)
	for _, p := range op.Parameters {
		switch value := valueText(p.Example); {
		case value == "":
		case p.In == "path":
			// PathEscape would leave a dollar sign, which the shell expands.
			path = strings.ReplaceAll(path, "{"+p.Name+"}", strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
		case p.In == "query":
			query.Set(p.Name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	parts := []string{"curl"}
	if method != http.MethodGet {
		parts[0] += " -X " + method
	}
	parts[0] += ` "$CXBRIDGE` + path + `"`
	switch who, _ := whoMay(op); who {
	case access.Operator.String():
		parts = append(parts, `-H "Authorization: Bearer $ADMIN_TOKEN"`)
	case access.Viewer.String():
		parts = append(parts, `-H "Authorization: Bearer $VIEWER_TOKEN"`)
	case webhookSender:
		parts = append(parts, `-H "X-Webhook-Secret: $WEBHOOK_SECRET"`)
	}
	if body := firstSample(op); body != "" {
		parts = append(parts, "-H 'Content-Type: application/json'", "-d '"+strings.ReplaceAll(body, "'", `'\''`)+"'")
	}
	return strings.Join(parts, " \\\n  ")
}

// firstSample returns the first example of a body, in one line.
func firstSample(op *apiOperation) string {
	if op.RequestBody == nil {
		return ""
	}
	media := op.RequestBody.Content["application/json"]
	if media.Example != nil {
		return string(media.Example)
	}
	for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
		return string(media.Examples[name].Value)
	}
	return ""
}

// valueText writes a value of an example: a string without its quotes.
func valueText(value json.RawMessage) string { return string(sampleText(value)) }

func sampleText(value json.RawMessage) []byte {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return []byte(text)
	}
	return value
}

var (
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	strongSpan = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

// prose writes a text of the description as HTML. It knows the Markdown for code and strong spans.
func prose(text string) template.HTML {
	html := template.HTMLEscapeString(text)
	html = codeSpan.ReplaceAllString(html, "<code>$1</code>")
	return template.HTML(strongSpan.ReplaceAllString(html, "<strong>$1</strong>"))
}
