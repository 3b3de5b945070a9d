package e2e_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// lossy is a CXone of whose events some never came, a CRM, and a cxbridge between them.
type lossy struct {
	*process
	platform      *platform
	crm           *sim.CRM
	conversations *sim.Conversations
	lost          []string // ids of the conversations of which an event is missing
}

func newLossy(t *testing.T, s *storage, seed uint64) *lossy {
	t.Helper()
	l := &lossy{platform: newPlatform(t)}
	l.platform.here.Store(true)
	rng := rand.New(rand.NewPCG(seed, 30))
	l.conversations = sim.NewConversations(rng, sim.Social{Threads: 40, Messages: 40, Lost: 0.2})
	posts := history(rng, l.conversations, 150)
	l.platform.ServeThreads(l.conversations.Thread)
	l.lost = l.conversations.Lost()
	crm, withCRM := newCRM(t)
	l.crm = crm
	l.process = serve(t, s.settings.with(withCRM).with(l.platform.settings()))
	deliverAll(t, l.process, posts)
	l.awaitSynced(t)
	if len(crm.Differences(l.conversations.Expected())) == 0 {
		t.Fatal("no event was lost that matters")
	}
	return l
}

// reconcileAnswer is the answer of /api/reconcile, or its problem.
type reconcileAnswer struct {
	Status  any // a number in a problem
	Version *int64
	Detail  string
}

func (p *process) reconcile(t *testing.T, method, id string) (status int, a reconcileAnswer) {
	t.Helper()
	status = p.call(t, method, "/api/reconcile/"+url.PathEscape(id), adminToken, &a)
	return status, a
}

// Reconciling makes up for lost events, one thread after the other.
func TestReconcile(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		l := newLossy(t, s, 1)
		reconciled := 0
		for i, id := range l.lost {
			method := []string{http.MethodGet, http.MethodPost}[i%2]
			status, a := l.reconcile(t, method, id)
			now, _ := l.conversations.Thread(id)
			switch {
			case status == http.StatusOK && a.Status == "RECONCILED" && a.Version != nil && *a.Version == now.Version:
				reconciled++
			case status == http.StatusOK && a.Status == "UP_TO_DATE" && a.Version == nil:
			default:
				t.Errorf("%s of %q: %d %+v", method, id, status, a)
			}
			if status, a := l.reconcile(t, method, id); status != http.StatusOK || a.Status != "UP_TO_DATE" {
				t.Errorf("%s of %q once more: %d %+v", method, id, status, a)
			}
		}
		if reconciled == 0 {
			t.Error("nothing was reconciled")
		}
		l.awaitSynced(t)
		wantEqual(t, l.crm, l.conversations.Expected())
		wantAuditVerified(t, s.settings)
	})
}

func TestReconcileFails(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		platform := newPlatform(t)
		platform.here.Store(true)
		hello := line("m-1", "Hello", 1)
		known := conversation("t/1", 7, "", hello)
		platform.ServeThreads(func(id string) (sim.Conversation, bool) { return known, id == "t/1" || id == "mixed up" })
		crm, withCRM := newCRM(t)
		p := serve(t, s.settings.with(platform.settings()).with(withCRM))
		want := func(what, id string, wantStatus int, words string) {
			t.Helper()
			status, a := p.reconcile(t, http.MethodPost, id)
			if status != wantStatus || !strings.Contains(a.Detail, words) {
				t.Errorf("%s: %d %+v, want %d and %q", what, status, a, wantStatus, words)
			}
		}
		for token, status := range map[string]int{"": 401, webhookSecret: 401, viewerToken: 403} {
			if got := p.call(t, http.MethodPost, "/api/reconcile/t%2F1", token, nil); got != status {
				t.Errorf("with the token %q: %d, want %d", token, got, status)
			}
		}
		want("a thread that CXone does not have", "none", http.StatusNotFound, "")
		want("another thread", "mixed up", http.StatusBadGateway, "another thread")
		platform.Fail(sim.Fault{Path: "/api/v2/interactions/social/threads/t/1", Status: http.StatusInternalServerError})
		want("a CXone that fails", "t/1", http.StatusBadGateway, "500")
		if n := s.count(t, "SELECT count(*) FROM threads"); n != 0 {
			t.Errorf("%d threads are stored", n)
		}
		platform.here.Store(false)
		want("a CXone that is away", "t/1", http.StatusBadGateway, "CXone")
		platform.here.Store(true)

		// What was fetched is kept when the CRM fails, and goes to it later.
		crm.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{Status: http.StatusBadRequest} })
		want("a CRM that refuses", "t/1", http.StatusBadGateway, "parked")
		crm.SetFaults(nil)
		if status, a := p.reconcile(t, http.MethodGet, "t/1"); status != http.StatusOK || a.Status != "RECONCILED" || *a.Version != 7 {
			t.Errorf("once more: %d %+v", status, a)
		}
		wantEqual(t, crm, []sim.Conversation{known})

		platform.Grant("interactions:read")
		platform.RevokeTokens()
		want("a client without a scope", "t/1", http.StatusBadGateway, "social:read")
	})
}

