package simulator

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/filecheck"
	"github.com/cxbridge/cxbridge/internal/sim"
)

func TestParseScript(t *testing.T) {
	got, err := ParseScript([]byte(`
title: All there is
threads: 17
regions: [US, UK]
stories: {conversation: 3}
carriers:
  ATT:
  Nobody & Sons: {weight: 2.5, failures: 30%, delay: 1500ms, slow: 0.5, slow_delay: 6m}

phases:
  - name: one
    duration: 1m30s
    rate: 12.5
  - pause: 5s
  - duration: 2s
    rate: {from: 0, to: 20000}
    kind: sms
    regions: [FR]
    carriers: {ORANGE: {weight: 0}, O2: {failures: 0}}
    stories: {merge: 1, split: 0.5, storm: 2}
`))
	if err != nil {
		t.Fatal(err)
	}
	att, nobody := sim.UsualCarrier("ATT"), sim.UsualCarrier("Nobody & Sons")
	nobody.Weight, nobody.Failures, nobody.Delay, nobody.Slow, nobody.SlowDelay = 2.5, 0.3, 1500*time.Millisecond, 0.5, 6*time.Minute
	orange, o2 := sim.UsualCarrier("ORANGE"), sim.UsualCarrier("O2")
	orange.Weight, o2.Failures = 0, 0
	usual := Phase{
		Kind: KindBoth, Mix: sim.Mix{Regions: []string{"US", "GB"}, Carriers: []sim.CarrierMix{att, nobody}, Timed: true},
		Stories: sim.Stories{Conversation: 3},
	}
	one, pause, last := usual, usual, usual
	one.Name, one.Duration, one.From, one.To = "one", 90*time.Second, 12.5, 12.5
	pause.Duration = 5 * time.Second
	last.Duration, last.To, last.Kind = 2*time.Second, 20_000, KindSMS
	last.Mix = sim.Mix{Regions: []string{"FR"}, Carriers: []sim.CarrierMix{orange, o2}, Timed: true}
	last.Stories = sim.Stories{Merge: 1, Split: 0.5, Storm: 2}
	want := &Script{Title: "All there is", Threads: 17, Phases: []Phase{one, pause, last}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseScriptTellsWhatIsWrong(t *testing.T) {
	const good = "\nphases: [{duration: 1s, rate: 1}]"
	tests := map[string]struct{ text, want string }{
		"nothing":         {"", "the file must hold one YAML document"},
		"two documents":   {"a: 1\n---\nb: 1", "the file must hold one YAML document"},
		"a list":          {"- a", "line 1: must be a mapping"},
		"no YAML":         {"title: [", "line 1: sequence end token ']' not found"},
		"no phases":       {"title: x", "line 1: phases: must be a list of 1 to 1000 phases"},
		"empty phases":    {"title: x\nphases: []", "line 2: phases: must be a list of 1 to 1000 phases"},
		"phase is text":   {"phases:\n  - fast", "line 2: phases[0]: must be a mapping"},
		"bare phase":      {"phases:\n  - name: x", "line 2: phases[0].duration: is missing\nline 2: phases[0].rate: is missing"},
		"unknown key":     {"tilte: x" + good, "line 1: tilte: unknown key; known are title, threads, phases, kind, regions, carriers, stories"},
		"key twice":       {"title: x\ntitle: y" + good, "line 2: mapping key \"title\" already defined at [1:1]"},
		"title":           {"title: [x]" + good, "line 1: title: must be a text"},
		"threads":         {"threads: 0" + good, "line 1: threads: must be a number from 1 to 10000"},
		"half a thread":   {"threads: 1.5" + good, "line 1: threads: must be a whole number"},
		"kind":            {"kind: mail" + good, "line 1: kind: must be sms, threads or both"},
		"region":          {"regions: [US,\n  XX, US]" + good, "line 2: regions[1]: must be one of US, GB, DE, FR, IN, AU, BR\nline 2: regions[2]: is there twice"},
		"regions":         {"regions: US" + good, "line 1: regions: must be a list of regions, such as [US, GB]"},
		"no carriers":     {"carriers: {}" + good, "line 1: carriers: must be a mapping of 1 to 100 carriers"},
		"carrier":         {"carriers:\n  A: 3" + good, "line 2: carriers.A: must be a mapping"},
		"carrier's name":  {"carriers: {\"Ä\": {}}" + good, "line 1: carriers.Ä: must be a name of 1 to 64 printable ASCII characters"},
		"carrier twice":   {"carriers:\n  A:\n  \"A\":" + good, "line 3: mapping key \"A\" already defined at [2:3]"},
		"carrier's key":   {"carriers: {A: {speed: 1}}" + good, "line 1: carriers.A.speed: unknown key; known are weight, failures, delay, slow, slow_delay"},
		"no weight":       {"carriers: {A: {weight: 0}}" + good, "line 1: carriers: must not all have the weight 0"},
		"negative weight": {"carriers: {A: {weight: -1}, B: {}}" + good, "line 1: carriers.A.weight: must be a number from 0 to 1000000"},
		"infinite weight": {"carriers: {A: {weight: .inf}, B: {}}" + good, "line 1: carriers.A.weight: must be a number from 0 to 1000000"},
		"failures":        {"carriers: {A: {failures: 101%}}" + good, "line 1: carriers.A.failures: must be a share from 0 to 1, such as 0.3 or 30%"},
		"delay":           {"carriers: {A: {delay: 2m}}" + good, "line 1: carriers.A.delay: must be a time from 0s to 1m0s, such as 30s"},
		"slow alone":      {"carriers: {A: {slow: 3%}}" + good, "line 1: carriers.A: must have both of slow and slow_delay, or none"},
		"slow delay":      {"carriers: {A: {slow: 3%, slow_delay: 25h}}" + good, "line 1: carriers.A.slow_delay: must be a time from 1ms to 24h0m0s, such as 30s"},
		"stories":         {"stories: {storm: 0}" + good, "line 1: stories: must have one with a weight above 0"},
		"story":           {"stories: {quiet: 1, merge: 1}" + good, "line 1: stories.quiet: unknown key; known are conversation, merge, split, storm"},
		"rate":            {"phases:\n  - duration: 1s\n    rate: 20001", "line 3: phases[0].rate: must be a number from 0.001 to 20000"},
		"rate is text":    {"phases: [{duration: 1s, rate: fast}]", "line 1: phases[0].rate: must be a number from 0.001 to 20000"},
		"rate is NaN":     {"phases: [{duration: 1s, rate: .nan}]", "line 1: phases[0].rate: must be a number from 0.001 to 20000"},
		"half a ramp":     {"phases:\n  - duration: 1s\n    rate:\n      from: 3", "line 4: phases[0].rate.to: is missing"},
		"flat ramp":       {"phases: [{duration: 1s, rate: {from: 0, to: 0}}]", "line 1: phases[0].rate: must not be 0 throughout; use a pause instead"},
		"no duration":     {"phases: [{duration: 0s, rate: 1}]", "line 1: phases[0].duration: must be a time from 1ms to 24h0m0s, such as 30s"},
		"too long":        {"phases: [{duration: 24h, rate: 1}, {pause: 1s}]", "line 1: phases: must not take longer than 24h0m0s together"},
		"pause and more":  {"phases:\n  - pause: 1s\n    rate: 3" + "\n  - {rate: 1, duration: 1s}", "line 3: phases[0].rate: has no meaning in a pause"},
		"pauses alone":    {"phases: [{pause: 1s}]", "line 1: phases: must not all be pauses"},
		"too large":       {"# " + strings.Repeat("x", maxScriptSize) + good, "the file must not be larger than 64 KiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			script, err := ParseScript([]byte(tt.text))
			var wrong *filecheck.Error
			if script != nil || !errors.As(err, &wrong) {
				t.Fatalf("got %+v, %v", script, err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadScript(t *testing.T) {
	names := BuiltinScripts()
	if diff := cmp.Diff([]string{"bad-carrier", "black-friday", "merge-and-split"}, names); diff != "" {
		t.Error(diff)
	}
	for _, name := range names {
		script, err := LoadScript(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if script.Title == "" || script.Duration() > 2*time.Minute {
			t.Errorf("%s: %q takes %v", name, script.Title, script.Duration())
		}
		again, err := LoadScript(filepath.Join("scenarios", name+".yaml"))
		if diff := cmp.Diff(script, again); err != nil || diff != "" {
			t.Errorf("%s by its path: %v %s", name, err, diff)
		}
	}
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, make([]byte, 2*maxScriptSize), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"orange-friday": "the scenarios that are built in are bad-carrier, black-friday, merge-and-split",
		"./none.yaml":   "no such file", large: "must not be larger",
	} {
		if _, err := LoadScript(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", name, err, want)
		}
	}
}

// The example of the documentation is one.
func TestDocumentedScript(t *testing.T) {
	page, err := os.ReadFile("../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, isThere := strings.Cut(string(page), "```yaml\n")
	example, _, ends := strings.Cut(rest, "```")
	if !isThere || !ends {
		t.Fatal("the page has no example")
	}
	script, err := ParseScript([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(script.Phases) != 3 || len(script.Phases[2].Mix.Carriers) != 2 || script.Threads != 100 {
		t.Errorf("%+v", script)
	}
	for _, name := range BuiltinScripts() {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("the page does not tell of %s", name)
		}
	}
}

// Whatever a file holds, it is refused, or what it means is within bounds and can be played.
func FuzzParseScript(f *testing.F) {
	for _, name := range BuiltinScripts() {
		text, err := builtinFiles.ReadFile("scenarios/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		script, err := ParseScript(text)
		if err != nil {
			var wrong *filecheck.Error
			if !errors.As(err, &wrong) || len(wrong.Problems) == 0 || script != nil {
				t.Fatalf("%+v, %v", script, err)
			}
			return
		}
		if script.Duration() > MaxDuration || script.Threads < 1 || script.Threads > MaxThreads {
			t.Errorf("%+v", script)
		}
		for _, p := range script.Phases {
			if !(max(p.From, p.To) <= MaxRate && min(p.From, p.To) >= 0) || p.Duration <= 0 {
				t.Errorf("%+v", p)
			}
			for _, c := range p.Mix.Carriers {
				if c.Name == "" || !(c.Weight >= 0 && c.Failures >= 0 && c.Failures <= 1 && c.Slow >= 0 && c.Slow <= 1) || c.Delay > sim.MaxDelay {
					t.Errorf("%+v", c)
				}
			}
		}
		for _, kind := range []Kind{KindSMS, KindThreads} {
			schedule, before := script.Schedule(kind), time.Duration(0)
			for range 1000 {
				due, phase, more := schedule.Next()
				if !more {
					break
				}
				if due < before || due > script.Duration() || phase < 0 || phase >= len(script.Phases) {
					t.Fatalf("a post is due after %v in phase %d, the one before after %v", due, phase, before)
				}
				before = due
			}
		}
	})
}
