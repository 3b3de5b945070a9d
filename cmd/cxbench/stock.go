package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	// stockSpan is how old the oldest message is: a little less than the longest window, so that every
	// message is in it to the end.
	stockSpan = 89 * 24 * time.Hour

	// stockRecent is how far back the second half of the messages goes: as far as counts are read by the
	// second, which is the most expensive part of an answer.
	stockRecent = 2 * time.Hour

	stockBatch      = 5000 // messages in a commit
	stockSamples    = 1000 // messages whose ids and numbers are kept, to ask for
	stockCompaction = 500  // deltas in a step of the compaction: few enough for a busy machine to end it in time
)

// stock is what a database is filled with: bodies as they come over the wire, read and committed by the code
// that the server runs, so that the counts are those that the server would have. Half of the messages are
// spread evenly over 89 days, the others over the last two hours.
type stock struct {
	store    store.Store
	reader   *ingest.Reader
	messages int
	others   int // threads, and as many dead letters
	bar      *progressbar.ProgressBar

	ids, numbers, threads []string // some of them
}

// fill puts messages, and a thousandth as many threads and dead letters, into an empty database.
func fill(ctx context.Context, st store.Store, messages, writers int) (*stock, error) {
	rules, _ := sms.BuiltinRules("default")
	s := &stock{
		store: st, messages: messages, others: max(100, messages/1000), bar: newStockBar(messages),
		reader: &ingest.Reader{Judge: &sms.Judge{Rules: rules, DefaultRegion: "US"}, Policy: ingest.Flag, ThreadIDs: "any"},
	}
	defer s.bar.Clear()
	if err := st.Migrate(ctx); err != nil {
		return nil, err
	}
	if err := s.fillOthers(ctx); err != nil {
		return nil, err
	}
	var next atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	for range writers {
		g.Go(func() error { return s.fillMessages(gctx, &next) })
	}
	filled, stop := context.WithCancel(ctx)
	compacted := make(chan error, 1)
	go func() { compacted <- s.compact(ctx, filled.Done()) }()
	err := g.Wait()
	stop()
	if compactErr := <-compacted; err == nil {
		err = compactErr
	}
	return s, err
}

// newStockBar returns a progress bar, which draws nothing where there is no terminal.
func newStockBar(messages int) *progressbar.ProgressBar {
	return progressbar.NewOptions(messages, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("messages"), progressbar.OptionThrottle(200*time.Millisecond),
		progressbar.OptionSetVisibility(isatty.IsTerminal(os.Stderr.Fd())))
}

// fillMessages commits batches, whose numbers it shares with others, until there are enough.
func (s *stock) fillMessages(ctx context.Context, next *atomic.Int64) error {
	for {
		first := int(next.Add(1)-1) * stockBatch
		if first >= s.messages {
			return nil
		}
		n := min(stockBatch, s.messages-first)
		if err := s.commitMessages(ctx, first, n); err != nil {
			return err
		}
		if err := s.bar.Add(n); err != nil {
			return err
		}
	}
}

func (s *stock) commitMessages(ctx context.Context, first, n int) error {
	random := rand.New(rand.NewPCG(1, uint64(first)))
	batch := store.Batch{Now: now(), Judge: s.reader.Judge, Observed: new(analytics.Delta)}
	for i := range n {
		seen := s.seenAt(first+i, batch.Now)
		bodies := messageBodies(random, messageID(first+i), seen)
		for _, body := range bodies {
			reading := s.reader.ReadSMS(body, seen)
			if reading.Refused != nil {
				return reading.Refused
			}
			batch.Entries = append(batch.Entries, reading.Entry)
			took := time.Duration(float64(5*time.Millisecond) * math.Exp(random.NormFloat64()/2))
			batch.Observed.Observe(seen, took, 500*time.Millisecond, 1)
		}
		if every := max(1, s.messages/stockSamples); (first+i)%every == 0 {
			s.note(first+i, every, batch.Entries[len(batch.Entries)-1].Receipt)
		}
	}
	_, err := s.store.Commit(ctx, batch)
	return err
}

// seenAt returns when the first receipt of a message came. That of the last message comes now, however long
// the filling takes.
func (s *stock) seenAt(i int, now time.Time) time.Time {
	share := float64(i) / float64(s.messages)
	ago := stockRecent + time.Duration((1-2*share)*float64(stockSpan-stockRecent))
	if share >= 0.5 {
		ago = time.Duration(2 * (1 - share) * float64(stockRecent))
	}
	return now.Add(-ago).Truncate(time.Microsecond)
}

// note keeps a message to ask for, in its own place.
func (s *stock) note(i, every int, r *sms.Receipt) {
	place := i / every
	s.ids[place], s.numbers[place] = r.MessageID, r.Recipient
}

