package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// faultKind is a kind of fault.
type faultKind struct {
	name string

	// lasts is the least and the most that it lasts, and short the same for the short form.
	lasts, short [2]time.Duration

	onCRM bool // it strikes the CRM, and not a replica
	links bool // it strikes a link of a replica: each of them in turn

	// strike causes it, for as long as it lasts, and ends it.
	strike func(context.Context, *arena, *fault) error
}

// fault is one that is planned.
type fault struct {
	*faultKind
	replica int // its index; unused for a fault of the CRM
	link    proof.Link
	lasts   time.Duration
	rest    time.Duration // until the next one of the same lane
	rng     *rand.Rand
}

// where says what a fault strikes.
func (f *fault) where() string {
	switch {
	case f.onCRM:
		return "the CRM"
	case f.links:
		return "link to " + string(f.link)
	}
	return "a replica"
}

func (f *fault) String() string {
	text := fmt.Sprintf("%s %.1fs", f.name, f.lasts.Seconds())
	if f.links {
		text = fmt.Sprintf("%s of %s %.1fs", f.name, f.link, f.lasts.Seconds())
	}
	return text
}

// round is what happens between two checks: one lane of faults for each replica, and the last one for the CRM.
type round [replicaCount + 1][]*fault

func (r round) String() string {
	lanes := make([]string, len(r))
	for i, lane := range r {
		name := "CRM"
		if i < replicaCount {
			name = fmt.Sprintf("replica %d", i+1)
		}
		var texts []string
		for _, f := range lane {
			texts = append(texts, f.String())
		}
		lanes[i] = name + ": " + strings.Join(texts, ", ")
	}
	return strings.Join(lanes, "\n  ")
}

// schedule draws rounds. A kind comes again when all others have come.
type schedule struct {
	settings      *chaosSettings
	rng           *rand.Rand
	replicas, crm []*fault // that are left to be dealt
}

// round draws faults that last about as long as length; or, for the short form, one of each kind.
func (s *schedule) round(length time.Duration) (r round) {
	s.deal(&r, s.rng.Perm(replicaCount), &s.replicas, length)
	s.deal(&r, []int{replicaCount}, &s.crm, length)
	return r
}

// deal gives the next fault to the lane that is the shortest, until all lanes are long enough.
func (s *schedule) deal(r *round, lanes []int, deck *[]*fault, length time.Duration) {
	onCRM := deck == &s.crm
	used := make(map[int]time.Duration)
	if s.settings.short {
		*deck = s.deck(onCRM)
	}
	for {
		lane := slices.MinFunc(lanes, func(a, b int) int { return cmp.Compare(used[a], used[b]) })
		if !s.settings.short && used[lane] >= length {
			return
		}
		if len(*deck) == 0 && !s.settings.short {
			*deck = s.deck(onCRM)
		}
		if len(*deck) == 0 {
			return
		}
		f := (*deck)[0]
		*deck = (*deck)[1:]
		f.replica = lane
		used[lane] += f.lasts + f.rest
		r[lane] = append(r[lane], f)
	}
}

// deck returns one fault of each kind that is wanted, on each of its links, in random order. In the short form
// each kind strikes one link.
func (s *schedule) deck(onCRM bool) (deck []*fault) {
	first := s.rng.IntN(len(proof.Links))
	for i, kind := range faultKinds {
		if kind.onCRM != onCRM || !s.settings.only.has(kind.name) {
			continue
		}
		links := []proof.Link{""}
		switch {
		case kind.links && s.settings.short:
			links = []proof.Link{proof.Links[(first+i)%len(proof.Links)]}
		case kind.links:
			links = proof.Links
		}
		for _, link := range links {
			deck = append(deck, s.draw(kind, link))
		}
	}
	s.rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	if s.settings.short { // so that the lanes end together
		slices.SortStableFunc(deck, func(a, b *fault) int { return int(b.lasts - a.lasts) })
	}
	return deck
}

func (s *schedule) draw(kind *faultKind, link proof.Link) *fault {
	bounds, rest := kind.lasts, 2*time.Second
	if s.settings.short {
		bounds, rest = kind.short, 200*time.Millisecond
	}
	return &fault{
		faultKind: kind, link: link,
		lasts: bounds[0] + time.Duration(s.rng.Float64()*float64(bounds[1]-bounds[0])),
		rest:  time.Duration(s.rng.Float64() * float64(rest)),
		rng:   rand.New(rand.NewPCG(s.rng.Uint64(), s.rng.Uint64())),
	}
}
