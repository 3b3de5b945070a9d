package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// watch stands before a CRM and notes when two requests about one thread are under way at the same time.
type watch struct {
	crm http.Handler

	mu       sync.Mutex
	underWay map[string]int
	overlaps []string
}

func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, "the body cannot be read", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := w.guarded(r, threadOf(r, body))
	for name, values := range answer.Header() {
		rw.Header()[name] = values
	}
	rw.WriteHeader(answer.Code)
	rw.Write(answer.Body.Bytes())
}

// guarded holds the answer back until the request is no longer under way: its sender sends the next one
// when it sees the answer.
func (w *watch) guarded(r *http.Request, threadID string) *httptest.ResponseRecorder {
	w.mu.Lock()
	if w.underWay[threadID]++; w.underWay[threadID] > 1 {
		w.overlaps = append(w.overlaps, threadID)
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.underWay[threadID]--
	}()
	answer := httptest.NewRecorder()
	w.crm.ServeHTTP(answer, r)
	return answer
}

// threadOf returns the thread that a request is about.
func threadOf(r *http.Request, body []byte) string {
	if r.Method != http.MethodPost {
		id, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/threads/"))
		return id
	}
	var delta struct{ ThreadID string }
	_ = json.Unmarshal(body, &delta) // the CRM refuses what is no delta
	return delta.ThreadID
}

// wantNoOverlaps wants each thread to have been pushed by one worker at a time.
func (w *watch) wantNoOverlaps(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.overlaps) > 0 {
		t.Errorf("%d requests came while another one about their thread was under way: %.300q", len(w.overlaps), w.overlaps)
	}
}

func newWatchedCRM(t *testing.T) (*sim.CRM, *watch, settings) {
	t.Helper()
	crm := sim.NewCRM(crmToken)
	guard := &watch{crm: crm, underWay: make(map[string]int)}
	return crm, guard, serveCRM(t, guard)
}

// serveReplicas starts replicas at the same time, each with a folder of its own for the spool.
func serveReplicas(t *testing.T, n int, s settings) []*process {
	t.Helper()
	replicas := make([]*process, n)
	for i := range replicas {
		replicas[i] = start(t, s.with(settings{"SPOOL_DIR": t.TempDir()}))
	}
	for _, p := range replicas {
		p.awaitReady(t)
		p.awaitDatabase(t)
	}
	return replicas
}

// Replicas share the work, and never push one thread twice at a time.
func TestReplicasShareThreads(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprintf("%d replicas", n), func(t *testing.T) {
			t.Parallel()
			s := onPostgres(t, pgtest.Database(t))
			crm, guard, withCRM := newWatchedCRM(t)
			crm.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{Delay: 5 * time.Millisecond} })
			conversations, posts := shortHistories(uint64(10 + n))
			replicas := serveReplicas(t, n, s.settings.with(withCRM).with(settings{"CRM_TIMEOUT": "1m"}))
			var sending sync.WaitGroup
			for i, p := range replicas {
				sending.Go(func() {
					var mine []sim.Post
					for j := i; j < len(posts); j += n {
						mine = append(mine, posts[j])
					}
					deliverAll(t, p, mine)
				})
			}
			sending.Wait()
			replicas[0].awaitSynced(t)
			wantEqual(t, crm, conversations.Expected())
			guard.wantNoOverlaps(t)
			for i, p := range replicas {
				if p.pushes(t) == 0 {
					t.Errorf("replica %d has pushed nothing", i)
				}
				if code := p.terminate(t); code != 0 {
					t.Errorf("exit code %d", code)
				}
			}
			if deadlocks := s.count(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); deadlocks != 0 {
				t.Errorf("%d deadlocks", deadlocks)
			}
			wantAuditVerified(t, s.settings)
		})
	}
}

