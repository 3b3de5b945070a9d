package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// verification compares what the API of a cxbridge says with what was simulated.
type verification struct {
	simulation *simulation
	api        *apiClient
	operator   bool // the token may read dead letters

	without string // why nothing was verified; "" when it was
	counts  []verified
	bar     *progress
	err     error // why it could not be finished

	mu    sync.Mutex
	lines []string // a line for each difference
}

// verified says how many of something were looked at.
type verified struct {
	what         string
	checked, all int
}

// probe looks at one thing and returns what is wrong with it.
type probe func(ctx context.Context) (wrong []string, err error)

// verifiers is how many checks run at once, and recheck the wait before looking again at what may still
// be in the spool.
const (
	verifiers = 16
	recheck   = 500 * time.Millisecond
)

func (v *verification) run(ctx context.Context, stderr io.Writer) {
	s := v.simulation
	switch {
	case ctx.Err() != nil || s.stopped() != nil:
		v.without = "the simulation was stopped"
	case s.command.Verify == 0:
		v.without = "--verify is 0"
	case v.api.token == "":
		v.without = "that needs ADMIN_TOKEN or VIEWER_TOKEN"
	}
	if v.without != "" {
		return
	}
	checks := slices.Concat(v.messages(), v.threads(), v.deadLetters())
	v.bar = newProgress(stderr, len(checks), "checks")
	defer v.bar.clear()
	failing := v.pass(ctx, checks)
	spooled := s.receipts.sender.Counts().Events.Spooled+s.threads.sender.Counts().Events.Spooled > 0
	for end := time.Now().Add(s.command.Settle); spooled && len(failing) > 0 && v.err == nil && time.Now().Before(end); {
		select {
		case <-time.After(recheck):
		case <-ctx.Done():
		}
		v.lines = nil
		failing = v.pass(ctx, failing)
	}
	slices.Sort(v.lines)
	if v.err != nil {
		v.without = "it could not be finished"
	}
}

