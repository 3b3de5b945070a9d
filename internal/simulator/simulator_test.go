package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "secret-for-tests"

// webhook keeps what it is sent, and answers by reply.
type webhook struct {
	mu     sync.Mutex
	bodies [][]byte
	reply  func(w http.ResponseWriter, n int) // to the nth request, from 1
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.Header.Get("X-Webhook-Secret") != secret || r.ContentLength != int64(len(body)) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies = append(h.bodies, body)
	if h.reply != nil {
		h.reply(w, len(h.bodies))
		return
	}
	_, _ = io.WriteString(w, `{"acknowledged":true,"status":"ACCEPTED"}`)
}

func newSimulator(h *webhook) *Simulator { return &Simulator{Receipts: h, Threads: h, Secret: secret} }

func TestSMS(t *testing.T) {
	for _, ask := range []SMS{
		{Count: 1}, {Count: MaxReceipts},
		{Status: "EXPIRED", Carrier: "O2 & more", Region: "UK", Count: 5}, {Region: "IN", Count: 20}, {Status: "FAILED", Count: 3},
		{Status: "UNDELIV", Region: "CA", Count: 5}, {Status: "sent", Region: "uk", Count: 5}, {Status: "HANDSET_AWAY 7", Region: "jp", Count: 5},
	} {
		h := &webhook{}
		posted, err := newSimulator(h).SMS(context.Background(), ask)
		if err != nil || posted.Events != ask.Count || len(h.bodies) != ask.Count || len(posted.IDs) != ask.Count {
			t.Fatalf("%+v: %d posted, %+v, %v", ask, len(h.bodies), posted, err)
		}
		ids := make(map[string]bool)
		for _, body := range h.bodies {
			ids[checkReceipt(t, ask, body)] = true
		}
		for _, id := range posted.IDs {
			if !ids[id] {
				t.Errorf("%+v: %s was not posted", ask, id)
			}
		}
		if len(ids) != ask.Count {
			t.Errorf("%+v: %d messages", ask, len(ids))
		}
	}
}

// checkReceipt reads a receipt as the intake does.
func checkReceipt(t *testing.T, ask SMS, body []byte) (id string) {
	t.Helper()
	r, err := sms.Decode(body, nil)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	region, _ := sms.ParseRegion(ask.Region)
	r.RecipientRegion = sms.RegionOf(r.Recipient)
	verdict := (&sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "ZZ"}).Examine(r)
	switch {
	case !strings.HasPrefix(r.MessageID, "SIM-") || len(r.MessageID) != len("SIM-")+36,
		ask.Status != "" && r.RawStatus != ask.Status, ask.Carrier != "" && r.Carrier != ask.Carrier,
		region != "" && verdict.Region != region, verdict.Compliance == sms.Violation,
		(r.ErrorCode == "404") != (r.Status == sms.Failed),
		r.At.IsZero(), r.Submitted.After(r.At):
		t.Errorf("%+v: %s is %s in %s", ask, body, verdict.Compliance, verdict.Region)
	}
	return r.MessageID
}

func TestSMSRefuses(t *testing.T) {
	for _, ask := range []SMS{{}, {Count: -1}, {Count: MaxReceipts + 1}, {Count: 1, Region: "ZZ"}, {Count: 1, Region: "Germany"}, {Count: 1, Region: " "}} {
		h := &webhook{}
		if _, err := newSimulator(h).SMS(context.Background(), ask); err == nil || len(h.bodies) != 0 {
			t.Errorf("%+v: %v, %d posted", ask, err, len(h.bodies))
		}
	}
}

func TestStory(t *testing.T) {
	for _, test := range []struct {
		scenario              Scenario
		size, threads, events int
		kinds                 string
	}{
		{Conversation, 2, 1, 2, "THREAD_UPDATED"},
		{Conversation, MaxSize, 1, MaxSize, "THREAD_UPDATED"},
		{Merge, 2, 2, 3, "THREAD_MERGED THREAD_UPDATED"},
		{Merge, 7, 2, 8, "THREAD_MERGED THREAD_UPDATED"},
		{Split, 2, 2, 4, "THREAD_SPLIT THREAD_UPDATED"},
		{Split, 7, 2, 9, "THREAD_SPLIT THREAD_UPDATED"},
	} {
		h := &webhook{}
		posted, err := newSimulator(h).Story(context.Background(), Story{Scenario: test.scenario, Seed: 1, Size: test.size})
		if err != nil || posted.Events != test.events || len(h.bodies) != test.events || len(posted.IDs) != test.threads {
			t.Errorf("%+v: %d posted, %+v, %v", test, len(h.bodies), posted, err)
		}
		var kinds []string
		var before time.Time
		for _, body := range h.bodies {
			e := readEvent(t, body)
			if !slices.Contains(posted.IDs, e.ThreadID) {
				t.Errorf("%+v: thread %s is not told of", test, e.ThreadID)
			}
			var envelope struct {
				Event     string
				Timestamp time.Time
			}
			if err := json.Unmarshal(body, &envelope); err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, envelope.Event)
			if at := envelope.Timestamp; !at.After(before) || at.After(time.Now()) {
				t.Errorf("%+v: an event at %v after one at %v", test, at, before)
			}
			before = envelope.Timestamp
		}
		slices.Sort(kinds)
		if got := strings.Join(slices.Compact(kinds), " "); got != test.kinds {
			t.Errorf("%+v: events %s", test, got)
		}
	}
}

