package simulator

import (
	"embed"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Script says what is posted to a cxbridge, phase after phase. It is what a scenario file holds.
type Script struct {
	Title   string
	Threads int // conversations, at most
	Phases  []Phase
}

// Phase is a time in which one kind of traffic is posted.
type Phase struct {
	Name     string
	Duration time.Duration
	From, To float64 // posts per second when it begins and ends, of both webhooks together; both 0 is a pause
	Kind     Kind
	Mix      sim.Mix
	Stories  sim.Stories
}

// Kind says which webhooks get posts.
type Kind string

// The kinds. With KindBoth each webhook gets half of the posts.
const (
	KindSMS     Kind = "sms"
	KindThreads Kind = "threads"
	KindBoth    Kind = "both"
)

// What a script may ask for.
const (
	MinRate       = 0.001  // posts per second
	MaxRate       = 20_000 // posts per second
	MaxDuration   = 24 * time.Hour
	MaxThreads    = 10_000
	UsualThreads  = 200 // conversations if a script gives no number
	maxPhases     = 1000
	maxCarriers   = 100
	maxWeight     = 1_000_000
	maxSlowDelay  = 24 * time.Hour
	maxScriptSize = 64 << 10 // bytes of a file
)

// Steady returns the script of one phase at one rate.
func Steady(kind Kind, rate float64, duration time.Duration) *Script {
	return &Script{Threads: UsualThreads, Phases: []Phase{{Duration: duration, From: rate, To: rate, Kind: kind}}}
}

//go:embed scenarios/*.yaml
var builtinFiles embed.FS

// BuiltinScripts returns the names of the scenario files that are built in, sorted.
func BuiltinScripts() []string {
	files, err := builtinFiles.ReadDir("scenarios")
	if err != nil {
		panic(err) // it is embedded
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(f.Name(), ".yaml")
	}
	return names
}

// LoadScript reads a scenario file: a built-in one by its name, or another by its path. If its content is
// wrong, the error is a *filecheck.Error.
func LoadScript(name string) (*Script, error) {
	if slices.Contains(BuiltinScripts(), name) {
		text, err := builtinFiles.ReadFile("scenarios/" + name + ".yaml")
		if err != nil {
			return nil, err
		}
		return ParseScript(text)
	}
	text, err := readScript(name)
	if err != nil {
		if path.Ext(name) == "" {
			return nil, fmt.Errorf("%w; the scenarios that are built in are %s", err, strings.Join(BuiltinScripts(), ", "))
		}
		return nil, err
	}
	return ParseScript(text)
}

// readScript reads a file, but hardly more of it than a script may have.
func readScript(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxScriptSize+1)) // ParseScript refuses one byte too many
}

// Duration returns how long the script takes.
func (s *Script) Duration() (d time.Duration) {
	for i := range s.Phases {
		d += s.Phases[i].Duration
	}
	return d
}

// share is the part of a phase's posts that one webhook gets.
func (p *Phase) share(kind Kind) float64 {
	switch p.Kind {
	case kind:
		return 1
	case KindBoth:
		return 0.5
	}
	return 0
}

// posts counts the posts of a phase to one webhook.
func (p *Phase) posts(kind Kind) int {
	n := p.share(kind) * (p.From + p.To) / 2 * p.Duration.Seconds()
	const rounding = 1e-6
	return int(math.Ceil(n - rounding))
}

// due returns how long after the beginning of a phase a post to one webhook is due. Posts count from 0. The rate
// changes linearly from a to b, so n posts are due after t seconds where n = a·t + (b-a)/(2T)·t². This solves
// that for t, in the form that also works for a slope of 0.
func (p *Phase) due(kind Kind, post int) time.Duration {
	if post == 0 {
		return 0
	}
	share := p.share(kind)
	n, from := float64(post), p.From*share
	slope := (p.To - p.From) * share / p.Duration.Seconds()
	seconds := 2 * n / (from + math.Sqrt(max(0, from*from+2*slope*n)))
	return min(time.Duration(seconds*float64(time.Second)), p.Duration)
}

// Schedule iterates over the times at which the posts to one webhook are due.
type Schedule struct {
	script *Script
	kind   Kind
	began  time.Duration // when the phase begins
	phase  int
	post   int // in the phase
}

// Schedule returns the schedule of a webhook, KindSMS or KindThreads.
func (s *Script) Schedule(kind Kind) *Schedule { return &Schedule{script: s, kind: kind} }

// Posts counts the posts of a schedule.
func (s *Script) Posts(kind Kind) (n int) {
	for i := range s.Phases {
		n += s.Phases[i].posts(kind)
	}
	return n
}

// Next returns how long after the start the next post is due, and in which phase it is, from 0. It
// returns false when there are no more.
func (s *Schedule) Next() (due time.Duration, phase int, more bool) {
	for s.phase < len(s.script.Phases) {
		p := &s.script.Phases[s.phase]
		if s.post < p.posts(s.kind) {
			due = s.began + p.due(s.kind, s.post)
			s.post++
			return due, s.phase, true
		}
		s.began += p.Duration
		s.phase, s.post = s.phase+1, 0
	}
	return 0, 0, false
}
