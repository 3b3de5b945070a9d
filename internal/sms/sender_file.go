package sms

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

//go:embed rules/*.yaml
var builtinFiles embed.FS

// The rule files that are built in. Each is parsed once, when first asked for.
var (
	defaultRules = builtin("default")
	seedRules    = builtin("seed")
)

// DefaultRules returns the built-in rules of carriers and regulators.
func DefaultRules() *SenderRules { return defaultRules() }

// SeedRules returns the built-in five rules of the first specification, which allow one pattern for
// each region and refuse every other region.
func SeedRules() *SenderRules { return seedRules() }

// BuiltinRules returns a built-in rule file by its name: "default" or "seed".
func BuiltinRules(name string) (*SenderRules, bool) {
	switch name {
	case "default":
		return DefaultRules(), true
	case "seed":
		return SeedRules(), true
	}
	return nil, false
}

func builtin(name string) func() *SenderRules {
	return sync.OnceValue(func() *SenderRules {
		text, err := builtinFiles.ReadFile("rules/" + name + ".yaml")
		if err != nil {
			panic(err)
		}
		rules, err := ParseRules(text)
		if err != nil {
			panic(fmt.Sprintf("sms: built-in rule file %s: %v", name, err))
		}
		return rules
	})
}

// RulesError says what is wrong with a rule file: all of it, in the order of the file.
type RulesError struct {
	Problems []RuleProblem // at least one
}

// RuleProblem is one thing that is wrong with a rule file.
type RuleProblem struct {
	Line   int    // from 1; 0 for the file as a whole
	Field  string // as regions.GB.alphanumeric.use; "" for the file as a whole
	Reason string
}

func (p RuleProblem) String() string {
	text := p.Reason
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	if p.Line > 0 {
		text = "line " + strconv.Itoa(p.Line) + ": " + text
	}
	return text
}

func (e *RulesError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// ParseRules reads a rule file. docs/sender-ids.md describes the format. The error is a *RulesError.
func ParseRules(text []byte) (*SenderRules, error) {
	r := ruleReader{rules: &SenderRules{regions: make(map[string]*regionRules)}}
	file, err := parser.ParseBytes(text, 0)
	switch {
	case err != nil:
		r.syntax(err)
	case len(file.Docs) != 1 || file.Docs[0].Body == nil:
		r.problem(nil, "", "the file must hold one YAML document")
	default:
		r.file(file.Docs[0].Body)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b RuleProblem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &RulesError{Problems: r.problems}
	}
	return r.rules, nil
}

// ruleReader walks the YAML tree and goes on after a problem, so that all are told at once.
type ruleReader struct {
	rules    *SenderRules
	problems []RuleProblem
}

func (r *ruleReader) problem(at ast.Node, field, format string, args ...any) {
	p := RuleProblem{Field: field, Reason: fmt.Sprintf(format, args...)}
	if at != nil && at.GetToken() != nil {
		p.Line = at.GetToken().Position.Line
	}
	r.problems = append(r.problems, p)
}

func (r *ruleReader) syntax(err error) {
	p := RuleProblem{Reason: err.Error()}
	if e := yaml.Error(nil); errors.As(err, &e) {
		p.Reason = e.GetMessage()
		if t := e.GetToken(); t != nil {
			p.Line = t.Position.Line
		}
	}
	r.problems = append(r.problems, p)
}

// entry is a key of a mapping with its value.
type entry struct {
	key, value ast.Node
}

// mapping returns the entries of a mapping by key. Keys not in known are a problem, unless known is
// nil.
func (r *ruleReader) mapping(node ast.Node, field string, known ...string) map[string]entry {
	m, ok := node.(ast.MapNode)
	if !ok {
		r.problem(node, field, "must be a mapping")
		return nil
	}
	entries := make(map[string]entry)
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		switch _, twice := entries[key]; {
		case twice:
			r.problem(it.Key(), join(field, key), "is there twice")
		case known != nil && !slices.Contains(known, key):
			r.problem(it.Key(), join(field, key), "unknown key; known are %s", strings.Join(known, ", "))
		}
		entries[key] = entry{it.Key(), it.Value()}
	}
	return entries
}

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// text returns the scalar of a key, or "" where there is none.
func (r *ruleReader) text(entries map[string]entry, field, key string) string {
	switch n := entries[key].value.(type) {
	case nil, *ast.NullNode:
		return ""
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value
	default:
		r.problem(n, join(field, key), "must be text")
		return ""
	}
}

// required is text that must be there. The parent stands for the place where it is missing.
func (r *ruleReader) required(entries map[string]entry, parent ast.Node, field, key string) string {
	before := len(r.problems)
	text := r.text(entries, field, key)
	if text == "" && len(r.problems) == before {
		r.problem(parent, join(field, key), "is missing")
	}
	return text
}

