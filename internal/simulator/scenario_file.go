package simulator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/cxbridge/cxbridge/internal/filecheck"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// ParseScript reads a scenario file. docs/simulator.md describes the format. The error is a
// *filecheck.Error.
func ParseScript(text []byte) (*Script, error) {
	r := scriptReader{script: &Script{Threads: UsualThreads}}
	if len(text) > maxScriptSize {
		r.Add(0, "", "the file must not be larger than %d KiB", maxScriptSize>>10)
	} else if root := r.Document(text); root != nil {
		r.file(root)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return r.script, nil
}

// scriptReader walks the YAML tree and collects the problems in it.
type scriptReader struct {
	script *Script
	filecheck.Problems
}

// The keys that say what is posted. They may be in a phase, or at the top for all phases that do not have
// them.
var trafficKeys = []string{"kind", "regions", "carriers", "stories"}

func (r *scriptReader) file(root ast.Node) {
	top := r.Mapping(root, "", append([]string{"title", "threads", "phases"}, trafficKeys...)...)
	if top == nil {
		return
	}
	if title := top.At("title"); title != nil {
		r.script.Title = r.text(title, "title")
	}
	if threads := top.At("threads"); threads != nil {
		n := r.number(threads, "threads", 1, MaxThreads)
		if r.script.Threads = int(n); float64(r.script.Threads) != n {
			r.AddAt(threads, "threads", "must be a whole number")
		}
	}
	usual := Phase{Kind: KindBoth}
	r.traffic(top, "", &usual)
	list, isList := top.At("phases").(*ast.SequenceNode)
	if !isList || len(list.Values) == 0 || len(list.Values) > maxPhases {
		r.AddAt(cmp.Or(top.At("phases"), root), "phases", "must be a list of 1 to %d phases", maxPhases)
		return
	}
	for i, item := range list.Values {
		r.phase(item, fmt.Sprintf("phases[%d]", i), usual)
	}
	if r.Len() > 0 {
		return
	}
	if r.script.Duration() > MaxDuration {
		r.AddAt(list, "phases", "must not take longer than %v together", MaxDuration)
	}
	if r.script.Posts(KindSMS)+r.script.Posts(KindThreads) == 0 {
		r.AddAt(list, "phases", "must not all be pauses")
	}
}

// phase reads one phase of the list. Usual has the values of the keys that it leaves out.
func (r *scriptReader) phase(node ast.Node, field string, usual Phase) {
	keys := r.Mapping(node, field, append([]string{"name", "duration", "rate", "pause"}, trafficKeys...)...)
	if keys == nil {
		return
	}
	p := usual
	if name := keys.At("name"); name != nil {
		p.Name = r.text(name, filecheck.Join(field, "name"))
	}
	if pause := keys.At("pause"); pause != nil {
		p.Duration = r.duration(pause, filecheck.Join(field, "pause"), time.Millisecond, MaxDuration)
		for _, e := range keys {
			if e.Name != "pause" && e.Name != "name" {
				r.AddAt(e.Key, filecheck.Join(field, e.Name), "has no meaning in a pause")
			}
		}
		r.script.Phases = append(r.script.Phases, p)
		return
	}
	if duration := keys.At("duration"); duration != nil {
		p.Duration = r.duration(duration, filecheck.Join(field, "duration"), time.Millisecond, MaxDuration)
	} else {
		r.AddAt(node, filecheck.Join(field, "duration"), "is missing")
	}
	if rate := keys.At("rate"); rate != nil {
		p.From, p.To = r.rate(rate, filecheck.Join(field, "rate"))
	} else {
		r.AddAt(node, filecheck.Join(field, "rate"), "is missing")
	}
	r.traffic(keys, field, &p)
	r.script.Phases = append(r.script.Phases, p)
}

// rate reads one rate, or the two between which the rate of a phase changes.
func (r *scriptReader) rate(node ast.Node, field string) (from, to float64) {
	if _, isMapping := node.(ast.MapNode); !isMapping {
		rate := r.number(node, field, MinRate, MaxRate)
		return rate, rate
	}
	keys := r.Mapping(node, field, "from", "to")
	for _, end := range []struct {
		key  string
		rate *float64
	}{{"from", &from}, {"to", &to}} {
		if at := keys.At(end.key); at != nil {
			*end.rate = r.number(at, filecheck.Join(field, end.key), 0, MaxRate)
		} else {
			r.AddAt(node, filecheck.Join(field, end.key), "is missing")
		}
	}
	if max(from, to) < MinRate {
		r.AddAt(node, field, "must not be 0 throughout; use a pause instead")
	}
	return from, to
}

// traffic reads what is posted.
func (r *scriptReader) traffic(keys filecheck.Mapping, field string, p *Phase) {
	if kind := keys.At("kind"); kind != nil {
		p.Kind = Kind(scalar(kind))
		if !slices.Contains([]Kind{KindSMS, KindThreads, KindBoth}, p.Kind) {
			r.AddAt(kind, filecheck.Join(field, "kind"), "must be %s, %s or %s", KindSMS, KindThreads, KindBoth)
		}
	}
	if regions := keys.At("regions"); regions != nil {
		p.Mix.Regions = r.regions(regions, filecheck.Join(field, "regions"))
	}
	if carriers := keys.At("carriers"); carriers != nil {
		p.Mix.Carriers, p.Mix.Timed = r.carriers(carriers, filecheck.Join(field, "carriers")), true
	}
	if stories := keys.At("stories"); stories != nil {
		p.Stories = r.stories(stories, filecheck.Join(field, "stories"))
	}
}

func (r *scriptReader) regions(node ast.Node, field string) (codes []string) {
	list, isList := node.(*ast.SequenceNode)
	if !isList || len(list.Values) == 0 {
		r.AddAt(node, field, "must be a list of regions, such as [US, GB]")
		return nil
	}
	for i, item := range list.Values {
		field := fmt.Sprintf("%s[%d]", field, i)
		code := regionCode(scalar(item))
		switch {
		case !slices.Contains(sim.Regions(), code):
			r.AddAt(item, field, "must be one of %s", strings.Join(sim.Regions(), ", "))
		case slices.Contains(codes, code):
			r.AddAt(item, field, "is there twice")
		}
		codes = append(codes, code)
	}
	return codes
}

func (r *scriptReader) carriers(node ast.Node, field string) (mix []sim.CarrierMix) {
	keys := r.Mapping(node, field)
	if len(keys) == 0 || len(keys) > maxCarriers {
		r.AddAt(node, field, "must be a mapping of 1 to %d carriers", maxCarriers)
		return nil
	}
	sum := 0.0
	for _, e := range keys {
		field := filecheck.Join(field, e.Name)
		if !isName(e.Name) {
			r.AddAt(e.Key, field, "must be a name of 1 to %d printable ASCII characters", maxName)
		}
		mix = append(mix, r.carrier(e, field))
		sum += mix[len(mix)-1].Weight
	}
	if sum == 0 {
		r.AddAt(node, field, "must not all have the weight 0")
	}
	return mix
}

// carrier reads how a carrier differs from the usual one.
func (r *scriptReader) carrier(e filecheck.Entry, field string) sim.CarrierMix {
	c := sim.UsualCarrier(e.Name)
	if _, isNothing := e.Value.(*ast.NullNode); isNothing {
		return c
	}
	keys := r.Mapping(e.Value, field, "weight", "failures", "delay", "slow", "slow_delay")
	if at := keys.At("weight"); at != nil {
		c.Weight = r.number(at, filecheck.Join(field, "weight"), 0, maxWeight)
	}
	if at := keys.At("failures"); at != nil {
		c.Failures = r.share(at, filecheck.Join(field, "failures"))
	}
	if at := keys.At("delay"); at != nil {
		c.Delay = r.duration(at, filecheck.Join(field, "delay"), 0, sim.MaxDelay)
	}
	slow, delay := keys.At("slow"), keys.At("slow_delay")
	if (slow == nil) != (delay == nil) {
		r.AddAt(e.Key, field, "must have both of slow and slow_delay, or none")
	}
	if slow != nil {
		c.Slow = r.share(slow, filecheck.Join(field, "slow"))
	}
	if delay != nil {
		c.SlowDelay = r.duration(delay, filecheck.Join(field, "slow_delay"), time.Millisecond, maxSlowDelay)
	}
	return c
}

func (r *scriptReader) stories(node ast.Node, field string) (s sim.Stories) {
	weights := map[Scenario]*float64{Conversation: &s.Conversation, Merge: &s.Merge, Split: &s.Split, Storm: &s.Storm}
	for _, e := range r.Mapping(node, field, string(Conversation), string(Merge), string(Split), string(Storm)) {
		if weight := weights[Scenario(e.Name)]; weight != nil {
			*weight = r.number(e.Value, filecheck.Join(field, e.Name), 0, maxWeight)
		}
	}
	if s == (sim.Stories{}) {
		r.AddAt(node, field, "must have one with a weight above 0")
	}
	return s
}
