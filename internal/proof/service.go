package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/freeport"
)

// The secrets of every Service.
const (
	WebhookSecret = "e7c1a2b3-webhook-5d4f6a7b"
	AdminToken    = "e7c1a2b3-operator-5d4f6a7b"
	ViewerToken   = "e7c1a2b3-viewer-5d4f6a7b"
)

// The paths of the webhooks.
const (
	ReceiptsPath = "/webhooks/cxone/sms"
	ThreadsPath  = "/api/webhooks/cxone-threads"
)

// Service is a cxbridge that keeps its address through all its restarts.
type Service struct {
	Address  string // host:port
	Store    *Store
	Settings Settings // all of them

	program, dir string
	process      *Process
	client       *http.Client
}

// NewService returns a service that is not started. Its settings are those of the store, an address, the
// secrets, and more; the folder is the working directory of its processes.
func NewService(program, dir string, store *Store, more Settings) (*Service, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	own := Settings{"ADDR": address, "WEBHOOK_SECRET": WebhookSecret, "ADMIN_TOKEN": AdminToken, "VIEWER_TOKEN": ViewerToken}
	return &Service{
		Address: address, Store: store, Settings: own.With(store.Settings).With(more), program: program, dir: dir,
		client: &http.Client{Timeout: Patience, Transport: &http.Transport{MaxIdleConnsPerHost: 4}},
	}, nil
}

// FreeAddress returns a host:port on 127.0.0.1 where nobody listens at the moment.
func FreeAddress() (string, error) {
	port, err := freeport.Find()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
}

// URL is where the service is reached.
func (s *Service) URL() string { return "http://" + s.Address }

// Process returns the process that was started last; nil if none was.
func (s *Service) Process() *Process { return s.process }

// Start starts a process, and waits until it is ready.
func (s *Service) Start(ctx context.Context) (err error) {
	if s.process, err = Start(s.program, s.dir, s.Settings, "serve"); err != nil {
		return err
	}
	_, err = s.process.Ready(ctx)
	return err
}

// Kill ends the process as a crash would.
func (s *Service) Kill() error { return s.process.Kill() }

// Close shuts the process down gracefully, if it runs.
func (s *Service) Close() error {
	defer s.client.CloseIdleConnections()
	if s.process == nil {
		return nil
	}
	select {
	case <-s.process.Exited():
		return nil
	default:
		return s.process.Stop()
	}
}

// Run runs another command of the same cxbridge, with the same settings, to its end. When ctx is done
// before that, it kills the command and returns the error of ctx.
func (s *Service) Run(ctx context.Context, args ...string) error {
	p, err := Start(s.program, s.dir, s.Settings, args...)
	if err != nil {
		return err
	}
	select {
	case <-p.Exited():
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.Kill())
	}
	if code := p.Code(); code != 0 {
		return fmt.Errorf("cxbridge %s: exit code %d\n%s", strings.Join(args, " "), code, p.Log.Tail(20))
	}
	return nil
}

// Get asks the API as a viewer, and decodes the JSON of the answer into out.
func (s *Service) Get(ctx context.Context, path string, out any) error {
	body, err := s.fetch(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s: %w: %.200s", path, err, body)
	}
	return nil
}

func (s *Service) fetch(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+ViewerToken)
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %.200s", path, response.StatusCode, body)
	}
	return body, err
}

// Metric returns the value of a metric without labels.
func (s *Service) Metric(ctx context.Context, name string) (float64, error) {
	text, err := s.fetch(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return strconv.ParseFloat(number, 64)
		}
	}
	return 0, errors.New("there is no metric " + name)
}

// Unsynced lists the threads that are not synced, with the reason: at most 500 of each state.
func (s *Service) Unsynced(ctx context.Context) (lines []string, err error) {
	for _, state := range []string{"pending", "retrying", "parked", "waiting"} {
		var page struct {
			Items []struct {
				ThreadID string
				Sync     struct{ LastError string }
			}
		}
		if err := s.Get(ctx, "/api/threads?limit=500&state="+state, &page); err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			lines = append(lines, fmt.Sprintf("thread %q is %s: %s", item.ThreadID, state, item.Sync.LastError))
		}
	}
	return lines, nil
}

// pollEvery is how often a condition that is waited for is checked.
const pollEvery = 20 * time.Millisecond
