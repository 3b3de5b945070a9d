package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// openAPI is what the page reads of a description in OpenAPI 3.1.
type openAPI struct {
	Info struct{ Title, Version, Description string }
	Tags []struct{ Name, Description string }

	Paths      map[string]map[string]*apiOperation
	Components struct {
		Schemas         map[string]*apiSchema
		Responses       map[string]*apiResponse
		SecuritySchemes map[string]apiScheme
	}
}

type apiOperation struct {
	OperationID, Summary, Description string
	Tags                              []string
	Security                          []map[string][]string
	Parameters                        []apiParameter
	RequestBody                       *struct {
		Required bool
		Content  map[string]apiMedia
	}
	Responses map[string]*apiResponse
}

type apiParameter struct {
	Name, In, Description string
	Required              bool
	Schema                *apiSchema
	Example               json.RawMessage
}

type apiResponse struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]apiParameter
	Content     map[string]apiMedia
}

type apiMedia struct {
	Schema   *apiSchema
	Example  json.RawMessage
	Examples map[string]struct {
		Summary string
		Value   json.RawMessage
	}
}

type apiScheme struct{ Type, In, Name, Scheme, Description string }

// apiSchema is what the page shows of a JSON Schema.
type apiSchema struct {
	Ref         string `json:"$ref"`
	Type        apiTypes
	Format      string
	Description string
	Enum        []any
	Default     any
	Minimum     *float64
	Maximum     *float64
	MinLength   *int
	MaxLength   *int
	MaxItems    *int
	Pattern     string
	Meant       string `json:"patternDescription"`

	Properties map[string]*apiSchema
	Required   []string
	Items      *apiSchema
	AnyOf      []*apiSchema
	OneOf      []*apiSchema
	Others     apiOthers `json:"additionalProperties"`
}

// apiTypes are the types of a value: one, or several in a list.
type apiTypes []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *apiTypes) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = apiTypes{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// apiOthers is the schema of members with any other name, if the description gives one.
type apiOthers struct{ *apiSchema }

// UnmarshalJSON implements json.Unmarshaler. A boolean, which only allows or forbids others, is ignored.
func (o *apiOthers) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	o.apiSchema = new(apiSchema)
	return json.Unmarshal(b, o.apiSchema)
}

func readOpenAPI(document []byte) (*openAPI, error) {
	d := new(openAPI)
	if err := json.Unmarshal(document, d); err != nil {
		return nil, fmt.Errorf("console: the description of the API: %w", err)
	}
	return d, nil
}

// schemaTable is a table of the members of one schema.
type schemaTable struct {
	Title string // what it is, where there are several to choose from
	Rows  []schemaRow
}

// schemaRow is a member.
type schemaRow struct {
	Name     string // with the names of those around it, as in items[].id
	Type     string
	Required bool
	About    string
	Bounds   []string
}

// schemaDepth is how deep the tables go.
const schemaDepth = 6

const schemaPrefix = "#/components/schemas/"

// resolve follows references. One that leads nowhere becomes an empty schema.
func (d *openAPI) resolve(s *apiSchema) *apiSchema {
	for range schemaDepth {
		if s == nil {
			break
		}
		if s.Ref == "" {
			return s
		}
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, schemaPrefix)]
	}
	return new(apiSchema)
}

// tables returns the tables of a schema: one for each form that a value may have.
func (d *openAPI) tables(s *apiSchema) []schemaTable {
	if s == nil {
		return nil
	}
	forms := append(slices.Clone(s.AnyOf), s.OneOf...)
	if len(forms) == 0 {
		forms = []*apiSchema{s}
	}
	var all []schemaTable
	for _, form := range forms {
		t := schemaTable{Title: d.title(form)}
		if resolved := d.resolve(form); slices.Contains(resolved.Type, "array") {
			t.Title = d.typeText(resolved)
			if slices.ContainsFunc(forms, func(one *apiSchema) bool { return one.Ref != "" && d.isOf(resolved.Items, one.Ref) }) {
				t.Title = "or an array of these" // they have tables of their own
				all = append(all, t)
				continue
			}
			d.addRows(&t.Rows, resolved.Items, "[].", nil)
		} else {
			d.addRows(&t.Rows, form, "", nil)
		}
		all = append(all, t)
	}
	return all
}

// isOf reports whether a schema is the given reference, or a choice that has it.
func (d *openAPI) isOf(s *apiSchema, ref string) bool {
	if s == nil {
		return false
	}
	return s.Ref == ref || slices.ContainsFunc(append(slices.Clone(s.AnyOf), s.OneOf...), func(one *apiSchema) bool { return one.Ref == ref })
}

