package analytics

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// Filter says which messages a report is about. "" is all.
type Filter struct {
	Carrier string // in any case
	Region  string // ISO 3166-1 alpha-2, in capitals
}

// NewFilter reads a carrier and a region as a user gives them. The error is fit to be shown to the
// user.
func NewFilter(carrier, region string) (Filter, error) {
	f := Filter{Carrier: strings.TrimSpace(carrier)}
	if region = strings.TrimSpace(region); region != "" {
		code, ok := sms.ParseRegion(region)
		if !ok {
			return f, errors.New("the region must be an ISO 3166-1 alpha-2 code of two letters")
		}
		f.Region = code
	}
	return f, nil
}

func (f *Filter) matches(carrier, region string) bool {
	return (f.Region == "" || f.Region == region) && (f.Carrier == "" || strings.EqualFold(f.Carrier, carrier))
}

// throughputWindow is how long throughput looks back.
const throughputWindow = time.Minute

// Sum adds up what a question needs: the counts of its window, with prices. It is not safe for
// concurrent use.
type Sum struct {
	window Window
	filter Filter
	card   *RateCard
	recent int64 // the second from which on receipts count for the throughput

	// The messages in the window, by carrier, region and currency of the price, which is "" where there is
	// none. The keys have no second.
	shown  Delta // those that the filter matches
	hidden Delta // the others: a better carrier is looked for among all

	begins     []int64 // of the points
	points     []sumPoint
	processing Latency
	throughput int64
	finals     Delta // delivery times of the final receipts that came in the window, by carrier
}

// sumPoint is what a point of the series is made of.
type sumPoint struct {
	counts     Counts
	costs      map[string]pointCost // by currency
	processing Latency
}

// pointCost is what messages cost in one currency. It counts them, because deltas that cancel out leave
// no cost, where messages that are free leave a cost of 0.
type pointCost struct {
	messages int64
	total    Money
}

// NewSum returns an empty Sum. A nil card prices nothing.
func NewSum(window Window, filter Filter, card *RateCard) *Sum {
	s := &Sum{
		window: window, filter: filter, card: card,
		recent: window.Now.Add(-throughputWindow).Unix() + 1,
		begins: window.points(),
	}
	for range s.begins {
		s.points = append(s.points, sumPoint{costs: make(map[string]pointCost)})
	}
	return s
}

// Ranges returns the rollups that the Sum needs, in the order of time. No two overlap.
func (s *Sum) Ranges() []Range {
	cuts := append([]int64{s.window.From.Unix(), s.recent}, s.begins...)
	slices.Sort(cuts)
	return ranges(slices.Compact(cuts))
}

// Add adds what a store has in encoded form: the counts of a rollup that lies in one of the ranges, or
// a delta that is in no rollup yet, of which it takes what lies in the window. After an error, which
// is ErrEncoding, the Sum is of no use.
func (s *Sum) Add(encoded []byte) error {
	if err := walk(encoded, s.add, s.addLatency); err != nil {
		return err
	}
	for _, d := range [...]*Delta{&s.shown, &s.hidden, &s.finals} {
		if len(d.counts) > 2*MaxNames { // not each time that there is one too many: it takes a while
			d.fold(MaxNames)
		}
	}
	return nil
}

func (s *Sum) add(key *Key, c *Counts) {
	if key.Second < s.window.From.Unix() {
		return
	}
	if key.Final {
		s.finals.at(&Key{Carrier: key.Carrier, Final: true}).Times.merge(&c.Times)
		return
	}
	row, cost := Key{Carrier: key.Carrier, Region: key.Region, Currency: key.Currency}, c.Cost
	switch key.Currency {
	case "":
		var segment Money
		segment, row.Currency, _ = s.card.Price(key.Carrier, key.Region, key.Second)
		cost = segment * Money(c.Segments)
	case NoCurrency:
		row.Currency = s.card.Currency()
	}
	matches, part := s.filter.matches(key.Carrier, key.Region), &s.hidden
	if matches {
		part = &s.shown
	}
	counts := part.at(&row)
	counts.merge(c)
	counts.Cost += cost - c.Cost
	if p := s.point(key.Second); p != nil && matches {
		p.counts.merge(c)
		if row.Currency != "" {
			known := p.costs[row.Currency]
			p.costs[row.Currency] = pointCost{known.messages + c.Total(), known.total + cost}
		}
	}
}

// rows returns the counts of a part that have messages, sorted by carrier, region and currency.
func rows(part *Delta) []*entry {
	part.fold(MaxNames)
	return slices.DeleteFunc(part.entries(), func(e *entry) bool { return e.Total() <= 0 })
}

func (s *Sum) addLatency(second int64, l *Latency) {
	if second < s.window.From.Unix() {
		return
	}
	s.processing.merge(l)
	if second >= s.recent {
		s.throughput += l.Receipts
	}
	if p := s.point(second); p != nil {
		p.processing.merge(l)
	}
}

// point returns the point of the series that a second belongs to, or nil where there is no series.
func (s *Sum) point(second int64) *sumPoint {
	i, found := slices.BinarySearch(s.begins, second)
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	return &s.points[i]
}
