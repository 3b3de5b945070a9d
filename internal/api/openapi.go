package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
)

// aboutAPI describes what all operations have in common.
const aboutAPI = `State of SMS messages and social threads, dead letters, audit log, figures and health, and the webhooks by which events come in.

**Access.** A request to the API needs the header ` + "`Authorization: Bearer TOKEN`" + `. ADMIN_TOKEN makes its bearer an operator, VIEWER_TOKEN a viewer. The webhooks have secrets of their own. The pages of the console can be read with the same header; actions there need a session.

**Errors** of the API are problem+json (RFC 9457). An unknown path answers 404, and a method that a path does not know 405. 429 and 503 come with Retry-After, in seconds; so does 502 if CXone asks for a pause.

**Lists** are paged: ` + "`next`" + ` is the cursor of the next page, and null on the last one. Send a cursor with the same filters. It is opaque and does not expire, and new items do not shift the pages.

**Times** are RFC 3339 in UTC. Ids are percent-encoded in paths. Every answer has X-Request-Id, which is that of the request if it has one.`

// tags are the groups of operations, in the order in which they are read.
var tags = []*huma.Tag{
	{Name: "webhooks", Description: "Where CXone posts events. A 2xx is never taken back: the event is durable."},
	{Name: "analytics", Description: "Delivery, by carrier and region."},
	{Name: "messages", Description: "SMS messages and their receipts."},
	{Name: "threads", Description: "Social threads, and how far they are on their way to the CRM."},
	{Name: "dead letters", Description: "What was refused, kept with the reason."},
	{Name: "audit", Description: "What was done, in hash chains."},
	{Name: "alarms", Description: "What is wrong, or was."},
	{Name: "system", Description: "The program, its database and its replicas."},
	{Name: "figures", Description: "What this process has done."},
	{Name: "health", Description: "For probes."},
	{Name: "simulator", Description: "Simulated traffic, through the real intake."},
	{Name: "description", Description: "The API itself, for programs that read it."},
}

// openAPIRoute serves the description of the API, which describe makes.
func (c *Handler) openAPIRoute() {
	c.registerPlain(access.Viewer, huma.Operation{
		OperationID: "get-openapi", Method: http.MethodGet, Path: "/openapi.json",
		Summary: "This description, in OpenAPI 3.1", Tags: []string{"description"},
		Responses: map[string]*huma.Response{"200": {
			Description: "OpenAPI document", Content: map[string]*huma.MediaType{openAPIType: {Schema: &huma.Schema{Type: huma.TypeObject}}},
		}},
	}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", openAPIType)
		_, _ = w.Write(c.document)
	}))
}

const openAPIType = "application/openapi+json"

// describe makes the description of all that was registered. To what huma draws from the types it adds the
// webhooks, which are served elsewhere, the errors, and the examples.
func (c *Handler) describe() error {
	doc := c.huma.OpenAPI()
	c.describeWebhooks()
	doc.Components.Responses = problemResponses(doc.Components.Schemas)
	known, err := readExamples()
	if err != nil {
		return err
	}
	used := make(map[string]bool)
	for _, item := range doc.Paths {
		for _, op := range operationsOf(item) {
			used[op.Tags[0]] = true
			one := known[op.OperationID]
			one.addTo(op)
			if op.Tags[0] != webhooksTag {
				addProblems(op, one.Problems)
			}
		}
	}
	doc.Tags = slices.DeleteFunc(slices.Clone(tags), func(t *huma.Tag) bool { return !used[t.Name] })
	for _, s := range doc.Components.Schemas.Map() {
		allowNull(s)
	}
	if c.document, err = json.Marshal(doc); err != nil {
		return fmt.Errorf("api: describe the API: %w", err)
	}
	return nil
}

func operationsOf(item *huma.PathItem) []*huma.Operation {
	all := []*huma.Operation{item.Get, item.Post, item.Delete}
	return slices.DeleteFunc(all, func(op *huma.Operation) bool { return op == nil })
}

// allowNull adds null to the values of members that are an enumeration or null, which huma forgets.
func allowNull(s *huma.Schema) {
	for _, p := range s.Properties {
		if p.Nullable && len(p.Enum) > 0 && !slices.Contains(p.Enum, nil) {
			p.Enum = append(p.Enum, nil)
		}
	}
}

// objectOrNull returns the schema of a member that is an object or null, which huma has no tag for.
func objectOrNull(object *huma.Schema) *huma.Schema {
	return &huma.Schema{
		Description: object.Description, AnyOf: []*huma.Schema{{Ref: object.Ref}, {Type: "null"}},
	}
}

// commonProblem is an error that operations have in common.
type commonProblem struct {
	status      int
	name        string
	description string
	detail      string // of the example, as are the faults
	faults      []*huma.ErrorDetail
	header      *namedHeader
}

// namedHeader is a header that an answer has: always, unless it is optional.
type namedHeader struct {
	name, description, example string
	optional                   bool
}

var retryAfterHeader = &namedHeader{name: "Retry-After", description: "Seconds to wait before the next attempt", example: "5"}