// Without a CRM the thread is stored; without a CXone there is nobody to ask.
func TestReconcileWithoutOneSide(t *testing.T) {
	t.Parallel()
	platform := newPlatform(t)
	platform.here.Store(true)
	platform.ServeThreads(func(id string) (sim.Conversation, bool) { return conversation(id, 1, ""), true })
	p := serve(t, onSQLite(t).settings.with(platform.settings()))
	if status, a := p.reconcile(t, http.MethodGet, "t-1"); status != http.StatusOK || a.Status != "STORED" {
		t.Errorf("without a CRM: %d %+v", status, a)
	}
	if state := p.thread(t, "t-1").Sync.State; state != "waiting" {
		t.Errorf("the thread is %s", state)
	}
	_, withCRM := newCRM(t)
	p = serve(t, onSQLite(t).settings.with(withCRM))
	if status, a := p.reconcile(t, http.MethodGet, "t-1"); status != http.StatusBadGateway || !strings.Contains(a.Detail, "CXONE_DOMAIN") {
		t.Errorf("without CXone: %d %+v", status, a)
	}
}

// cli runs `cxbridge reconcile` against a process, with a standard input.
func (p *process) cli(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, append([]string{"reconcile", "--server", p.address}, args...)...)
	var out, complaints bytes.Buffer
	command.Dir, command.Env = t.TempDir(), settings{"ADMIN_TOKEN": adminToken}.environment()
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &out, &complaints
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), out.String(), complaints.String()
}

// summary runs the command and returns what its last line counts. It wants nothing to fail.
func (p *process) summary(t *testing.T, stdin string, args ...string) (upToDate, reconciled int, stdout string) {
	t.Helper()
	code, stdout, stderr := p.cli(t, stdin, args...)
	found := summaryLine.FindStringSubmatch(stdout)
	if code != 0 || found == nil || found[3] != "0" || found[4] != "0" {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	upToDate, _ = strconv.Atoi(found[1]) // digits
	reconciled, _ = strconv.Atoi(found[2])
	return upToDate, reconciled, stdout
}

var summaryLine = regexp.MustCompile(`(?m)^(\d+) up to date, (\d+) reconciled, (\d+) stored without [a-zA-Z ]+, (\d+) failed$`)

// The command reconciles the threads that are named in its arguments, in a file and in its input.
func TestReconcileCommand(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		l := newLossy(t, s, 2)
		parts := slices.Collect(slices.Chunk(l.lost, len(l.lost)/3+1))
		if len(parts) != 3 {
			t.Fatalf("%d threads have lost an event", len(l.lost))
		}
		file := filepath.Join(t.TempDir(), "ids")
		if err := os.WriteFile(file, []byte(strings.Join(parts[1], "\n\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		total := 0
		run := func(ids []string, stdin string, args ...string) {
			t.Helper()
			upToDate, reconciled, stdout := l.summary(t, stdin, args...)
			if upToDate+reconciled != len(ids) || strings.Count(stdout, "brought to version") != reconciled {
				t.Errorf("of %d threads: %s", len(ids), stdout)
			}
			total += reconciled
		}
		run(parts[0], "", append(slices.Clone(parts[0]), parts[0]...)...)
		run(parts[1], "", "--from", file)
		run(parts[2], strings.Join(parts[2], "\r\n"), "--from", "-", "--parallel", "8")
		if total == 0 {
			t.Error("nothing was reconciled")
		}
		l.awaitSynced(t)
		wantEqual(t, l.crm, l.conversations.Expected())

		code, stdout, _ := l.cli(t, "", l.lost[0], "no-such-thread")
		if code != 1 || !strings.Contains(stdout, "no-such-thread: 404") || !strings.Contains(stdout, "1 up to date, 0 reconciled, ") || !strings.Contains(stdout, ", 1 failed\n") {
			t.Errorf("a thread that CXone does not have: exit code %d: %s", code, stdout)
		}
	})
}

// --since selects every thread that changed here since a time.
func TestReconcileSince(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		l := newLossy(t, s, 3)
		known := 0
		for _, id := range l.threadIDs(t, "") {
			if _, ok := l.conversations.Thread(id); ok {
				known++
			}
		}
		if upToDate, reconciled, stdout := l.summary(t, "", "--since", "24h"); upToDate+reconciled != known || reconciled == 0 {
			t.Errorf("%d threads are known: %s", known, stdout)
		}
		if upToDate, reconciled, stdout := l.summary(t, "", "--since", "2999-01-01T00:00:00Z"); upToDate+reconciled != 0 {
			t.Errorf("since a time to come: %s", stdout)
		}
		// Nothing is known here of a thread all of whose events were lost.
		for _, id := range l.lost {
			l.reconcile(t, http.MethodPost, id)
		}
		l.awaitSynced(t)
		wantEqual(t, l.crm, l.conversations.Expected())
	})
}

func TestReconcileCommandIsMisused(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings)
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "which threads"},
		{[]string{"t-1", "--parallel", "0"}, 2, "--parallel"},
		{[]string{"--from", "/none/such"}, 1, "no such file"},
		{[]string{"--since", "yesterday"}, 2, "yesterday"},
	} {
		code, stdout, stderr := p.cli(t, "", test.args...)
		if code != test.code || !strings.Contains(stderr, test.says) {
			t.Errorf("%v: exit code %d, want %d and %q: %s%s", test.args, code, test.code, test.says, stdout, stderr)
		}
	}
	if code, _, stderr := finish(t, nil, "reconcile", "t-1"); code != 2 || !strings.Contains(stderr, "ADMIN_TOKEN") {
		t.Errorf("without a token: exit code %d: %s", code, stderr)
	}
	code, stdout, _ := finish(t, settings{"ADMIN_TOKEN": "another-0e9f8a7b"}, "reconcile", "--server", p.address, "t-1")
	if code != 1 || !strings.Contains(stdout, "t-1: 401") {
		t.Errorf("with another token: exit code %d: %s", code, stdout)
	}
}
