package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// ScriptError says what is wrong with a scenario file: all of it, in the order of the file.
type ScriptError struct {
	Problems []ScriptProblem // at least one
}

// ScriptProblem is one thing that is wrong with a scenario file.
type ScriptProblem struct {
	Line   int    // from 1; 0 for the file as a whole
	Field  string // as phases[1].rate; "" for the file as a whole
	Reason string
}

func (p ScriptProblem) String() string {
	text := p.Reason
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	if p.Line > 0 {
		text = "line " + strconv.Itoa(p.Line) + ": " + text
	}
	return text
}

func (e *ScriptError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

var tooLarge = ScriptProblem{Reason: fmt.Sprintf("the file must not be larger than %d KiB", maxScriptSize>>10)}

// ParseScript reads a scenario file. docs/simulator.md describes the format. The error is a
// *ScriptError.
func ParseScript(text []byte) (*Script, error) {
	if len(text) > maxScriptSize {
		return nil, &ScriptError{[]ScriptProblem{tooLarge}}
	}
	r := scriptReader{script: &Script{Threads: UsualThreads}}
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
		slices.SortStableFunc(r.problems, func(a, b ScriptProblem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &ScriptError{Problems: r.problems}
	}
	return r.script, nil
}

// scriptReader walks the YAML tree and goes on after a problem, so that all are told at once.
type scriptReader struct {
	script   *Script
	problems []ScriptProblem
}

func (r *scriptReader) problem(at ast.Node, field, format string, args ...any) {
	p := ScriptProblem{Field: field, Reason: fmt.Sprintf(format, args...)}
	if at != nil && at.GetToken() != nil {
		p.Line = at.GetToken().Position.Line
	}
	r.problems = append(r.problems, p)
}

func (r *scriptReader) syntax(err error) {
	p := ScriptProblem{Reason: err.Error()}
	if e := yaml.Error(nil); errors.As(err, &e) {
		p.Reason = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			p.Line = t.Position.Line
		}
	}
	r.problems = append(r.problems, p)
}

// The keys that say what is posted. They may stand in a phase, or before the phases for all that do
// not say it themselves.
var trafficKeys = []string{"kind", "regions", "carriers", "stories"}

func (r *scriptReader) file(root ast.Node) {
	top := r.mapping(root, "", append([]string{"title", "threads", "phases"}, trafficKeys...)...)
	if top == nil {
		return
	}
	if title := top.at("title"); title != nil {
		r.script.Title = r.text(title, "title")
	}
	if threads := top.at("threads"); threads != nil {
		n := r.number(threads, "threads", 1, MaxThreads)
		if r.script.Threads = int(n); float64(r.script.Threads) != n {
			r.problem(threads, "threads", "must be a whole number")
		}
	}
	usual := Phase{Kind: KindBoth}
	r.traffic(top, "", &usual)
	list, isList := top.at("phases").(*ast.SequenceNode)
	if !isList || len(list.Values) == 0 || len(list.Values) > maxPhases {
		r.problem(cmp.Or(top.at("phases"), root), "phases", "must be a list of 1 to %d phases", maxPhases)
		return
	}
	for i, item := range list.Values {
		r.phase(item, fmt.Sprintf("phases[%d]", i), usual)
	}
	if len(r.problems) > 0 {
		return
	}
	if r.script.Duration() > MaxDuration {
		r.problem(list, "phases", "must not take longer than %v together", MaxDuration)
	}
	if r.script.Posts(KindSMS)+r.script.Posts(KindThreads) == 0 {
		r.problem(list, "phases", "must not all be pauses")
	}
}

// phase reads one of the list. What it does not say is as usual.
func (r *scriptReader) phase(node ast.Node, field string, usual Phase) {
	keys := r.mapping(node, field, append([]string{"name", "duration", "rate", "pause"}, trafficKeys...)...)
	if keys == nil {
		return
	}
	p := usual
	if name := keys.at("name"); name != nil {
		p.Name = r.text(name, join(field, "name"))
	}
	if pause := keys.at("pause"); pause != nil {
		p.Duration = r.duration(pause, join(field, "pause"), time.Millisecond, MaxDuration)
		for _, e := range keys {
			if e.name != "pause" && e.name != "name" {
				r.problem(e.key, join(field, e.name), "has no meaning in a pause")
			}
		}
		r.script.Phases = append(r.script.Phases, p)
		return
	}
	if duration := keys.at("duration"); duration != nil {
		p.Duration = r.duration(duration, join(field, "duration"), time.Millisecond, MaxDuration)
	} else {
		r.problem(node, join(field, "duration"), "is missing")
	}
	if rate := keys.at("rate"); rate != nil {
		p.From, p.To = r.rate(rate, join(field, "rate"))
	} else {
		r.problem(node, join(field, "rate"), "is missing")
	}
	r.traffic(keys, field, &p)
	r.script.Phases = append(r.script.Phases, p)
}

// rate reads one rate, or those between which a phase goes.
func (r *scriptReader) rate(node ast.Node, field string) (from, to float64) {
	if _, isMapping := node.(ast.MapNode); !isMapping {
		rate := r.number(node, field, MinRate, MaxRate)
		return rate, rate
	}
	keys := r.mapping(node, field, "from", "to")
	for _, end := range []struct {
		key  string
		rate *float64
	}{{"from", &from}, {"to", &to}} {
		if at := keys.at(end.key); at != nil {
			*end.rate = r.number(at, join(field, end.key), 0, MaxRate)
		} else {
			r.problem(node, join(field, end.key), "is missing")
		}
	}
	if max(from, to) < MinRate {
		r.problem(node, field, "must not be 0 all along; that is a pause")
	}
	return from, to
}

// traffic reads what is posted.
func (r *scriptReader) traffic(keys entries, field string, p *Phase) {
	if kind := keys.at("kind"); kind != nil {
		p.Kind = Kind(scalar(kind))
		if !slices.Contains([]Kind{KindSMS, KindThreads, KindBoth}, p.Kind) {
			r.problem(kind, join(field, "kind"), "must be %s, %s or %s", KindSMS, KindThreads, KindBoth)
		}
	}
	if regions := keys.at("regions"); regions != nil {
		p.Mix.Regions = r.regions(regions, join(field, "regions"))
	}
	if carriers := keys.at("carriers"); carriers != nil {
		p.Mix.Carriers, p.Mix.Timed = r.carriers(carriers, join(field, "carriers")), true
	}
	if stories := keys.at("stories"); stories != nil {
		p.Stories = r.stories(stories, join(field, "stories"))
	}
}

func (r *scriptReader) regions(node ast.Node, field string) (codes []string) {
	list, isList := node.(*ast.SequenceNode)
	if !isList || len(list.Values) == 0 {
		r.problem(node, field, "must be a list of regions, such as [US, GB]")
		return nil
	}
	for i, item := range list.Values {
		field := fmt.Sprintf("%s[%d]", field, i)
		code := regionCode(scalar(item))
		switch {
		case !slices.Contains(sim.Regions(), code):
			r.problem(item, field, "must be one of %s", strings.Join(sim.Regions(), ", "))
		case slices.Contains(codes, code):
			r.problem(item, field, "is there twice")
		}
		codes = append(codes, code)
	}
	return codes
}

func (r *scriptReader) carriers(node ast.Node, field string) (mix []sim.CarrierMix) {
	keys := r.mapping(node, field)
	if len(keys) == 0 || len(keys) > maxCarriers {
		r.problem(node, field, "must be a mapping of 1 to %d carriers", maxCarriers)
		return nil
	}
	sum := 0.0
	for _, e := range keys {
		field := join(field, e.name)
		if !isName(e.name) {
			r.problem(e.key, field, "must be a name of 1 to %d printable ASCII characters", maxName)
		}
		mix = append(mix, r.carrier(e, field))
		sum += mix[len(mix)-1].Weight
	}
	if sum == 0 {
		r.problem(node, field, "must not all have the weight 0")
	}
	return mix
}

// carrier reads what is unusual about a carrier.
func (r *scriptReader) carrier(e entry, field string) sim.CarrierMix {
	c := sim.UsualCarrier(e.name)
	if _, isNothing := e.value.(*ast.NullNode); isNothing {
		return c
	}
	keys := r.mapping(e.value, field, "weight", "failures", "delay", "slow", "slow_delay")
	if at := keys.at("weight"); at != nil {
		c.Weight = r.number(at, join(field, "weight"), 0, maxWeight)
	}
	if at := keys.at("failures"); at != nil {
		c.Failures = r.share(at, join(field, "failures"))
	}
	if at := keys.at("delay"); at != nil {
		c.Delay = r.duration(at, join(field, "delay"), 0, sim.MaxDelay)
	}
	slow, delay := keys.at("slow"), keys.at("slow_delay")
	if (slow == nil) != (delay == nil) {
		r.problem(e.key, field, "must have both of slow and slow_delay, or none")
	}
	if slow != nil {
		c.Slow = r.share(slow, join(field, "slow"))
	}
	if delay != nil {
		c.SlowDelay = r.duration(delay, join(field, "slow_delay"), time.Millisecond, maxSlowDelay)
	}
	return c
}

func (r *scriptReader) stories(node ast.Node, field string) (s sim.Stories) {
	weights := map[Scenario]*float64{Conversation: &s.Conversation, Merge: &s.Merge, Split: &s.Split, Storm: &s.Storm}
	for _, e := range r.mapping(node, field, string(Conversation), string(Merge), string(Split), string(Storm)) {
		if weight := weights[Scenario(e.name)]; weight != nil {
			*weight = r.number(e.value, join(field, e.name), 0, maxWeight)
		}
	}
	if s == (sim.Stories{}) {
		r.problem(node, field, "must have one with a weight above 0")
	}
	return s
}
