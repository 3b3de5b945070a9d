// Package simulator makes up events on demand and posts them to the webhooks of this process, so that
// a channel can be tried before there is a tenant. It also reads scenario files, from which the command
// simulate makes up events for any cxbridge.
//
//	simulator.go  what can be asked for
//	receipts.go   SMS receipts
//	story.go      how the events of threads are written
//	scenarios.go  what happens to the threads
//	intake.go     the way through the webhooks
//
//	script.go     scenarios of phases, the built-in ones, and when their posts are due
//	scenario_file.go, scenario_yaml.go
//	              how they are read from YAML
package simulator

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Simulator posts made-up events to the webhooks as CXone would: as requests with a secret, and in no
// other way. It is safe for concurrent use.
type Simulator struct {
	Receipts http.Handler // the webhook of SMS receipts
	Threads  http.Handler // the webhook of threads
	Secret   string       // that both take
}

// MaxReceipts and MaxSize bound what one call may ask for.
const (
	MaxReceipts = 1000
	MaxSize     = 500
)

// SMS says which receipts to make up, each of a message of its own. A field that is "" is drawn anew for
// each.
type SMS struct {
	Status  string // as in the payload: any word that a gateway may use
	Carrier string
	Region  string // one that Reaches knows
	Count   int    // 1 to MaxReceipts
}

// Reaches reports whether receipts can be made up for a region, which is so for every region that has phones.
// The region is ISO 3166-1 alpha-2 in any case, or UK.
func Reaches(region string) bool { return sim.Reaches(regionCode(region)) }

// Posted is what the intake has made durable.
type Posted struct {
	IDs         []string // of the messages or threads: of all that were made up, also after an error
	Events      int
	Spooled     int // of the events: they are not in the database yet
	Quarantined int // of the receipts: they are dead letters, by the policy for sender IDs
}

// SMS posts receipts. It returns a *BusyError when the intake does not take all of them.
func (s *Simulator) SMS(ctx context.Context, ask SMS) (Posted, error) {
	if ask.Count < 1 || ask.Count > MaxReceipts {
		return Posted{}, fmt.Errorf("simulator: %d receipts, want 1 to %d", ask.Count, MaxReceipts)
	}
	if ask.Region != "" && !Reaches(ask.Region) {
		return Posted{}, fmt.Errorf("simulator: unknown region %q", ask.Region)
	}
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	ids, bodies := make([]string, ask.Count), make([][]byte, ask.Count)
	for i := range bodies {
		r := drawReceipt(rng, ask, time.Now())
		ids[i], bodies[i] = r.MessageID, r.body()
	}
	posted, err := s.post(ctx, s.Receipts, bodies, atOnce)
	posted.IDs = ids
	return posted, err
}

// Story says what to make up about threads. The same scenario, seed and size give the same story, with the
// same ids and texts. It ends at the time of the call.
type Story struct {
	Scenario Scenario
	Seed     uint64
	Size     int // messages; of Storm changes. From 2 to MaxSize
}

// MaxSeed is the largest seed: the largest whole number that every JSON parser keeps exactly.
const MaxSeed = 1<<53 - 1

// The sizes of a story whose caller gives none.
const (
	storySize = 6
	stormSize = 100
)

// NewStory returns what to ask a Simulator for. Without a seed, one up to MaxSeed is drawn; without a
// size, it is the usual one of the scenario.
func NewStory(scenario Scenario, seed uint64, size int) Story {
	if seed == 0 {
		seed = 1 + rand.Uint64N(MaxSeed)
	}
	usual := storySize
	if scenario == Storm {
		usual = stormSize
	}
	return Story{Scenario: scenario, Seed: seed, Size: cmp.Or(size, usual)}
}

// Story posts the events of threads. It returns a *BusyError when the intake does not take all of them.
func (s *Simulator) Story(ctx context.Context, ask Story) (Posted, error) {
	told, err := tell(ask, time.Now())
	if err != nil {
		return Posted{}, err
	}
	// A storm comes from all sides. The other stories are posted in order.
	workers := 1
	if ask.Scenario == Storm {
		workers = atOnce
	}
	posted, err := s.post(ctx, s.Threads, told.events, workers)
	posted.IDs = told.ids
	return posted, err
}
