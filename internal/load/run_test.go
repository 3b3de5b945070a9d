package load

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memoryServer keeps receipts in memory. It answers as cxbridge does.
type memoryServer struct {
	mu       sync.Mutex
	statuses map[string]string
	receipts int64
}

func (s *memoryServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var many []receipt
	array := body[0] == '['
	if !array {
		many = make([]receipt, 1)
		err = json.Unmarshal(body, &many[0])
	} else {
		err = json.Unmarshal(body, &many)
	}
	if err != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	for _, r := range many {
		s.statuses[r.Payload.MessageID] = r.Payload.Status
	}
	s.receipts += int64(len(many))
	s.mu.Unlock()
	answer := map[string]any{"acknowledged": true}
	if array {
		answer["accepted"], answer["duplicates"], answer["rejected"] = len(many), 0, []int{}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *memoryServer) rows(prefix string) Rows {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := Rows{Receipts: s.receipts}
	for id, status := range s.statuses {
		if strings.HasPrefix(id, prefix) {
			rows.Messages++
			if status == "DELIVERED" {
				rows.Final++
			}
		}
	}
	return rows
}

// start serves a handler; what is before the memory server may refuse or break requests.
func start(t *testing.T, wrap func(http.Handler) http.Handler) (*memoryServer, Config) {
	t.Helper()
	s := &memoryServer{statuses: make(map[string]string)}
	server := httptest.NewServer(wrap(s))
	t.Cleanup(server.Close)
	return s, Config{
		Addr: server.Listener.Addr().String(), Path: "/", Prefix: "t", Connections: 4,
		Warmup: 20 * time.Millisecond, Duration: 200 * time.Millisecond,
	}
}

func plain(h http.Handler) http.Handler { return h }

func TestRun(t *testing.T) {
	for name, shape := range map[string]func(*Config){
		"closed loop": func(*Config) {},
		"repeat":      func(c *Config) { c.Repeat = 0.3 },
		"array":       func(c *Config) { c.Batch = 20 },
		"open loop":   func(c *Config) { c.Rate = 500 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, cfg := start(t, plain)
			cfg.Duration = time.Second // long enough for a machine that is busy with other tests
			shape(&cfg)
			result, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := result.Ledger.Verify(s.rows(cfg.Prefix)); err != nil {
				t.Error(err)
			}
			if result.Ledger.Failures() != 0 || result.Ledger.Receipts == 0 {
				t.Errorf("got %+v", result.Ledger)
			}
			l := result.Latency
			if l.P50 > l.P99 || l.P99 > l.Max {
				t.Errorf("the percentiles are out of order: %+v", l)
			}
			if due := int64(cfg.Rate * (cfg.Warmup + cfg.Duration).Seconds()); cfg.Rate > 0 && result.Ledger.Requests+result.Unsent != due {
				t.Errorf("%d sent and %d not, want %d in all", result.Ledger.Requests, result.Unsent, due)
			}
		})
	}
}

// TestRunCountsFailures lets every third request fail in one of four ways.
func TestRunCountsFailures(t *testing.T) {
	var n, refused, broken, wrong atomic.Int64
	s, cfg := start(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch n.Add(1) % 12 {
			case 0:
				refused.Add(1)
				w.Header().Set("Retry-After", "1")
				http.Error(w, "busy", http.StatusServiceUnavailable)
			case 3:
				broken.Add(1)
				panic(http.ErrAbortHandler)
			case 6:
				wrong.Add(1)
				_, _ = io.WriteString(w, "hello")
			case 9:
				w.Header().Set("Connection", "close")
				next.ServeHTTP(w, r)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := result.Ledger
	if l.Refused[503] != refused.Load() || l.Broken != broken.Load() || l.Wrong != wrong.Load() ||
		l.Unsure != refused.Load()+broken.Load()+wrong.Load() {
		t.Errorf("refused %d, broken %d, wrong %d; the account says %+v", refused.Load(), broken.Load(), wrong.Load(), l)
	}
	if l.Wrong = 0; l.Verify(s.rows(cfg.Prefix)) != nil {
		t.Error(l.Verify(s.rows(cfg.Prefix)))
	}
}

// TestSlowServerCannotHideInTheOpenLoop stalls every request until the end of the run. The ones
// that could not be sent meanwhile must count with the time they waited.
func TestSlowServerCannotHideInTheOpenLoop(t *testing.T) {
	const duration = 200 * time.Millisecond
	release := make(chan struct{})
	var first sync.Once
	_, cfg := start(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			first.Do(func() { time.AfterFunc(duration, func() { close(release) }) })
			<-release
			next.ServeHTTP(w, r)
		})
	})
	cfg.Rate, cfg.Warmup, cfg.Duration = 1000, 0, duration
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if result.Latency.Requests != 200 || result.Unsent < 196 || result.PerSecond != 0 {
		t.Errorf("%d requests measured, %d unsent, %.0f/s; want 200, 196 and 0", result.Latency.Requests, result.Unsent, result.PerSecond)
	}
	if p50 := result.Latency.P50; p50 < duration*2/5 {
		t.Errorf("the median is %s, though the server answered nothing for %s", p50, duration)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, cfg := start(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		})
	})
	cfg.Duration = time.Hour
	if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestRunTellsWhatWasAcknowledgedBeforeACrash closes the server under load.
func TestRunTellsWhatWasAcknowledgedBeforeACrash(t *testing.T) {
	var n atomic.Int64
	crash := make(chan struct{})
	s := &memoryServer{statuses: make(map[string]string)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r)
		if n.Add(1) == 100 {
			close(crash)
		}
	}))
	defer server.Close()
	go func() {
		<-crash
		server.Listener.Close()
		server.CloseClientConnections()
	}()
	cfg := Config{Addr: server.Listener.Addr().String(), Path: "/", Prefix: "t", Connections: 4, Duration: time.Hour}
	result, err := Run(t.Context(), cfg)
	if err == nil {
		t.Fatal("no error though the server is gone")
	}
	if result.Ledger.Messages == 0 {
		t.Error("nothing in the account")
	}
	if err := result.Ledger.Verify(s.rows(cfg.Prefix)); err != nil {
		t.Error(err)
	}
}

func TestRunRefusesNonsense(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no connections": {Duration: time.Second},
		"no duration":    {Connections: 1},
		"third receipts": {Connections: 1, Duration: time.Second, Repeat: 0.6},
		"negative rate":  {Connections: 1, Duration: time.Second, Rate: -1},
		"a huge batch":   {Connections: 1, Duration: time.Second, Batch: 5001},
	} {
		if _, err := Run(t.Context(), cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAcknowledges(t *testing.T) {
	for _, tt := range []struct {
		body         string
		receipts     int
		all, spooled bool
	}{
		{`{"acknowledged":true,"messageId":"1"}`, 1, true, false},
		{`{"acknowledged":true,"queuedForRetry":true}`, 1, true, true},
		{`{"acknowledged":false}`, 1, false, false},
		{``, 1, false, false},
		{`{"acknowledged":true,"accepted":2,"duplicates":1,"rejected":[]}`, 3, true, false},
		{`{"acknowledged":true,"accepted":2,"duplicates":0,"rejected":[{"index":0,"error":"x"}]}`, 3, false, false},
		{`{"acknowledged":true,"messageId":"1"}`, 3, false, false},
	} {
		if all, spooled := acknowledges([]byte(tt.body), tt.receipts); all != tt.all || spooled != tt.spooled {
			t.Errorf("%s for %d: got %v %v", tt.body, tt.receipts, all, spooled)
		}
	}
}
