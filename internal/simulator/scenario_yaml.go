package simulator

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// entry is a key of a mapping with its value.
type entry struct {
	name       string
	key, value ast.Node
}

// entries are those of a mapping, in the order of the file.
type entries []entry

// at returns the value of a key; nil when it is not there.
func (e entries) at(name string) ast.Node {
	for _, entry := range e {
		if entry.name == name {
			return entry.value
		}
	}
	return nil
}

// mapping returns the entries of a mapping. A key that is not known is a problem, unless none are
// given. That a key is there twice the parser has told.
func (r *scriptReader) mapping(node ast.Node, field string, known ...string) (list entries) {
	m, ok := node.(ast.MapNode)
	if !ok {
		r.problem(node, field, "must be a mapping")
		return nil
	}
	for it := m.MapRange(); it.Next(); {
		name := it.Key().GetToken().Value
		if known != nil && !slices.Contains(known, name) {
			r.problem(it.Key(), join(field, name), "unknown key; known are %s", strings.Join(known, ", "))
		}
		list = append(list, entry{name, it.Key(), it.Value()})
	}
	return list
}

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// scalar returns a scalar as it is written; "" for what is none.
func scalar(node ast.Node) string {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value
	}
	return ""
}

// text reads a text that is not empty.
func (r *scriptReader) text(node ast.Node, field string) string {
	text := scalar(node)
	if text == "" {
		r.problem(node, field, "must be a text")
	}
	return text
}

// number reads a number within bounds.
func (r *scriptReader) number(node ast.Node, field string, least, most float64) float64 {
	n, ok := parseNumber(scalar(node))
	if !ok || n < least || n > most {
		r.problem(node, field, "must be a number from %v to %s", least, strconv.FormatFloat(most, 'f', -1, 64))
		return 0
	}
	return n
}

// share reads a part of a whole: 0.3 or 30%.
func (r *scriptReader) share(node ast.Node, field string) float64 {
	text, perCent := strings.CutSuffix(scalar(node), "%")
	n, ok := parseNumber(text)
	if perCent {
		n /= 100
	}
	if !ok || n < 0 || n > 1 {
		r.problem(node, field, "must be a share from 0 to 1, such as 0.3 or 30%%")
		return 0
	}
	return n
}

func parseNumber(text string) (n float64, ok bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// duration reads a time within bounds.
func (r *scriptReader) duration(node ast.Node, field string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(scalar(node)))
	if err != nil || d < least || d > most {
		r.problem(node, field, "must be a time from %v to %v, such as 30s", least, most)
		return 0
	}
	return d
}

// maxName is how long the name of a carrier may be, in characters.
const maxName = 64

func isName(text string) bool {
	if text == "" || len(text) > maxName || strings.TrimSpace(text) != text {
		return false
	}
	return !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' })
}
