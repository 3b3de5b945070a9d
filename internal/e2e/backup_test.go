package e2e_test

import (
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// backUp makes a backup of a database that is in use, as docs/backup.md describes, into a new file.
func (s *storage) backUp(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "cxbridge.backup")
	if s.isPostgres() {
		postgres(t, "pg_dump", "--format=custom", "--file="+file, s.settings["DATABASE_URL"])
		return file
	}
	code, stdout, stderr := finish(t, settings{"DATABASE_URL": s.settings["DATABASE_URL"]}, "backup", file)
	if code != 0 || !strings.Contains(stdout, "the copy is sound") || stderr != "" {
		t.Fatalf("backup: exit code %d: %s%s", code, stdout, stderr)
	}
	return file
}

// restored returns a new database with the content of a backup of this one.
func (s *storage) restored(t *testing.T, file string) *storage {
	t.Helper()
	if s.isPostgres() {
		r := onPostgres(t, pgtest.Database(t))
		postgres(t, "pg_restore", "--exit-on-error", "--no-owner", "--dbname="+r.settings["DATABASE_URL"], file)
		return r
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return restoreFile(t, content)
}

func (s *storage) isPostgres() bool {
	return strings.HasPrefix(s.settings["DATABASE_URL"], "postgres:")
}

// postgres runs a program of PostgreSQL.
func postgres(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := pgtest.Program(name)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// acknowledged returns what was acknowledged so far.
func (b *barrage) acknowledged() *barrage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &barrage{acked: slices.Clone(b.acked)}
}

// backUpUnder backs up while something is acknowledged, and returns what was acknowledged before. A backup may be
// so quick that nothing is; then it is made again.
func (s *storage) backUpUnder(t *testing.T, load *barrage) (promised *barrage, file string) {
	t.Helper()
	for range 10 {
		promised = load.acknowledged()
		file = s.backUp(t)
		if len(load.acknowledged().acked) > len(promised.acked) {
			return promised, file
		}
	}
	t.Fatal("nothing was acknowledged while backups were made")
	return nil, ""
}

// A backup that is made under load has everything that was acknowledged before it began. A service goes
// on with it, and accepts again what came later.
func TestBackupUnderLoad(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		hello := line("m-1", "Hello", 1)
		p.wantAnswer(t, accepted, event(updated, "early", 1, saying(hello)))
		p.post(t, 422, `{"messageId":"early"}`)

		var load barrage
		end := load.begin(t, p, 300)
		defer end()
		promised, file := s.backUpUnder(t, &load)
		end()
		load.checkAll(t, s)
		const late = `{"messageId":"late","status":"SENT"}`
		p.post(t, 200, late)
		p.wantAnswer(t, accepted, event(updated, "late", 1, saying(hello)))

		r := s.restored(t, file)
		wantAuditVerified(t, r.settings)
		promised.check(t, r)
		p = serve(t, r.settings)
		if n := p.thread(t, "early").Version; n != 1 || r.deadLetterCount(t) != 1 {
			t.Errorf("the thread has version %d, and there are %d dead letters", n, r.deadLetterCount(t))
		}
		if _, found := p.message(t, "late"); found {
			t.Error("the copy has what came after it")
		}
		if a := p.post(t, 200, late); a.Duplicate {
			t.Errorf("what came after the backup is known: %s", a.Text)
		}
		p.wantAnswer(t, accepted, event(updated, "late", 1, saying(hello)))
		p.wantAnswer(t, ignored, event(updated, "early", 1, saying(hello)))

		// Senders who repeat all that came since bring it up to date.
		load.acked, load.unacked = nil, slices.Concat(load.acked, load.unacked)
		load.repeat(t, p)
		load.check(t, r)
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		wantAuditVerified(t, r.settings)
	})
}

// older is a service that was restored from a backup, and a CRM that knows more than it.
type older struct {
	*process
	*storage
	platform      *platform
	crm           *sim.CRM
	withCRM       settings
	conversations *sim.Conversations
	missed        []sim.Post // what was acknowledged after the backup
}

// newOlder makes the backup while the CRM lacks something of many threads. The service that it returns is
// not connected to the CRM yet.
func newOlder(t *testing.T, s *storage, social sim.Social) *older {
	t.Helper()
	o := &older{conversations: sim.NewConversations(rand.New(rand.NewPCG(5, 31)), social), platform: newPlatform(t)}
	o.platform.here.Store(true)
	o.platform.ServeThreads(o.conversations.Thread)
	var posts []sim.Post
	for range 200 {
		posts = append(posts, o.conversations.Next(time.Now()))
	}
	for post, more := o.conversations.Rest(); more; post, more = o.conversations.Rest() {
		posts = append(posts, post)
	}
	o.crm, o.withCRM = newCRM(t)
	third := len(posts) / 3
	p := serve(t, s.settings.with(o.withCRM))
	deliverAll(t, p, posts[:third])
	p.awaitSynced(t)
	o.crm.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{Status: http.StatusBadGateway} })
	deliverAll(t, p, posts[third:2*third])
	file := s.backUp(t)
	o.crm.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{} })
	o.missed = posts[2*third:]
	deliverAll(t, p, o.missed)
	p.awaitSynced(t)
	wantEqual(t, o.crm, o.conversations.Expected())
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	o.storage = s.restored(t, file)
	o.process = serve(t, o.settings.with(o.platform.settings()))
	if len(o.threadIDs(t, "state=waiting")) == 0 {
		t.Error("the CRM lacked nothing when the backup was made")
	}
	return o
}

