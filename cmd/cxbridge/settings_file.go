package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// openFile adds the settings file as the last source, if one is named.
func (l *loader) openFile(v *Value, names map[string]known) {
	if v.text == "" {
		return
	}
	data, err := os.ReadFile(v.text)
	if err != nil {
		l.wrong(*v, fmt.Sprintf("is %q, which cannot be read, %s", v.text, reason(err)), "give the path of a YAML file")
		l.fileBroken = true
		return
	}
	file := settingsFile{name: filepath.Base(v.text), names: names, problems: l.problems, settings: make(map[string]found)}
	if !file.parse(data) {
		l.fileBroken = true
		return
	}
	l.sources = append(l.sources, func(name string) (found, bool) {
		hit, ok := file.settings[name]
		return hit, ok
	})
}

// settingsFile reads a YAML file of settings. It takes the text of a value as it is written, so
// that a token of digits does not become a number on its way.
type settingsFile struct {
	*problems
	name     string
	names    map[string]known
	settings map[string]found
}

// parse reads the file and reports whether it is one at all.
func (f *settingsFile) parse(data []byte) bool {
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		f.malformed(err)
		return false
	}
	var pairs []*ast.MappingValueNode
	for i, doc := range tree.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.CommentGroupNode, *ast.NullNode:
		case *ast.MappingNode:
			pairs = append(pairs, body.Values...)
		case *ast.MappingValueNode:
			pairs = append(pairs, body)
		default:
			f.wrong(f.config(0), "is not a list of settings", "write one setting a line, as in `port: 3000`")
			return false
		}
		if i > 0 && doc.Body != nil {
			f.wrong(f.config(0), "holds several documents", "keep one")
			return false
		}
	}
	for _, pair := range pairs {
		f.take(pair)
	}
	return true
}

// malformed notes a mistake in the YAML. The parser's own text is not used as a whole, because it
// quotes the lines around the mistake, which may hold a secret.
func (f *settingsFile) malformed(err error) {
	line, what := 0, "is not YAML"
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		what += ", " + syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
	}
	f.wrong(f.config(line), what, "write one setting a line, as in `port: 3000`")
}

// take notes one setting of the file.
func (f *settingsFile) take(pair *ast.MappingValueNode) {
	key := pair.Key.GetToken()
	name, line := settingName(key.Value), key.Position.Line
	where := f.where(line)
	setting, ok := f.names[name]
	if !ok {
		f.wrong(Value{name: key.Value, source: where}, "is not a setting", "`cxbridge serve --help` lists those there are")
		return
	}
	if _, twice := f.settings[name]; twice {
		f.wrong(Value{name: name, source: where}, "is set twice", "keep one")
		return
	}
	text, ok := f.text(pair.Value, setting.list)
	if !ok {
		right := "give one value"
		if setting.list != "" {
			right = "give one value, or a list of values"
		}
		f.wrong(Value{name: name, source: where}, "is not a plain value", right)
		f.settings[name] = found{where: where, broken: true}
		return
	}
	if text != "" {
		f.settings[name] = found{text: text, where: where}
	}
}

// text returns the text of a value; for a list, the items with the separator between them.
func (f *settingsFile) text(node ast.Node, list string) (string, bool) {
	switch n := node.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), true
	case *ast.SequenceNode:
		if list == "" {
			return "", false
		}
		items := make([]string, len(n.Values))
		for i, item := range n.Values {
			text, ok := f.text(item, "")
			if !ok {
				return "", false
			}
			items[i] = text
		}
		return strings.Join(items, list), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// config returns the setting that named the file, at a line of the file; 0 is no particular line.
func (f *settingsFile) config(line int) Value {
	return Value{name: "CONFIG", source: f.where(line)}
}

func (f *settingsFile) where(line int) string {
	if line == 0 {
		return f.name
	}
	return fmt.Sprintf("%s line %d", f.name, line)
}
