package sms

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Form is the kind of a sender ID. Carriers and regulators make one rule for each.
type Form string

// The forms of a sender ID. Any stands for all of them, in rule files that do not distinguish them.
const (
	Alphanumeric Form = "alphanumeric" // has a letter, or anything else that no number has
	LongCode     Form = "long code"    // a phone number
	ShortCode    Form = "short code"   // at most 8 digits, without a plus sign
	TollFree     Form = "toll-free"    // a phone number that matches the region's toll-free pattern
	Any          Form = "any"
)

// Use says what a region asks of senders of one form.
type Use string

// The uses of a form, from lenient to strict.
const (
	Free         Use = "free"         // anybody may use it
	Registration Use = "registration" // the sender must be registered with an operator, a regulator or a register
	Impossible   Use = "impossible"   // the carriers refuse or replace it
)

// Rule is what a region asks of senders of one form.
type Rule struct {
	Form      Form
	Use       Use
	Pattern   string // RE2, for the whole sender ID, or for the digits of a number; "" allows all
	MinLength int    // characters; 0 is no limit
	MaxLength int    // characters; 0 is no limit
	Format    string // the pattern and the lengths in words: "... must be <format>"
	Source    string // who says so
	URL       string // where; may be empty
	Date      string // day the source was read, as 2006-01-02
	Since     string // day the rule came into force, as 2006-01-02; "" when it is old or not known
	Note      string // what else a person should know; may be empty
}

// RegionRules are the rules of one region, at most one for each form, in the order of the Form
// constants.
type RegionRules struct {
	Region string // ISO 3166-1 alpha-2
	Name   string // in English; may be empty
	Rules  []Rule
}

// SenderRules is a rule file: which sender IDs each region allows. It never changes, and is safe
// for concurrent use. A zero SenderRules lists no region; for Check and Region so does a nil one.
type SenderRules struct {
	title    string
	date     string
	unlisted Compliance
	regions  map[string]*regionRules
}

// Title names the rule file.
func (s *SenderRules) Title() string { return s.title }

// Date is the date that the rule file gives itself, as 2006-01-02.
func (s *SenderRules) Date() string { return s.date }

// Unlisted is the verdict on sender IDs in regions that the file does not list: Unchecked or
// Violation.
func (s *SenderRules) Unlisted() Compliance {
	if s == nil || s.unlisted == "" {
		return Unchecked
	}
	return s.unlisted
}

// Region returns the rules of a region, given as ISO 3166-1 alpha-2 in any case, or as UK. It is
// false for a region that the file does not list.
func (s *SenderRules) Region(code string) (RegionRules, bool) {
	code, _ = ParseRegion(code)
	r := s.region(code)
	if r == nil {
		return RegionRules{}, false
	}
	return r.listing(), true
}

// Regions returns the rules of every region of the file, sorted by code.
func (s *SenderRules) Regions() []RegionRules {
	all := make([]RegionRules, 0, len(s.regions))
	for _, r := range s.regions {
		all = append(all, r.listing())
	}
	slices.SortFunc(all, func(a, b RegionRules) int { return strings.Compare(a.Region, b.Region) })
	return all
}

func (s *SenderRules) region(code string) *regionRules {
	if s == nil {
		return nil
	}
	return s.regions[code]
}

// Reasons that do not depend on a rule. Like all reasons they hold nothing of the sender ID, because
// they reach answers and logs.
const (
	reasonEmpty    = "sender ID is empty"
	reasonUnlisted = "unsupported region"
)

// Check judges a sender ID in a region, given as ISO 3166-1 alpha-2 in any case, or as UK. An empty
// or blank sender ID is a violation everywhere. A form for which the region has no rule is
// unchecked. A sender ID that needs registration is compliant when it has the right form: cxbridge
// cannot look into the registers; see Region for what they ask.
func (s *SenderRules) Check(sender, region string) Verdict {
	region, _ = ParseRegion(region)
	if strings.TrimSpace(sender) == "" {
		return Verdict{Compliance: Violation, Region: region, Reason: reasonEmpty}
	}
	rules := s.region(region)
	if rules == nil {
		if s.Unlisted() == Violation {
			return Verdict{Compliance: Violation, Region: region, Reason: reasonUnlisted}
		}
		return Verdict{Compliance: Unchecked, Region: region}
	}
	compliance, reason := rules.judge(sender)
	return Verdict{Compliance: compliance, Region: region, Reason: reason}
}