// connect starts the service once more, with the CRM.
func (o *older) connect(t *testing.T) {
	t.Helper()
	if code := o.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	o.process = serve(t, o.settings.with(o.withCRM).with(o.platform.settings()))
}

// wantCurrent wants that the CRM has what CXone has, and keeps it when more comes.
func (o *older) wantCurrent(t *testing.T) {
	t.Helper()
	o.awaitSynced(t)
	wantEqual(t, o.crm, o.conversations.Expected())
	hello := line("m-1", "Hello", 1)
	o.wantAnswer(t, synced, event(updated, "after the restore", 1, saying(hello)), "Prefer", "wait=30")
	wantEqual(t, o.crm, append(o.conversations.Expected(), conversation("after the restore", 1, "", hello)))
	wantAuditVerified(t, o.settings)
}

// A restored service is behind its CRM. CXone delivers again what came since the backup; then the CRM is
// connected, and ends equal to CXone.
func TestRestoredServiceIsToldAgain(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		o := newOlder(t, s, sim.Social{Threads: 30, Messages: 30})
		deliverAll(t, o.process, o.missed)
		o.connect(t)
		o.wantCurrent(t)
	})
}

// What CXone does not deliver again is fetched from it, except splits, which cannot be fetched.
func TestRestoredServiceReconciles(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		o := newOlder(t, s, sim.Social{Threads: 30, Messages: 30, Orderly: true})
		deliverAll(t, o.process, slices.DeleteFunc(slices.Clone(o.missed), func(p sim.Post) bool { return p.Kind != sim.Split }))
		var ids []string
		for _, c := range o.crm.Conversations() {
			ids = append(ids, c.ThreadID)
		}
		code, stdout, stderr := o.cli(t, strings.Join(ids, "\n"), "--from", "-")
		if code != 0 || !strings.Contains(stdout, " 0 failed") {
			t.Fatalf("reconcile: exit code %d: %s%s", code, stdout, stderr)
		}
		o.connect(t)
		o.wantCurrent(t)
		for _, c := range o.conversations.Expected() {
			if a := o.thread(t, c.ThreadID); a.Version != c.Version {
				t.Errorf("thread %q has version %d, want %d", c.ThreadID, a.Version, c.Version)
			}
		}
	})
}

// A value in the CRM that the service has forgotten, and that CXone has replaced meanwhile, looks like
// the work of another user. It is left as it is, and the API says so.
func TestRestoredServiceOverwritesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		said := func(text string) sim.Message { return line("m-1", text, 1) }
		crm, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM))
		for _, id := range []string{"fetched", "told again"} {
			p.wantAnswer(t, synced, event(updated, id, 1, saying(said("first"))), "Prefer", "wait=30")
		}
		file := s.backUp(t)
		for _, id := range []string{"fetched", "told again"} {
			p.wantAnswer(t, synced, event(updated, id, 2, saying(said("second"))), "Prefer", "wait=30")
		}
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		p = serve(t, s.restored(t, file).settings.with(withCRM))
		p.wantAnswer(t, synced, event(updated, "told again", 2, saying(said("second"))), "Prefer", "wait=30")
		for _, id := range []string{"fetched", "told again"} {
			p.wantAnswer(t, synced, event(updated, id, 3, saying(said("third"))), "Prefer", "wait=30")
		}
		for id, want := range map[string]string{"fetched": "second", "told again": "third"} {
			if c, _ := crm.Conversation(id); len(c.Messages) != 1 || c.Messages[0].Text != want {
				t.Errorf("the CRM has %+v, want %q", c, want)
			}
		}
		if a := p.thread(t, "fetched"); a.Messages[0].Delivery != "theirs" {
			t.Errorf("the thread is %+v", a)
		}
	})
}

// The command does not do what the operator did not mean.
func TestBackupIsMisused(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	p := serve(t, s.settings)
	p.post(t, http.StatusOK, `{"messageId":"kept","status":"SENT"}`)
	file := s.backUp(t)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "none", "cxbridge.db")
	for _, test := range []struct {
		url, file string
		code      int
		says      string
	}{
		{s.settings["DATABASE_URL"], file, 1, "so that no file is overwritten"},
		{s.settings["DATABASE_URL"], s.path(), 1, "so that no file is overwritten"},
		{s.settings["DATABASE_URL"], other, 1, "no such file"},
		{"sqlite:" + other, file + "-2", 1, "does not exist"},
		{"postgres://user:llama-77fe@127.0.0.1:1/none", file + "-3", 1, "pg_dump"},
		{"mysql://db", file + "-4", 2, "DATABASE_URL"},
	} {
		code, stdout, stderr := finish(t, settings{"DATABASE_URL": test.url}, "backup", test.file)
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.says) || strings.Contains(stderr, "llama-77fe") {
			t.Errorf("%s to %s: exit code %d, want %d and %q: %s%s", test.url, test.file, code, test.code, test.says, stdout, stderr)
		}
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the backup was changed: %v", err)
	}
	if left, err := filepath.Glob(file + "?*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if code, _, stderr := finish(t, s.settings, "backup"); code != 2 || !strings.Contains(stderr, "<file>") {
		t.Errorf("without a file: exit code %d: %s", code, stderr)
	}
}
