package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/deadletter"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/simulator"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	adminToken  = "admin-token-for-tests"
	viewerToken = "viewer-token-for-tests"
)

var (
	_ Store               = store.Store(nil)
	_ deadletter.Replayer = (*ingest.Replayer)(nil)

	_ Simulator = (*simulator.Simulator)(nil)
)

// fakeStore holds what a test puts into it.
type fakeStore struct {
	store.Store // nil: what a test does not ask for
	messages    map[string]*sms.Message
	receipts    map[string][]sms.PastReceipt
	letters     map[int64]store.DeadLetter
	err         error   // every method fails with it, when set
	bodies      int     // dead letters that were read in whole
	gone        []int64 // dead letters that are listed, and then not there
	notes       []audit.Note
	overseen
}

// overseen is what a test wants a store to tell of the whole. listed is what lists were asked for.
type overseen struct {
	backlog     store.Backlog
	description store.Description
	replicas    []store.Replica
	alarms      []store.Alarm
	listed      []string
}

func (f *fakeStore) Backlog(context.Context, int) (store.Backlog, error) { return f.backlog, f.err }

func (f *fakeStore) Describe(context.Context) (store.Description, error) { return f.description, f.err }

func (f *fakeStore) Replicas(context.Context) ([]store.Replica, error) { return f.replicas, f.err }

func (f *fakeStore) Alarms(_ context.Context, limit int) ([]store.Alarm, error) {
	return f.alarms[:min(limit, len(f.alarms))], f.err
}

func (f *fakeStore) MessagesTo(_ context.Context, recipient string, after store.ItemPosition, limit int) ([]*sms.Message, error) {
	f.listed = append(f.listed, fmt.Sprintf("%d to %s%s", limit, recipient, after.ID))
	return slices.Collect(maps.Values(f.messages)), f.err
}

func (f *fakeStore) RecentMessages(_ context.Context, after store.ItemPosition, limit int) ([]*sms.Message, error) {
	f.listed = append(f.listed, fmt.Sprintf("%d of late%s", limit, after.ID))
	return slices.Collect(maps.Values(f.messages)), f.err
}

// There is one thread, without anything in it.
const threadID = "t-1"

func (f *fakeStore) Threads(context.Context, store.ThreadQuery) ([]store.ThreadRow, error) {
	return []store.ThreadRow{{Thread: thread.Thread{ID: threadID}}}, f.err
}

func (f *fakeStore) Thread(_ context.Context, id string) (*store.ThreadRow, error) {
	if id != threadID {
		return nil, cmp.Or(f.err, store.ErrNotFound)
	}
	return &store.ThreadRow{Thread: thread.Thread{ID: id}}, f.err
}

func (f *fakeStore) Items(context.Context, string, thread.ItemKind, store.ItemPosition, int) ([]*thread.Item, error) {
	return nil, f.err
}

func (f *fakeStore) Links(context.Context, string) (map[string]thread.Link, error) { return nil, f.err }

func (f *fakeStore) Timeline(context.Context, []string, store.ItemPosition, int) ([]*thread.Item, error) {
	return nil, f.err
}

func (f *fakeStore) AuditEntries(context.Context, string, int64, int) ([]audit.Entry, error) {
	return nil, f.err
}

func (f *fakeStore) Audit(_ context.Context, note audit.Note, _ time.Time) error {
	f.notes = append(f.notes, note)
	return f.err
}

func (f *fakeStore) Message(_ context.Context, id string) (*sms.Message, []sms.PastReceipt, error) {
	if f.err != nil {
		return nil, nil, f.err
	}
	m, ok := f.messages[id]
	if !ok {
		return nil, nil, store.ErrNotFound
	}
	return m, f.receipts[id], nil
}

func (f *fakeStore) FindDeadLetters(_ context.Context, filter store.LetterFilter, before int64, limit int) ([]store.DeadLetter, error) {
	if f.err != nil {
		return nil, f.err
	}
	var found []store.DeadLetter
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(f.letters))) {
		letter := f.letters[id]
		isWanted := (filter.Kind == "" || letter.Kind == filter.Kind) && strings.Contains(letter.Reason, filter.Text)
		if isWanted && len(found) < limit && (before == 0 || id < before) {
			letter.Raw = nil
			found = append(found, letter)
		}
	}
	return found, nil
}

func (f *fakeStore) DeadLetter(_ context.Context, id int64) (*store.DeadLetter, error) {
	if f.err != nil {
		return nil, f.err
	}
	letter, ok := f.letters[id]
	if !ok || slices.Contains(f.gone, id) {
		return nil, store.ErrNotFound
	}
	f.bodies++
	return &letter, nil
}