// pass runs checks, several at once, and returns those that found something wrong.
func (v *verification) pass(ctx context.Context, checks []probe) (failing []probe) {
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(verifiers)
	for _, one := range checks {
		workers.Go(func() error {
			wrong, err := one(ctx)
			v.bar.step()
			if len(wrong) == 0 {
				return err
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			failing = append(failing, one)
			v.lines = append(v.lines, wrong...)
			return err
		})
	}
	v.err = workers.Wait()
	return failing
}

// get asks the API. found is false when there is no such thing.
func (v *verification) get(ctx context.Context, query url.Values, into any, path ...string) (found bool, err error) {
	for i, id := range path {
		path[i] = segment(id)
	}
	target := v.api.server.JoinPath(append([]string{"api"}, path...)...)
	target.RawQuery = query.Encode()
	err = v.api.do(ctx, http.MethodGet, target, nil, into)
	if answer, ok := errors.AsType[*apiError](err); ok && answer.status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

func (v *verification) messages() (checks []probe) {
	for id, want := range v.simulation.ledger.Expected() {
		checks = append(checks, func(ctx context.Context) ([]string, error) { return v.message(ctx, id, want) })
	}
	v.counts = append(v.counts, verified{"messages", len(checks), v.simulation.traffic.Messages()})
	return checks
}

// message checks one message. Whether its sender ID is valid depends on the rules of that cxbridge, and is
// not checked.
func (v *verification) message(ctx context.Context, id string, want sim.State) ([]string, error) {
	var m struct {
		Status, Carrier, Region string
		Receipts                []struct{}
	}
	found, err := v.get(ctx, nil, &m, "messages", id)
	if err != nil {
		return nil, err
	}
	if !found {
		return []string{fmt.Sprintf("message %q is missing", id)}, nil
	}
	got := sim.State{Status: m.Status, Carrier: m.Carrier, Region: m.Region, BadSender: want.BadSender, Receipts: len(m.Receipts)}
	if got == want {
		return nil, nil
	}
	return []string{fmt.Sprintf("message %q is %s, and must be %s", id, describeState(got), describeState(want))}, nil
}

func describeState(s sim.State) string {
	return fmt.Sprintf("%s by %s in %s with %d receipts", s.Status, s.Carrier, s.Region, s.Receipts)
}

// threads checks none when an event was lost: then nobody knows what its thread must look like.
func (v *verification) threads() (checks []probe) {
	s := v.simulation
	expected := s.conversations.Expected()
	all := len(expected)
	if s.lost > 0 {
		expected = nil
	}
	rng := rand.New(rand.NewPCG(s.command.Seed, 3))
	rng.Shuffle(len(expected), func(i, j int) { expected[i], expected[j] = expected[j], expected[i] })
	for _, want := range expected[:min(len(expected), s.command.Verify)] {
		checks = append(checks, func(ctx context.Context) ([]string, error) { return v.thread(ctx, want) })
	}
	v.counts = append(v.counts, verified{"threads", len(checks), all})
	return checks
}

// thread checks a thread's own state, and its timeline.
func (v *verification) thread(ctx context.Context, want sim.Conversation) ([]string, error) {
	got, found, err := v.conversation(ctx, want.ThreadID)
	if err != nil {
		return nil, err
	}
	if !found {
		return []string{fmt.Sprintf("thread %q is missing", want.ThreadID)}, nil
	}
	wrong := sim.Differences([]sim.Conversation{want}, []sim.Conversation{got}, nil)
	if got.Version > want.Version {
		wrong = append(wrong, fmt.Sprintf("thread %q has version %d, not %d", want.ThreadID, got.Version, want.Version))
	}
	shown, err := v.timeline(ctx, want.ThreadID)
	if err != nil {
		return nil, err
	}
	if expected := v.simulation.conversations.Timeline(want.ThreadID); !slices.Equal(shown, expected) {
		wrong = append(wrong, fmt.Sprintf("thread %q shows other messages than it must, or in another order: %d, and must show %d",
			want.ThreadID, len(shown), len(expected)))
	}
	return wrong, nil
}

// pageSize is how many messages are asked for at once.
const pageSize = 1000

// conversation reads all pages of a thread, and leaves out a link that is not followed.
func (v *verification) conversation(ctx context.Context, id string) (all sim.Conversation, found bool, err error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for {
		var page struct {
			sim.Conversation
			LinkFollowed bool
			MessagesNext string
		}
		if found, err := v.get(ctx, query, &page, "threads", id); !found {
			return all, false, err
		}
		messages := append(all.Messages, page.Messages...)
		all = page.Conversation
		all.Messages = messages
		if !page.LinkFollowed {
			all.ParentThreadID = nil
		}
		if page.MessagesNext == "" {
			return all, true, nil
		}
		query.Set("cursor", page.MessagesNext)
	}
}

// timeline reads the ids of the messages that a thread shows.
func (v *verification) timeline(ctx context.Context, id string) (ids []string, err error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for {
		var page struct {
			Items []struct{ ID string }
			Next  string
		}
		if found, err := v.get(ctx, query, &page, "threads", id, "timeline"); !found {
			return nil, err
		}
		for _, m := range page.Items {
			ids = append(ids, m.ID)
		}
		if page.Next == "" {
			return ids, nil
		}
		query.Set("cursor", page.Next)
	}
}

func (v *verification) deadLetters() []probe {
	s := v.simulation
	count := verified{what: "dead letters", all: s.brokenAll}
	defer func() { v.counts = append(v.counts, count) }()
	if !v.operator || len(s.broken) == 0 {
		return nil
	}
	count.checked = len(s.broken)
	return []probe{v.letters}
}

// How far back dead letters are read: clockSkew before the simulation, as clocks differ, and otherLetters
// more than those that are looked for, as there may be other senders.
const (
	clockSkew    = 5 * time.Minute
	otherLetters = 5000
)

// letters checks that each event that was refused is kept, once. An earlier run with the same seed may
// have left some of them, so it goes further back for those that are not found.
func (v *verification) letters(ctx context.Context) ([]string, error) {
	s := v.simulation
	kept := make(map[string]int, len(s.broken))
	for _, body := range s.broken {
		kept[body] = 0
	}
	missing, since := len(kept), s.began.Add(-clockSkew)
	err := v.eachLetter(ctx, 2*s.brokenAll+otherLetters, func(body string, received time.Time) (more bool) {
		n, wanted := kept[body]
		if wanted {
			kept[body]++
		}
		if wanted && n == 0 {
			missing--
		}
		return missing > 0 || received.After(since)
	})
	if err != nil {
		return nil, err
	}
	twice := 0
	for _, n := range kept {
		if n > 1 {
			twice++
		}
	}
	var wrong []string
	if missing > 0 {
		wrong = append(wrong, fmt.Sprintf("%d events that were refused are not among the dead letters", missing))
	}
	if twice > 0 {
		wrong = append(wrong, fmt.Sprintf("%d events that were refused are dead letters twice", twice))
	}
	return wrong, nil
}

// eachLetter calls visit for dead letters, newest first, until it returns false, and reads about most of
// them at most.
func (v *verification) eachLetter(ctx context.Context, most int, visit func(body string, received time.Time) bool) error {
	query := url.Values{"limit": {"500"}}
	for read := 0; read < most; {
		var page struct {
			Items []struct {
				Raw        string
				RawBase64  []byte
				ReceivedAt time.Time
			}
			Next string
		}
		if found, err := v.get(ctx, query, &page, "dead-letters"); !found {
			return err
		}
		for _, letter := range page.Items {
			body := letter.Raw
			if letter.RawBase64 != nil {
				body = string(letter.RawBase64)
			}
			if read++; !visit(body, letter.ReceivedAt) {
				return nil
			}
		}
		if page.Next == "" {
			return nil
		}
		query.Set("cursor", page.Next)
	}
	return nil
}

// wrong counts what differs.
func (v *verification) wrong() int { return len(v.lines) }

// shownLines is how many differences are printed.
const shownLines = 20

// print prints what was verified, and what was found.
func (v *verification) print(out io.Writer) {
	if v.without != "" {
		fmt.Fprintf(out, "verified  nothing: %s\n", v.without)
		return
	}
	var parts []string
	for _, c := range v.counts {
		if c.all > 0 {
			parts = append(parts, c.String())
		}
	}
	fmt.Fprintf(out, "verified  %s: %d wrong\n", strings.Join(parts, ", "), len(v.lines))
	if !v.operator && v.simulation.brokenAll > 0 {
		fmt.Fprintln(out, "          dead letters need ADMIN_TOKEN")
	}
	for _, line := range v.lines[:min(len(v.lines), shownLines)] {
		fmt.Fprintln(out, "  WRONG:", line)
	}
	if more := len(v.lines) - shownLines; more > 0 {
		fmt.Fprintf(out, "  and %d more\n", more)
	}
}

func (c verified) String() string {
	if c.checked == c.all {
		return fmt.Sprintf("all %d %s", c.all, c.what)
	}
	return fmt.Sprintf("%d of %d %s", c.checked, c.all, c.what)
}
