package sms

import (
	"embed"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/cxbridge/cxbridge/internal/filecheck"
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

// SeedRules returns the five built-in rules of the first specification, which allow one pattern for
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

// ParseRules reads a rule file. docs/sender-ids.md describes the format. The error is a
// *filecheck.Error.
func ParseRules(text []byte) (*SenderRules, error) {
	r := ruleReader{rules: &SenderRules{regions: make(map[string]*regionRules)}}
	if root := r.Document(text); root != nil {
		r.file(root)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return r.rules, nil
}

// ruleReader walks the YAML tree and continues after a problem.
type ruleReader struct {
	rules *SenderRules
	filecheck.Problems
}

// text returns the scalar of a key, or "" where there is none.
func (r *ruleReader) text(entries filecheck.Mapping, field, key string) string {
	text, ok := filecheck.Scalar(entries.At(key))
	if !ok {
		r.AddAt(entries.At(key), filecheck.Join(field, key), "must be text")
	}
	return text
}

// required is text for a key that must be there. If it is missing, the problem is at the line of the
// parent.
func (r *ruleReader) required(entries filecheck.Mapping, parent ast.Node, field, key string) string {
	before := r.Len()
	text := r.text(entries, field, key)
	if text == "" && r.Len() == before {
		r.AddAt(parent, filecheck.Join(field, key), "is missing")
	}
	return text
}

func (r *ruleReader) file(root ast.Node) {
	entries := r.Mapping(root, "", "title", "date", "unlisted", "regions")
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
		r.AddAt(entries.At("unlisted"), "unlisted", "must be %s or %s", Unchecked, Violation)
	}
	regions := entries.At("regions")
	if regions == nil {
		r.AddAt(root, "regions", "is missing")
		return
	}
	for _, region := range r.Mapping(regions, "regions") {
		r.region(region)
	}
}

// date reports a date that is not of the form 2006-01-02.
func (r *ruleReader) date(entries filecheck.Mapping, field, key, text string) {
	if text == "" {
		return
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		r.AddAt(entries.At(key), filecheck.Join(field, key), "must be a date, as 2026-07-01")
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

func (r *ruleReader) region(e filecheck.Entry) {
	field := filecheck.Join("regions", e.Name)
	region, ok := ParseRegion(e.Name)
	switch {
	case !ok:
		r.AddAt(e.Key, field, "must be an ISO 3166-1 alpha-2 code of two letters")
	case r.rules.regions[region] != nil:
		r.AddAt(e.Key, field, "the region %s is there twice", region)
	}
	rules := &regionRules{region: region}
	r.rules.regions[region] = rules
	known := []string{"name"}
	for _, k := range ruleKeys {
		known = append(known, k.key)
	}
	entries := r.Mapping(e.Value, field, known...)
	if entries == nil {
		return
	}
	rules.name = r.text(entries, field, "name")
	count := 0
	for _, k := range ruleKeys {
		if rule, ok := entries.Find(k.key); ok {
			*rules.slot(k.form) = r.rule(k.form, region, filecheck.Join(field, k.key), rule)
			count++
		}
	}
	anyForm, hasAny := entries.Find("any")
	switch {
	case count == 0:
		r.AddAt(e.Key, field, "has no rule")
	case hasAny && count > 1:
		r.AddAt(anyForm.Key, filecheck.Join(field, "any"), "stands for all forms; there can be no other rule beside it")
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

func (r *ruleReader) rule(form Form, region, field string, e filecheck.Entry) *formRule {
	entries := r.Mapping(e.Value, field, "use", "pattern", "min_length", "max_length", "format",
		"source", "url", "date", "since", "note")
	if entries == nil {
		return nil
	}
	rule := Rule{
		Form:      form,
		Use:       Use(r.required(entries, e.Key, field, "use")),
		Pattern:   r.text(entries, field, "pattern"),
		MinLength: r.length(entries, field, "min_length"),
		MaxLength: r.length(entries, field, "max_length"),
		Format:    r.text(entries, field, "format"),
		Source:    r.required(entries, e.Key, field, "source"),
		URL:       r.text(entries, field, "url"),
		Date:      r.required(entries, e.Key, field, "date"),
		Since:     r.text(entries, field, "since"),
		Note:      r.text(entries, field, "note"),
	}
	r.date(entries, field, "date", rule.Date)
	r.date(entries, field, "since", rule.Since)
	switch rule.Use {
	case "", Free, Registration, Impossible:
	default:
		r.AddAt(entries.At("use"), filecheck.Join(field, "use"), "must be %s, %s or %s", Free, Registration, Impossible)
	}
	if rule.MaxLength > 0 && rule.MinLength > rule.MaxLength {
		r.AddAt(entries.At("min_length"), filecheck.Join(field, "min_length"), "must not exceed max_length")
	}
	if form == TollFree && rule.Pattern == "" {
		r.AddAt(e.Key, filecheck.Join(field, "pattern"), "is missing; it tells toll-free numbers from long codes")
	}
	compiled, err := compile(rule, region)
	if err != nil {
		r.AddAt(entries.At("pattern"), filecheck.Join(field, "pattern"), "is no regular expression: %v", err)
	}
	return compiled
}

func (r *ruleReader) length(entries filecheck.Mapping, field, key string) int {
	text := r.text(entries, field, key)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		r.AddAt(entries.At(key), filecheck.Join(field, key), "must be a whole number from 1")
		return 0
	}
	return n
}