func readEvent(t *testing.T, body []byte) *thread.Event {
	t.Helper()
	e, err := thread.Decode(body, thread.UUIDs)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return e
}

// A storm changes a few threads, repeats some events, and tells them out of order.
func TestStorm(t *testing.T) {
	for seed := range uint64(20) {
		told, err := tell(Story{Scenario: Storm, Seed: seed, Size: 200}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		seen, versions := make(map[string]int), make(map[string]int64)
		repeats, late := 0, 0
		for _, body := range told.events {
			e := readEvent(t, body)
			if !slices.Contains(told.ids, e.ThreadID) {
				t.Errorf("seed %d: thread %s is not told of", seed, e.ThreadID)
			}
			if seen[string(body)]++; seen[string(body)] > 1 {
				repeats++
			}
			var v struct{ Data struct{ Version int64 } }
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatal(err)
			}
			if v.Data.Version < versions[e.ThreadID] {
				late++
			}
			versions[e.ThreadID] = max(versions[e.ThreadID], v.Data.Version)
		}
		if repeats == 0 || late == 0 || len(seen) < 200 || len(told.events) > 400 || len(told.ids) < 3 || len(told.ids) > stormThreads {
			t.Errorf("seed %d: %d events, %d repeated, %d late, %d threads", seed, len(told.events), repeats, late, len(told.ids))
		}
	}
}

func TestStoryIsRepeatable(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, scenario := range []Scenario{Conversation, Merge, Split, Storm} {
		text := func(seed uint64, now time.Time) string {
			told, err := tell(Story{Scenario: scenario, Seed: seed, Size: 30}, now)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("%q\n%s", told.ids, told.events)
		}
		if first, again := text(5, now), text(5, now); first != again {
			t.Errorf("%s: one seed tells two stories", scenario)
		}
		if text(5, now) == text(6, now) {
			t.Errorf("%s: two seeds tell one story", scenario)
		}
		ids := func(now time.Time) []string {
			told, err := tell(Story{Scenario: scenario, Seed: 5, Size: 30}, now)
			if err != nil {
				t.Fatal(err)
			}
			return told.ids
		}
		if later := now.Add(1234567 * time.Millisecond); !slices.Equal(ids(now), ids(later)) {
			t.Errorf("%s: at another time the seed names other threads", scenario)
		}
	}
}

func TestStoryRefuses(t *testing.T) {
	for _, ask := range []Story{{Scenario: "flood", Size: 5}, {Scenario: Storm, Size: 1}, {Scenario: Merge, Size: MaxSize + 1}, {Size: 5}} {
		h := &webhook{}
		if _, err := newSimulator(h).Story(context.Background(), ask); err == nil || len(h.bodies) != 0 {
			t.Errorf("%+v: %v, %d posted", ask, err, len(h.bodies))
		}
	}
}

// After the first 503 no more requests begin, and what was taken is told.
func TestBusyIntake(t *testing.T) {
	h := &webhook{reply: func(w http.ResponseWriter, n int) {
		if n > 4 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"acknowledged":true}`)
	}}
	_, err := newSimulator(h).SMS(context.Background(), SMS{Count: MaxReceipts})
	busy, ok := errors.AsType[*BusyError](err)
	if !ok || busy.Accepted != 4 || busy.Events != MaxReceipts || busy.RetryAfter != 7*time.Second || !strings.Contains(err.Error(), "4 of 1000") {
		t.Errorf("error %v: %+v", err, busy)
	}
	if len(h.bodies) > 4+2*atOnce {
		t.Errorf("%d requests", len(h.bodies))
	}
}

// A refusal is a fault, and not the caller's to mend.
func TestRefusingIntake(t *testing.T) {
	h := &webhook{reply: func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusUnprocessableEntity) }}
	_, err := newSimulator(h).Story(context.Background(), Story{Scenario: Conversation, Size: 10})
	if _, isBusy := errors.AsType[*BusyError](err); err == nil || isBusy || !strings.Contains(err.Error(), "422") {
		t.Errorf("error %v", err)
	}
	if len(h.bodies) != 1 {
		t.Errorf("%d requests after a refusal", len(h.bodies))
	}
	s := newSimulator(&webhook{})
	s.Secret = "another"
	if _, err := s.SMS(context.Background(), SMS{Count: 1}); err == nil || strings.Contains(err.Error(), "another") {
		t.Errorf("with a wrong secret: %v", err)
	}
}

func TestWhatTheIntakeTells(t *testing.T) {
	h := &webhook{reply: func(w http.ResponseWriter, n int) {
		fmt.Fprintf(w, `{"acknowledged":true,"queuedForRetry":%t,"quarantined":%t}`, n <= 3, n <= 2)
	}}
	posted, err := newSimulator(h).SMS(context.Background(), SMS{Count: 5})
	if err != nil || posted.Events != 5 || posted.Spooled != 3 || posted.Quarantined != 2 {
		t.Errorf("%+v, %v", posted, err)
	}
}