func (d *openAPI) title(s *apiSchema) string {
	if name, ok := strings.CutPrefix(s.Ref, schemaPrefix); ok {
		return name
	}
	return d.typeText(s)
}

// addRows adds the members of a schema, and those within them. Within are the references that led here, so
// that a schema within itself is not shown again.
func (d *openAPI) addRows(rows *[]schemaRow, s *apiSchema, prefix string, within []string) {
	if s == nil || len(within) > schemaDepth || slices.Contains(within, s.Ref) {
		return
	}
	within = append(slices.Clip(within), s.Ref)
	if s.Ref == "" {
		within[len(within)-1] = "\x00" // a schema without a name counts for the depth only
	}
	resolved := d.resolve(s)
	for _, form := range append(slices.Clone(resolved.AnyOf), resolved.OneOf...) {
		d.addRows(rows, form, prefix, within)
	}
	for _, name := range namesOf(resolved) {
		d.addRow(rows, resolved.Properties[name], prefix+name, slices.Contains(resolved.Required, name), within)
	}
	if others := resolved.Others.apiSchema; others != nil && !isEmpty(others) {
		d.addRow(rows, others, prefix+"*", false, within)
	}
}

func (d *openAPI) addRow(rows *[]schemaRow, s *apiSchema, name string, required bool, within []string) {
	resolved := d.resolve(s)
	about := s.Description
	if about == "" {
		about = resolved.Description
	}
	*rows = append(*rows, schemaRow{Name: name, Type: d.typeText(s), Required: required, About: about, Bounds: bounds(resolved)})
	if slices.Contains(resolved.Type, "array") && resolved.Items != nil {
		d.addRows(rows, resolved.Items, name+"[].", within)
		return
	}
	d.addRows(rows, s, name+".", within)
}

// namesOf returns the names of the members: the required ones in their order, then the others sorted.
func namesOf(s *apiSchema) []string {
	names := slices.DeleteFunc(slices.Clone(s.Required), func(name string) bool { return s.Properties[name] == nil })
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func isEmpty(s *apiSchema) bool {
	return s.Ref == "" && len(s.Type) == 0 && len(s.Properties) == 0 && len(s.AnyOf)+len(s.OneOf) == 0 && s.Items == nil
}

// typeText returns the type of a value in words.
func (d *openAPI) typeText(s *apiSchema) string { return d.typeWithin(s, 0) }

func (d *openAPI) typeWithin(s *apiSchema, depth int) string {
	if depth > schemaDepth {
		return "anything"
	}
	s = d.resolve(s)
	var kinds []string
	add := func(kind string) {
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	for _, form := range append(slices.Clone(s.AnyOf), s.OneOf...) {
		add(d.typeWithin(form, depth+1))
	}
	for _, kind := range s.Type {
		switch {
		case kind == "array" && s.Items != nil:
			add("array of " + d.typeWithin(s.Items, depth+1))
		case kind == "string" && s.Format == "date-time":
			add("time")
		default:
			add(kind)
		}
	}
	if len(kinds) == 0 {
		return "anything"
	}
	return strings.Join(kinds, " or ")
}

// bounds says what a value may be.
func bounds(s *apiSchema) []string {
	var all []string
	add := func(format string, values ...any) { all = append(all, fmt.Sprintf(format, values...)) }
	if len(s.Enum) > 0 {
		var names []string
		for _, v := range s.Enum {
			if v != nil {
				names = append(names, fmt.Sprint(v))
			}
		}
		add("one of %s", strings.Join(names, ", "))
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		add("%s to %s", plainNumber(*s.Minimum), plainNumber(*s.Maximum))
	case s.Minimum != nil:
		add("from %s", plainNumber(*s.Minimum))
	case s.Maximum != nil:
		add("at most %s", plainNumber(*s.Maximum))
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		add("not empty")
	}
	if s.MaxLength != nil {
		add("at most %d characters", *s.MaxLength)
	}
	if s.MaxItems != nil {
		add("at most %d items", *s.MaxItems)
	}
	if s.Meant != "" {
		add("%s", s.Meant)
	} else if s.Pattern != "" {
		add("like %s", s.Pattern)
	}
	if s.Default != nil {
		add("%s when left out", plainValue(s.Default))
	}
	return all
}

// plainNumber writes a bound in full: 9007199254740991 and not 9.007e+15.
func plainNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func plainValue(v any) string {
	if n, isNumber := v.(float64); isNumber {
		return plainNumber(n)
	}
	return fmt.Sprint(v)
}