// pauseHeader is the Retry-After of a 502.
var pauseHeader = &namedHeader{
	name: retryAfterHeader.name, description: "Seconds to wait before the next attempt, if CXone asks for a pause", example: "30", optional: true,
}

var commonProblems = []commonProblem{
	{status: 400, name: "BadRequest", description: "The body is not JSON, or is missing", detail: "validation failed",
		faults: []*huma.ErrorDetail{{Message: "unexpected end of JSON input", Location: "body", Value: `{"kind":`}}},
	{status: 401, name: "Unauthorized", description: "There is no token, or a wrong one",
		detail: "a valid token is needed: Authorization: Bearer TOKEN",
		header: &namedHeader{name: "WWW-Authenticate", description: "How to authenticate", example: "Bearer"}},
	{status: 403, name: "Forbidden", description: "The token is a viewer's", detail: "this needs the operator's token"},
	{status: 404, name: "NotFound", description: "There is nothing by this id", detail: "there is nothing by this id"},
	{status: 408, name: "RequestTimeout", description: "The body did not arrive within 5 seconds", detail: "request body read timeout"},
	{status: 413, name: "ContentTooLarge", description: "The body is larger than 1 MiB", detail: "request body is too large limit=1048576 bytes"},
	{status: 415, name: "UnsupportedMediaType", description: "The Content-Type is not JSON", detail: "validation failed",
		faults: []*huma.ErrorDetail{{Message: "unknown content type: text/csv", Location: "body", Value: "kind"}}},
	{status: 422, name: "UnprocessableContent", description: "Understood, but not valid, or refused again", detail: "validation failed",
		faults: []*huma.ErrorDetail{{Message: "expected number <= 500", Location: "query.limit", Value: 501}}},
	{status: 429, name: "TooManyRequests", description: "The token is wrong, as were too many before it from this address: 40 at once, then one every two seconds. A correct one is never limited",
		detail: "there were too many wrong tokens from this address", header: retryAfterHeader},
	{status: 502, name: "BadGateway", description: "CXone or the CRM failed", detail: "CXone does not answer", header: pauseHeader},
	{status: 503, name: "ServiceUnavailable", description: "The database does not answer, or the intake is busy",
		detail: "the database is unavailable", header: retryAfterHeader},
}

// problemResponses returns the answers of commonProblems by name.
func problemResponses(schemas huma.Registry) map[string]*huma.Response {
	schema := schemas.Schema(reflect.TypeFor[huma.ErrorModel](), true, "")
	for _, name := range []string{"type", "instance"} { // our errors have neither
		schemas.SchemaFromRef(schema.Ref).Properties[name].Examples = nil
	}
	all := make(map[string]*huma.Response)
	for _, p := range commonProblems {
		r := &huma.Response{
			Description: p.description,
			Content: map[string]*huma.MediaType{problemType: {
				Schema:  schema,
				Example: &huma.ErrorModel{Title: http.StatusText(p.status), Status: p.status, Detail: p.detail, Errors: p.faults},
			}},
		}
		p.header.addTo(r)
		all[p.name] = r
	}
	return all
}

const problemType = "application/problem+json"

func (h *namedHeader) addTo(r *huma.Response) {
	if h == nil {
		return
	}
	if r.Headers == nil {
		r.Headers = make(map[string]*huma.Param)
	}
	r.Headers[h.name] = &huma.Param{
		Description: h.description, Required: !h.optional, Schema: &huma.Schema{Type: huma.TypeString}, Example: h.example,
	}
}

// addProblems adds the errors of an operation: the others, and those that follow from its role, parameters
// and body.
func addProblems(op *huma.Operation, others []int) {
	delete(op.Responses, "default")
	all := slices.Clone(others)
	switch roleOf(op) {
	case access.Operator:
		all = append(all, 401, 403, 429)
	case access.Viewer:
		all = append(all, 401, 429)
	}
	if strings.Contains(op.Path, "{id}") {
		all = append(all, 404)
	}
	if op.RequestBody != nil {
		all = append(all, 400, 408, 413, 415, 422)
	}
	if slices.ContainsFunc(op.Parameters, canBeWrong) {
		all = append(all, 422)
	}
	for _, p := range commonProblems {
		if slices.Contains(all, p.status) {
			op.Responses[strconv.Itoa(p.status)] = &huma.Response{Ref: "#/components/responses/" + p.name}
		}
	}
}

// roleOf returns who may use an operation.
func roleOf(op *huma.Operation) access.Role {
	for _, role := range []access.Role{access.Viewer, access.Operator} {
		if len(op.Security) > 0 && slices.Contains(op.Security[0][bearerScheme], role.String()) {
			return role
		}
	}
	return access.Anyone
}

// canBeWrong reports whether a parameter does not take every text.
func canBeWrong(p *huma.Param) bool {
	s := p.Schema
	return s.Type != huma.TypeString || s.MaxLength != nil || len(s.Enum) > 0 || s.Format != ""
}