// regionRules are the compiled rules of a region; nil where there is none.
type regionRules struct {
	region, name                                         string
	anyForm, alphanumeric, longCode, shortCode, tollFree *formRule
}

func (r *regionRules) forms() []*formRule {
	return []*formRule{r.alphanumeric, r.longCode, r.shortCode, r.tollFree, r.anyForm}
}

func (r *regionRules) listing() RegionRules {
	l := RegionRules{Region: r.region, Name: r.name}
	for _, f := range r.forms() {
		if f != nil {
			l.Rules = append(l.Rules, f.Rule)
		}
	}
	return l
}

// judge finds the form of the sender ID and applies its rule.
func (r *regionRules) judge(sender string) (Compliance, string) {
	if r.anyForm != nil {
		return r.anyForm.judge(sender)
	}
	digits, plus, ok := numberIn(sender)
	switch {
	case !ok && !strings.ContainsFunc(sender, unicode.IsLetter):
		return r.alphanumeric.refuse()
	case !ok:
		return r.alphanumeric.judge(sender)
	case r.tollFree != nil && r.tollFree.matches(digits):
		return r.tollFree.judge(digits)
	case !plus && len(digits) <= maxShortCode:
		return r.shortCode.judge(digits)
	case len(digits) > maxDigits:
		return r.longCode.refuse()
	}
	return r.longCode.judge(digits)
}

// maxShortCode is the most digits that a short code has anywhere.
const maxShortCode = 8

// numberIn returns the digits of a sender ID that is a number: digits, perhaps with a plus sign in
// front and the usual signs between them.
func numberIn(sender string) (digits string, plus, ok bool) {
	digits, plus = strings.CutPrefix(sender, "+")
	signs := 0
	for i := 0; i < len(digits); i++ {
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
		case strings.IndexByte(numberSigns, c) >= 0:
			signs++
		default:
			return "", false, false
		}
	}
	if signs > 0 {
		digits = strings.Map(func(c rune) rune {
			if c < '0' || c > '9' {
				return -1
			}
			return c
		}, digits)
	}
	return digits, plus, digits != ""
}

// formRule is a compiled rule, with its reasons made beforehand.
type formRule struct {
	Rule
	pattern            *regexp.Regexp // nil allows all
	impossible, differ string
}

// compile makes the rule ready for use. The pattern must match the whole text.
func compile(rule Rule, region string) (*formRule, error) {
	f := &formRule{Rule: rule}
	if rule.Pattern != "" {
		// By itself first: a stray parenthesis could take the anchors apart.
		if _, err := regexp.Compile(rule.Pattern); err != nil {
			return nil, err
		}
		// It can still clash with the anchors: a \Q without its \E quotes the closing one.
		var err error
		if f.pattern, err = regexp.Compile(`\A(?:` + rule.Pattern + `)\z`); err != nil {
			return nil, err
		}
	}
	plural := map[Form]string{
		Alphanumeric: "alphanumeric sender IDs", LongCode: "long codes", ShortCode: "short codes",
		TollFree: "toll-free numbers", Any: "sender IDs",
	}[rule.Form]
	f.impossible = plural + " are impossible in " + region
	f.differ = "the sender ID does not have the form that " + plural + " have in " + region
	if rule.Format != "" {
		f.differ = plural + " in " + region + " must be " + rule.Format
	}
	return f, nil
}

// judge gives the verdict on a sender ID of the rule's form: its text, or the digits of a number.
// Where there is no rule the form is unchecked.
func (f *formRule) judge(text string) (Compliance, string) {
	if f == nil || f.Use == Impossible || !f.matches(text) {
		return f.refuse()
	}
	return Compliant, ""
}

// refuse gives the verdict on a sender ID that does not match the rule.
func (f *formRule) refuse() (Compliance, string) {
	switch {
	case f == nil:
		return Unchecked, ""
	case f.Use == Impossible:
		return Violation, f.impossible
	}
	return Violation, f.differ
}

func (f *formRule) matches(text string) bool {
	if n := utf8.RuneCountInString(text); n < f.MinLength || f.MaxLength > 0 && n > f.MaxLength {
		return false
	}
	return f.pattern == nil || f.pattern.MatchString(text)
}