func (f *fakeStore) DeleteDeadLetter(ctx context.Context, id int64) error {
	if _, err := f.DeadLetter(ctx, id); err != nil {
		return err
	}
	delete(f.letters, id)
	return nil
}

type replayFunc func(ctx context.Context, id int64) (ingest.Replayed, error)

func (f replayFunc) Replay(ctx context.Context, id int64) (ingest.Replayed, error) { return f(ctx, id) }

// fakeSimulator keeps what it was asked for.
type fakeSimulator struct {
	posted  simulator.Posted
	err     error
	sms     []simulator.SMS
	stories []simulator.Story
}

func (f *fakeSimulator) SMS(_ context.Context, ask simulator.SMS) (simulator.Posted, error) {
	f.sms = append(f.sms, ask)
	return f.posted, f.err
}

func (f *fakeSimulator) Story(_ context.Context, ask simulator.Story) (simulator.Posted, error) {
	f.stories = append(f.stories, ask)
	return f.posted, f.err
}

func (f *fakeSimulator) calls() int { return len(f.sms) + len(f.stories) }

type deliveryFunc func(ctx context.Context, q answers.Question) (*analytics.Report, error)

func (f deliveryFunc) Report(ctx context.Context, q answers.Question) (*analytics.Report, error) {
	return f(ctx, q)
}

type figuresFunc func() status.Figures

func (f figuresFunc) Figures() status.Figures { return f() }

type healthFunc func() (bool, map[string]status.Part)

func (f healthFunc) Ready() (bool, map[string]status.Part) { return f() }

// bench is an API on fakes, with everything in order until a test says otherwise.
type bench struct {
	Config
	store     *fakeStore
	simulator *fakeSimulator
	log       bytes.Buffer

	built  *Handler // nil: not yet
	routes routes   // that it was built with
}

// routes are what New makes routes of. The rest of a Config is looked at by each request.
type routes struct {
	adminToken, viewerToken string
	hasSimulator            bool
}

func newBench() *bench {
	b := &bench{store: &fakeStore{
		messages: map[string]*sms.Message{}, receipts: map[string][]sms.PastReceipt{},
		letters: map[int64]store.DeadLetter{},
	}, simulator: &fakeSimulator{posted: simulator.Posted{IDs: []string{"SIM-1"}, Events: 1}}}
	b.Config = Config{
		AdminToken: adminToken, ViewerToken: viewerToken, Store: b.store,
		Replayer: replayFunc(func(context.Context, int64) (ingest.Replayed, error) {
			return ingest.Replayed{Kind: store.KindSMS, Subject: "m-1"}, nil
		}),
		Reconciler: reconcileFunc(func(context.Context, string) (reconcile.Outcome, error) {
			return reconcile.Outcome{Status: reconcile.UpToDate}, b.store.err
		}),
		Simulator: b.simulator,
		Delivery: deliveryFunc(func(context.Context, answers.Question) (*analytics.Report, error) {
			return exampleReport(), b.store.err
		}),
		Figures: figuresFunc(func() status.Figures { return status.Figures{} }),
		Health: healthFunc(func() (bool, map[string]status.Part) {
			return true, map[string]status.Part{"database": {State: "up"}}
		}),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "cxbridge_up 1\n")
		}),
		Version: "test",
		Log:     slog.New(slog.NewTextHandler(&b.log, nil)),
	}
	return b
}

// handler returns the API. It is built once, for that takes long: a test may change the Config all the
// same, but for Version and Metrics.
func (b *bench) handler(t testing.TB) http.Handler {
	t.Helper()
	want := routes{b.AdminToken, b.ViewerToken, b.Simulator != nil}
	if b.built == nil || b.routes != want {
		built, err := New(b.Config)
		if err != nil {
			t.Fatal(err)
		}
		b.built, b.routes = built, want
	}
	b.built.Config = b.Config
	return b.built
}

// ask sends a request with the token, unless that is empty.
func (b *bench) ask(t testing.TB, method, target, token string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	b.handler(t).ServeHTTP(w, r)
	return w
}

// decode reads the body of an answer, which must have the status.
func decode[T any](t testing.TB, w *httptest.ResponseRecorder, status int) T {
	t.Helper()
	var v T
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

// wantProblem checks that an answer is a problem of RFC 9457 and returns its detail.
func wantProblem(t testing.TB, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q of %s", got, w.Body)
	}
	p := decode[struct {
		Title, Detail string
		Status        int
	}](t, w, status)
	if p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("problem %+v, want status %d", p, status)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", w.Header())
	}
	if strings.Contains(w.Body.String(), "$schema") {
		t.Errorf("a link to a schema in %s", w.Body)
	}
	return p.Detail
}
