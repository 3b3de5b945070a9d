package filecheck

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// AddAt adds a problem at the line of a node; with nil, it is a problem of the file as a whole.
func (p *Problems) AddAt(node ast.Node, field, format string, args ...any) {
	p.Add(LineOf(node), field, format, args...)
}

// LineOf returns the line of a node, from 1; 0 for nil.
func LineOf(node ast.Node) int {
	if node == nil || node.GetToken() == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// Document reads a file that holds one YAML document. For any other file it adds the problem and returns
// nil. The parser refuses duplicate keys.
func (p *Problems) Document(text []byte) ast.Node {
	file, err := parser.ParseBytes(text, 0)
	switch {
	case err != nil:
		p.syntax(err)
	case len(file.Docs) != 1 || file.Docs[0].Body == nil:
		p.Add(0, "", "the file must hold one YAML document")
	default:
		return file.Docs[0].Body
	}
	return nil
}

func (p *Problems) syntax(err error) {
	line, reason := 0, err.Error()
	if e := yaml.Error(nil); errors.As(err, &e) {
		reason = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
	}
	p.Add(line, "", "%s", reason)
}

// Entry is a key of a mapping with its value.
type Entry struct {
	Name       string
	Key, Value ast.Node
}

// Mapping holds the entries of a mapping, in the order of the file.
type Mapping []Entry

// Find returns the entry of a key.
func (m Mapping) Find(name string) (e Entry, found bool) {
	i := slices.IndexFunc(m, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return m[i], true
}

// At returns the value of a key; nil when it is not there.
func (m Mapping) At(name string) ast.Node {
	e, _ := m.Find(name)
	return e.Value
}

// Mapping reads a mapping. For any other node it adds the problem and returns nil. A key that is not
// among the known ones is a problem as well, unless no known keys are given.
func (p *Problems) Mapping(node ast.Node, field string, known ...string) Mapping {
	m, ok := node.(ast.MapNode)
	if !ok {
		p.AddAt(node, field, "must be a mapping")
		return nil
	}
	entries := Mapping{}
	for it := m.MapRange(); it.Next(); {
		name := it.Key().GetToken().Value
		if known != nil && !slices.Contains(known, name) {
			p.AddAt(it.Key(), Join(field, name), "unknown key; known are %s", strings.Join(known, ", "))
		}
		entries = append(entries, Entry{name, it.Key(), it.Value()})
	}
	return entries
}

// Join returns the field of a key in a mapping.
func Join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// Scalar returns a scalar as it is written, because a price must not pass through a floating-point
// number. An empty or missing one is "". It is not ok for a node that is not a scalar.
func Scalar(node ast.Node) (text string, ok bool) {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}
