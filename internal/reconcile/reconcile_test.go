package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// world is everything around a Reconciler.
type world struct {
	data      string // what CXone answers
	sourceErr error
	answer    ingest.Answer
	submitErr error
	row       store.ThreadRow
	reached   bool // the CRM gets there
	aside     int64

	kept   []ingest.Reading
	waited int64 // the revision that was waited for; 0 when none was
	woken  int
	after  *store.Sync // what the row says after the wait; nil: as before
}

func (w *world) Thread(_ context.Context, id string) ([]byte, error) {
	return []byte(w.data), w.sourceErr
}

func (w *world) ReadThread(raw []byte, received time.Time) ingest.Reading {
	return (&ingest.Reader{}).ReadThread(raw, received)
}

func (w *world) Submit(_ context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
	w.kept = append(w.kept, readings...)
	return []ingest.Answer{w.answer}, w.submitErr
}

type rows struct{ *world }

func (r rows) Thread(context.Context, string) (*store.ThreadRow, error) {
	row := r.row
	if r.after != nil && r.waited > 0 {
		row.Sync = *r.after
	}
	return &row, nil
}

func (r rows) DoneRev(context.Context, string) (done, aside int64, err error) {
	done = r.row.Sync.Done
	if r.reached {
		done = r.row.Sync.Want
	}
	return done, r.aside, nil
}

func (r rows) Wake(context.Context, string, int64, audit.Note, time.Time) error {
	r.woken++
	return nil
}

type crm struct{ *world }

func (c crm) Wait(_ context.Context, _ string, rev int64) bool {
	c.waited = rev
	return c.reached && c.aside < rev
}

func (c crm) Wake() {}

func (w *world) reconcile(t *testing.T) (Outcome, error) {
	t.Helper()
	r := &Reconciler{Source: w, Intake: w, Store: rows{w}, Synced: crm{w}}
	return r.Reconcile(t.Context(), "T1")
}

const data = `{"threadId":"T1","version":3,"updatedAt":"2026-03-01T10:00:00Z","messages":[]}`

func row(want, done int64, lastError string) store.ThreadRow {
	return store.ThreadRow{
		Thread: thread.Thread{ID: "T1", Own: true, Version: 3},
		Sync:   store.Sync{Want: want, Done: done, LastError: lastError},
	}
}

func TestReconcile(t *testing.T) {
	for _, test := range []struct {
		name   string
		world  world
		want   Outcome
		waited int64
		woken  int
	}{
		{"nothing was missing", world{data: data, answer: ingest.Answer{Stale: true}, row: row(4, 4, "")}, Outcome{UpToDate, 0}, 0, 0},
		{"something was", world{data: data, row: row(5, 4, ""), reached: true}, Outcome{Reconciled, 3}, 5, 0},
		{"the CRM had it before we looked", world{data: data, row: row(5, 5, ""), reached: true}, Outcome{Reconciled, 3}, 5, 0},
		{"nothing new, but on its way", world{data: data, answer: ingest.Answer{Stale: true}, row: row(5, 4, ""), reached: true}, Outcome{Reconciled, 3}, 5, 0},
		{"nothing new, but failing", world{data: data, answer: ingest.Answer{Stale: true}, row: row(5, 4, "500"), reached: true}, Outcome{Reconciled, 3}, 5, 1},
		{"nothing was missing but what is set aside", world{data: data, answer: ingest.Answer{Stale: true}, row: row(4, 4, ""), aside: 2}, Outcome{SetAside, 0}, 0, 0},
		{"something was, and is set aside", world{data: data, row: row(5, 4, ""), reached: true, aside: 5}, Outcome{SetAside, 3}, 5, 0},
		{"something was, and else is set aside", world{data: data, row: row(5, 4, ""), reached: true, aside: 3}, Outcome{SetAside, 3}, 5, 0},
		{"the database is away", world{data: data, answer: ingest.Answer{Spooled: true}}, Outcome{Stored, 0}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.world.reconcile(t)
			if err != nil || got != test.want {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
			if test.world.waited != test.waited || test.world.woken != test.woken {
				t.Errorf("waited for %d, woken %d times", test.world.waited, test.world.woken)
			}
		})
	}
}