func (r *ruleReader) file(root ast.Node) {
	entries := r.mapping(root, "", "title", "date", "unlisted", "regions")
	if entries == nil {
		return
	}
	r.rules.title = r.required(entries, root, "", "title")
	r.rules.date = r.required(entries, root, "", "date")
	r.date(entries, "", "date", r.rules.date)
	switch unlisted := r.required(entries, root, "", "unlisted"); Compliance(unlisted) {
	case Unchecked, Violation:
		r.rules.unlisted = Compliance(unlisted)
	case "":
	default:
		r.problem(entries["unlisted"].value, "unlisted", "must be %s or %s", Unchecked, Violation)
	}
	regions, ok := entries["regions"]
	if !ok {
		r.problem(root, "regions", "is missing")
		return
	}
	listed := r.mapping(regions.value, "regions")
	for _, code := range slices.Sorted(maps.Keys(listed)) {
		r.region(code, listed[code])
	}
}

// date reports a date that is not of the form 2006-01-02.
func (r *ruleReader) date(entries map[string]entry, field, key, text string) {
	if text == "" {
		return
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		r.problem(entries[key].value, join(field, key), "must be a date, as 2026-07-01")
	}
}

// ruleKeys are the keys of the rules in a region, and the form each is for.
var ruleKeys = []struct {
	key  string
	form Form
}{
	{"alphanumeric", Alphanumeric}, {"long_code", LongCode}, {"short_code", ShortCode},
	{"toll_free", TollFree}, {"any", Any},
}

func (r *ruleReader) region(code string, e entry) {
	field := join("regions", code)
	region, ok := ParseRegion(code)
	switch {
	case !ok:
		r.problem(e.key, field, "must be an ISO 3166-1 alpha-2 code of two letters")
	case r.rules.regions[region] != nil:
		r.problem(e.key, field, "the region %s is there twice", region)
	}
	rules := &regionRules{region: region}
	r.rules.regions[region] = rules
	known := []string{"name"}
	for _, k := range ruleKeys {
		known = append(known, k.key)
	}
	entries := r.mapping(e.value, field, known...)
	if entries == nil {
		return
	}
	rules.name = r.text(entries, field, "name")
	count := 0
	for _, k := range ruleKeys {
		if rule, ok := entries[k.key]; ok {
			*rules.slot(k.form) = r.rule(k.form, region, join(field, k.key), rule)
			count++
		}
	}
	_, hasAny := entries["any"]
	switch {
	case count == 0:
		r.problem(e.key, field, "has no rule")
	case hasAny && count > 1:
		r.problem(entries["any"].key, join(field, "any"), "stands for all forms; there can be no other rule beside it")
	}
}

// slot is the place of a form's rule.
func (r *regionRules) slot(form Form) **formRule {
	switch form {
	case Alphanumeric:
		return &r.alphanumeric
	case LongCode:
		return &r.longCode
	case ShortCode:
		return &r.shortCode
	case TollFree:
		return &r.tollFree
	}
	return &r.anyForm
}

func (r *ruleReader) rule(form Form, region, field string, e entry) *formRule {
	entries := r.mapping(e.value, field, "use", "pattern", "min_length", "max_length", "format",
		"source", "url", "date", "since", "note")
	if entries == nil {
		return nil
	}
	rule := Rule{
		Form:      form,
		Use:       Use(r.required(entries, e.key, field, "use")),
		Pattern:   r.text(entries, field, "pattern"),
		MinLength: r.length(entries, field, "min_length"),
		MaxLength: r.length(entries, field, "max_length"),
		Format:    r.text(entries, field, "format"),
		Source:    r.required(entries, e.key, field, "source"),
		URL:       r.text(entries, field, "url"),
		Date:      r.required(entries, e.key, field, "date"),
		Since:     r.text(entries, field, "since"),
		Note:      r.text(entries, field, "note"),
	}
	r.date(entries, field, "date", rule.Date)
	r.date(entries, field, "since", rule.Since)
	switch rule.Use {
	case "", Free, Registration, Impossible:
	default:
		r.problem(entries["use"].value, join(field, "use"), "must be %s, %s or %s", Free, Registration, Impossible)
	}
	if rule.MaxLength > 0 && rule.MinLength > rule.MaxLength {
		r.problem(entries["min_length"].value, join(field, "min_length"), "must not exceed max_length")
	}
	if form == TollFree && rule.Pattern == "" {
		r.problem(e.key, join(field, "pattern"), "is missing; it tells toll-free numbers from long codes")
	}
	compiled, err := compile(rule, region)
	if err != nil {
		r.problem(entries["pattern"].value, join(field, "pattern"), "is no regular expression: %v", err)
	}
	return compiled
}

func (r *ruleReader) length(entries map[string]entry, field, key string) int {
	text := r.text(entries, field, key)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		r.problem(entries[key].value, join(field, key), "must be a whole number from 1")
		return 0
	}
	return n
}