// A request that waits for the CRM at one replica is answered also when another replica has pushed the
// thread.
func TestReplicaWaitsForAnother(t *testing.T) {
	t.Parallel()
	s := onPostgres(t, pgtest.Database(t))
	crm, withCRM := newCRM(t)
	both := serveReplicas(t, 2, s.settings.with(withCRM))
	for version := 1; version <= 20; version++ {
		both[version%2].wantAnswer(t, synced, event(updated, "t-1", version), "Prefer", "wait=30")
	}
	wantEqual(t, crm, []sim.Conversation{conversation("t-1", 20, "")})
}

// heldUp makes a replica begin pushes that the CRM does not answer, and returns the conversations.
func heldUp(t *testing.T, p *process, threads int) (expected []sim.Conversation) {
	t.Helper()
	for i := range threads {
		id, hello := fmt.Sprintf("held-%02d", i), line("m-1", "Hello", 1)
		p.wantAnswer(t, accepted, event(updated, id, 1, saying(hello)))
		expected = append(expected, conversation(id, 1, "", hello))
	}
	eventually(t, "pushes are under way", func() bool { return p.metric(t, "cxbridge_pushes_in_flight") == 16 })
	return expected
}

// A replica is killed in the middle of its pushes, of which the CRM has applied every other one. When
// its leases have run out another one takes over.
func TestReplicaIsKilled(t *testing.T) {
	t.Parallel()
	s := onPostgres(t, pgtest.Database(t))
	crm, guard, withCRM := newWatchedCRM(t)
	for i := range 16 {
		crm.Fail(sim.CRMFault{Stall: true, Applied: i%2 == 0})
	}
	patient := s.settings.with(withCRM).with(settings{"CRM_TIMEOUT": "2m"})
	first := serveReplicas(t, 1, patient)[0]
	expected := heldUp(t, first, 24)
	second := serveReplicas(t, 1, patient)[0]
	eventually(t, "the second replica pushes what is free", func() bool { return second.pushes(t) >= 8 })
	eventually(t, "all but the threads of the first replica are synced", func() bool { return len(second.unsynced(t)) == 16 })
	first.kill(t)
	second.awaitSynced(t)
	wantEqual(t, crm, expected)
	guard.wantNoOverlaps(t)
	wantAuditVerified(t, s.settings)
}

// A replica stands still until its leases have run out and another one has its threads. When it goes on,
// it does no harm.
func TestReplicaIsPaused(t *testing.T) {
	t.Parallel()
	s := onPostgres(t, pgtest.Database(t))
	crm, withCRM := newCRM(t)
	answer := make(chan struct{})
	crm.Fail(sim.CRMFault{Until: answer, Times: 16})
	patient := s.settings.with(withCRM).with(settings{"CRM_TIMEOUT": "2m"})
	first := serveReplicas(t, 1, patient)[0]
	expected := heldUp(t, first, 16)
	first.signal(t, syscall.SIGSTOP)
	second := serveReplicas(t, 1, patient)[0]
	more := line("m-2", "Anybody there?", 2)
	for i, c := range expected {
		second.wantAnswer(t, accepted, event(updated, c.ThreadID, 2, saying(more)))
		expected[i] = conversation(c.ThreadID, 2, "", append(slices.Clone(c.Messages), more)...)
	}
	second.awaitSynced(t)
	wantEqual(t, crm, expected)

	// The CRM takes up what the first replica has sent, and that reads the answers.
	close(answer)
	first.signal(t, syscall.SIGCONT)
	eventually(t, "the first replica has seen that its leases are gone", func() bool {
		return first.metric(t, "cxbridge_push_lost_leases_total") == 16
	})
	wantEqual(t, crm, expected)
	first.wantAnswer(t, synced, event(updated, "held-00", 3), "Prefer", "wait=30")
	first.awaitSynced(t)
	expected[0] = conversation("held-00", 3, "", expected[0].Messages...)
	wantEqual(t, crm, expected)
	wantAuditVerified(t, s.settings)
}