func TestReconcileWithoutCRM(t *testing.T) {
	w := &world{data: data, row: row(5, 4, "")}
	r := &Reconciler{Source: w, Intake: w, Store: rows{w}}
	if got, err := r.Reconcile(t.Context(), "T1"); err != nil || got.Status != Stored {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestReconcileFails(t *testing.T) {
	busy := &ingest.BusyError{Reason: "full"}
	parked := &store.Sync{Want: 5, Done: 4, Parked: true, LastError: "422: the CRM says no"}
	for _, test := range []struct {
		name     string
		world    world
		upstream string // part of the text of an UpstreamError; "" when it is another error
		is       error
	}{
		{"no such thread", world{sourceErr: fmt.Errorf("%w: 404", store.ErrNotFound)}, "", store.ErrNotFound},
		{"CXone fails", world{sourceErr: errors.New("500: trouble")}, "CXone: 500: trouble", nil},
		{"no JSON", world{data: "<html>"}, "not a thread", nil},
		{"no thread", world{data: `{"threadId":7}`}, "/data/threadId", nil},
		{"another thread", world{data: strings.Replace(data, "T1", "T2", 1)}, "another thread", nil},
		{"never to be stored", world{data: data, answer: ingest.Answer{Refused: true}}, "cannot be stored", nil},
		{"not durable", world{data: data, submitErr: busy}, "", busy},
		{"the CRM is slow", world{data: data, row: row(5, 4, "")}, "is tried again", nil},
		{"the CRM refuses", world{data: data, row: row(5, 4, ""), after: parked}, "(parked): 422: the CRM says no", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.world.reconcile(t)
			upstream, isUpstream := errors.AsType[*UpstreamError](err)
			switch {
			case test.upstream == "" && !errors.Is(err, test.is):
				t.Errorf("got %v", err)
			case test.upstream != "" && (!isUpstream || !strings.Contains(upstream.Reason, test.upstream)):
				t.Errorf("got %v, want one with %q", err, test.upstream)
			}
		})
	}
}

// What is refused is kept, as that of a webhook is.
func TestReconcileKeepsWhatIsRefused(t *testing.T) {
	w := &world{data: `{"threadId":7}`}
	if _, err := w.reconcile(t); err == nil {
		t.Error("no error")
	}
	if len(w.kept) != 1 || w.kept[0].Entry.DeadLetter == nil || !strings.Contains(string(w.kept[0].Entry.DeadLetter.Raw), w.data) {
		t.Errorf("kept %+v", w.kept)
	}
	busy := &ingest.BusyError{Reason: "full"}
	w = &world{data: `{"threadId":7}`, submitErr: busy}
	if _, err := w.reconcile(t); !errors.Is(err, busy) {
		t.Errorf("got %v, want that it was not kept", err)
	}
}

// patientCRM never has anything, and lets those who wait for it wait.
type patientCRM struct{ crm }

func (c patientCRM) Wait(ctx context.Context, _ string, rev int64) bool {
	c.waited = rev
	<-ctx.Done()
	return false
}

// Nobody is kept waiting for a CRM that has refused the thread, and everybody for one that is slow.
func TestReconcileWaits(t *testing.T) {
	const limit = 30 * time.Second
	for name, test := range map[string]struct {
		after *store.Sync
		took  time.Duration
	}{
		"refused": {&store.Sync{Want: 5, Done: 4, Parked: true, LastError: "422: no"}, parkedPoll},
		"slow":    {nil, limit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				w := &world{data: data, row: row(5, 4, ""), after: test.after}
				r := &Reconciler{Source: w, Intake: w, Store: rows{w}, Synced: patientCRM{crm{w}}}
				begun := time.Now()
				if _, err := r.Reconcile(ctx, "T1"); err == nil {
					t.Error("no error")
				}
				if took := time.Since(begun); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
			})
		})
	}
}

// pausing is a CXone that asks for pauses, one after the other, before it answers.
type pausing struct {
	*world
	pauses []time.Duration
	until  time.Time // no pause is asked for again before that
}

func (p *pausing) Thread(ctx context.Context, id string) ([]byte, error) {
	if left := time.Until(p.until); left > 0 {
		return nil, &PauseError{Left: left, Err: errors.New("429: early")}
	}
	if len(p.pauses) == 0 {
		return p.world.Thread(ctx, id)
	}
	left := p.pauses[0]
	p.pauses, p.until = p.pauses[1:], time.Now().Add(left)
	return nil, &PauseError{Left: left, Err: errors.New("429: CXone asks for a pause")}
}

// A short pause of CXone is waited out; a longer one is told at once.
func TestReconcilePauses(t *testing.T) {
	const limit = 4 * time.Second
	for name, test := range map[string]struct {
		pauses []time.Duration
		limit  time.Duration
		took   time.Duration
		left   time.Duration // what the error says; 0 when there is none
	}{
		"short":                     {[]time.Duration{time.Second}, time.Minute, time.Second, 0},
		"several":                   {[]time.Duration{time.Second, 3 * time.Second, time.Second}, time.Minute, maxPause, 0},
		"too many":                  {[]time.Duration{time.Second, 3 * time.Second, 2 * time.Second}, time.Minute, limit, 2 * time.Second},
		"long":                      {[]time.Duration{maxPause + time.Second}, time.Minute, 0, maxPause + time.Second},
		"longer than there is time": {[]time.Duration{maxPause}, limit, 0, maxPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{data: data, answer: ingest.Answer{Stale: true}, row: row(4, 4, "")}
				r := &Reconciler{Source: &pausing{world: w, pauses: test.pauses}, Intake: w, Store: rows{w}, Synced: crm{w}}
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				began := time.Now()
				_, err := r.Reconcile(ctx, "T1")
				if took := time.Since(began); took != test.took {
					t.Errorf("took %s, want %s", took, test.took)
				}
				upstream, isUpstream := errors.AsType[*UpstreamError](err)
				switch {
				case test.left == 0 && err != nil:
					t.Errorf("got %v", err)
				case test.left > 0 && (!isUpstream || upstream.RetryAfter != test.left || !strings.Contains(upstream.Reason, "asks for a pause")):
					t.Errorf("got %v, want one with %s", err, test.left)
				}
			})
		})
	}
}

// Whoever waits for the end of a pause may give up.
func TestReconcilePauseIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := &Reconciler{Source: &pausing{world: w, pauses: []time.Duration{maxPause}}, Intake: w, Store: rows{w}, Synced: crm{w}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if _, err := r.Reconcile(ctx, "T1"); err == nil || time.Since(began) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}
