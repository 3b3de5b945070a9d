package crm

import (
	"bytes"
	_ "embed" // of the default schema
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// Schema is what a CRM accepts: a JSON Schema of the delta document. It is safe for concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
}

//go:embed schema.json
var defaultSchema []byte

var parseDefault = sync.OnceValue(func() *Schema {
	s, err := ParseSchema(defaultSchema)
	if err != nil {
		panic(err) // it is part of the program
	}
	return s
})

// DefaultSchema returns the schema for when the operator gives none: schema.json.
func DefaultSchema() *Schema { return parseDefault() }

// schemaURL is the base of the references in a schema that has no $id.
const schemaURL = "cxbridge:///schema.json"

// ParseSchema reads a JSON Schema, of draft 2020-12 unless it says otherwise. Formats are asserted.
// It must be complete in itself: no other file and nothing from the network is loaded. Errors are
// fit for an operator, and continue a sentence that begins with the name of the file or setting.
func ParseSchema(data []byte) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, notJSON(data, err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(nothingElse{})
	c.AssertFormat()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, badSchema(err)
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		return nil, badSchema(err)
	}
	return &Schema{compiled: compiled}, nil
}

// Check checks a delta as it goes to the CRM under a version. Bad holds the items that the schema
// does not allow, each with a reason that repeats no value of it: without them the CRM accepts the
// rest.
//
// An error says that the fault is not in items alone, so that setting some aside does not help. The
// id of a message that is to be removed is such a fault: the CRM would keep the message.
func (s *Schema) Check(d *thread.Delta, version int64) (bad map[*thread.Item]string, err error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.JSON(version)))
	if err != nil {
		return nil, errors.New("the delta is no JSON")
	}
	invalid := s.compiled.Validate(doc)
	if invalid == nil {
		return nil, nil
	}
	var v *jsonschema.ValidationError
	if !errors.As(invalid, &v) {
		return nil, fmt.Errorf("the schema cannot be applied: %T", invalid)
	}
	return sortFaults(d, faultsOf(v))
}

// sortFaults assigns faults to the items that they are in.
func sortFaults(d *thread.Delta, faults []fault) (bad map[*thread.Item]string, err error) {
	lists := d.Lists()
	reasons := make(map[*thread.Item][]string)
	var elsewhere []string
	for _, f := range faults {
		item := itemAt(lists, f.path)
		if item == nil {
			elsewhere = append(elsewhere, f.at(f.path))
			continue
		}
		reasons[item] = append(reasons[item], f.at(f.path[2:]))
	}
	if len(elsewhere) > 0 {
		return nil, errors.New(join(elsewhere))
	}
	bad = make(map[*thread.Item]string, len(reasons))
	for item, all := range reasons {
		bad[item] = join(all)
	}
	return bad, nil
}

// itemAt returns the item that a path in the document leads to, or into; nil when there is none that
// can be set aside.
func itemAt(lists map[string][]*thread.Item, path []string) *thread.Item {
	if len(path) < 2 || path[0] == "removedMessages" {
		return nil
	}
	i, err := strconv.Atoi(path[1])
	if list := lists[path[0]]; err == nil && i >= 0 && i < len(list) {
		return list[i]
	}
	return nil
}

// join puts reasons into one text: the first few of them, sorted, because the order in which a
// validator finds them is not always the same.
func join(reasons []string) string {
	const most = 5
	slices.Sort(reasons)
	reasons = slices.Compact(reasons)
	if more := len(reasons) - most; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(reasons[:most], "; "), more)
	}
	return strings.Join(reasons, "; ")
}

// nothingElse is a loader that loads nothing.
type nothingElse struct{}

func (nothingElse) Load(u string) (any, error) {
	if parsed, err := url.Parse(u); err == nil && parsed.Scheme == "cxbridge" {
		u = strings.TrimPrefix(parsed.Path, "/")
	}
	return nil, fmt.Errorf("refers to %s, and nothing outside of the schema is loaded: put it into $defs", u)
}

// notJSON says where a text is not JSON.
func notJSON(data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("is no JSON: %w", err)
	}
	before := data[:min(int(syntax.Offset), len(data))]
	return fmt.Errorf("is no JSON: line %d: %w", 1+bytes.Count(before, []byte("\n")), err)
}

// badSchema says why JSON is not a schema.
func badSchema(err error) error {
	// Neither of these two types unwraps.
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		return load.Err
	}
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		err = invalid.Err
	}
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return fmt.Errorf("is no JSON Schema: %s", strings.ReplaceAll(err.Error(), schemaURL, ""))
	}
	faults := faultsOf(v)
	reasons := make([]string, len(faults))
	for i, f := range faults {
		reasons[i] = f.at(f.path)
	}
	return fmt.Errorf("is no JSON Schema: %s", join(reasons))
}
