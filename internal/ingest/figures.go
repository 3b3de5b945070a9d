package ingest

import (
	"sync/atomic"
	"time"
)

// Figures sum up what an Ingest has answered since its start.
type Figures struct {
	Processed   int64         // events that were answered, whatever the answer
	Errors      int64         // events that were refused, or not made durable
	Duplicates  int64         // events that were already known
	DeadLetters int64         // events that are kept as dead letters
	Spooled     int64         // events that went to the spool
	MeanLatency time.Duration // from Submit to its answer, over all events
}

// Figures returns the sums so far.
func (in *Ingest) Figures() Figures {
	f := &in.figures
	sum := Figures{
		Processed: f.processed.Load(), Errors: f.errors.Load(), Duplicates: f.duplicates.Load(),
		DeadLetters: f.deadLetters.Load(), Spooled: f.spooled.Load(),
	}
	if sum.Processed > 0 {
		sum.MeanLatency = time.Duration(f.nanoseconds.Load() / sum.Processed)
	}
	return sum
}

// figures are sums only: the mean of the latencies needs no memory of each.
type figures struct {
	processed, errors, duplicates, deadLetters, spooled, nanoseconds atomic.Int64
}

func (f *figures) add(r *request, took time.Duration) {
	events := int64(len(r.readings))
	f.processed.Add(events)
	f.nanoseconds.Add(int64(took) * events)
	if r.err != nil {
		f.errors.Add(events)
		return
	}
	var errors, duplicates, letters, spooled int64
	for i, a := range r.answers {
		reading := &r.readings[i]
		errors += count(reading.Refused != nil || a.Refused)
		letters += count(reading.Entry.DeadLetter != nil || a.Refused)
		duplicates += count(a.Duplicate)
		spooled += count(a.Spooled)
	}
	f.errors.Add(errors)
	f.duplicates.Add(duplicates)
	f.deadLetters.Add(letters)
	f.spooled.Add(spooled)
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