// fillOthers commits threads of ten messages each, and dead letters.
func (s *stock) fillOthers(ctx context.Context) error {
	places := (s.messages-1)/max(1, s.messages/stockSamples) + 1
	s.ids, s.numbers = make([]string, places), make([]string, places)
	const chunk = 250
	for first := 0; first < s.others; first += chunk {
		batch := store.Batch{Now: now(), Judge: s.reader.Judge}
		for i := first; i < min(first+chunk, s.others); i++ {
			id := fmt.Sprintf("stock-%d", i)
			var messages []string
			for n := range 10 {
				messages = append(messages, fmt.Sprintf("%s-%d", id, n))
			}
			event := s.reader.ReadThread(threadEvent(id, 1, batch.Now, messages), batch.Now)
			refused := s.reader.ReadSMS(fmt.Appendf(nil, `{"payload":{"messageId":"refused-%d","carrier":"ORANGE"}}`, i), batch.Now)
			if event.Refused != nil {
				return fmt.Errorf("a thread is refused: %w", event.Refused)
			}
			if refused.Refused == nil {
				return errors.New("a receipt without a status is not refused")
			}
			batch.Entries = append(batch.Entries, event.Entry, refused.Entry)
			s.threads = append(s.threads, id)
		}
		if _, err := s.store.Commit(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// compact does what the server does once a second, until the database is filled and nothing is left.
func (s *stock) compact(ctx context.Context, filled <-chan struct{}) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := false; ; {
		moved, err := s.store.Compact(ctx, time.Now(), stockCompaction)
		if err != nil {
			return err
		}
		if moved > 0 {
			continue
		}
		if last {
			return nil
		}
		select {
		case <-filled:
			last = true
		case <-tick.C:
		}
	}
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// messageID returns an id that looks like those of a platform. The ids of consecutive messages are in no order.
func messageID(i int) string {
	// An odd factor maps the numbers one to one.
	hash := uint64(i+1) * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", hash>>32, hash>>16&0xffff, hash&0xfff, hash>>12&0xfff, i)
}

// messageBodies returns the receipts of a message: one, or two that came together. Carriers differ in how
// well and how fast they deliver, and half of them name a price.
func messageBodies(random *rand.Rand, id string, seen time.Time) [][]byte {
	carrier := random.IntN(len(load.Carriers))
	took := time.Duration(float64(2*time.Second) * (1 + float64(carrier)) * math.Exp(random.NormFloat64()))
	m := stockMessage{
		id: id, carrier: load.Carriers[carrier], region: load.Regions[random.IntN(len(load.Regions))],
		number:    fmt.Sprintf("+1%d55501%02d", 200+random.IntN(800), random.IntN(100)),
		segments:  1 + random.IntN(12)/10 + random.IntN(20)/19,
		submitted: seen.Add(-took - time.Second), ended: seen.Add(-time.Second),
	}
	if carrier%2 == 0 {
		m.price = `,"cost":"0.0075","currency":"USD"`
	}
	status := "DELIVERED"
	switch dice := random.IntN(1000); {
	case dice < 15:
		status = "PENDING"
	case dice < 20:
		status = "UNKNOWN"
	case dice < 30:
		status = "EXPIRED"
	case dice < 40:
		status = "REJECTED"
	case dice < 60+10*carrier:
		status = "FAILED"
	}
	bodies := [][]byte{m.body(status, m.ended)}
	if status != "PENDING" && random.IntN(5) == 0 {
		bodies = append(bodies, m.body("PENDING", m.submitted))
	}
	return bodies
}

// stockMessage is what the receipts of a message say.
type stockMessage struct {
	id, carrier, region, number, price string
	segments                           int
	submitted, ended                   time.Time
}

// body returns a receipt of some 350 bytes.
func (m *stockMessage) body(status string, at time.Time) []byte {
	b := make([]byte, 0, 400)
	b = append(b, `{"eventType":"messaging.status.update","payload":{"messageId":"`...)
	b = append(append(b, m.id...), `","status":"`...)
	b = append(append(b, status...), `","errorCode":null,"carrier":"`...)
	b = append(append(b, m.carrier...), `","from":"+12025550142","to":"`...)
	b = append(append(b, m.number...), `","region":"`...)
	b = append(append(b, m.region...), `","segments":`...)
	b = append(strconv.AppendInt(b, int64(m.segments), 10), m.price...)
	b = append(m.submitted.AppendFormat(append(b, `,"submittedAt":"`...), time.RFC3339Nano), `","timestamp":"`...)
	return append(at.AppendFormat(b, time.RFC3339Nano), `"}}`...)
}
