package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// forgetful is a store that erases in steps.
type forgetful struct {
	schemaStore
	steps   []store.Erased // what the steps do
	failure error          // of the step after them
	leased  int            // how often the second step finds a lease
	traces  map[string]int

	persons []store.Person
	cursors []string
	notes   []audit.Note
}

func (f *forgetful) Erase(_ context.Context, p store.Person, cursor string, limit int) (store.Erased, error) {
	f.persons, f.cursors = append(f.persons, p), append(f.cursors, cursor)
	if cursor != "" && f.leased > 0 {
		f.leased--
		return store.Erased{}, store.ErrLeased
	}
	if len(f.steps) == 0 {
		return store.Erased{}, f.failure
	}
	step := f.steps[0]
	f.steps = f.steps[1:]
	return step, nil
}

func (f *forgetful) Traces(_ context.Context, p store.Person) (map[string]int, error) {
	f.persons = append(f.persons, p)
	return f.traces, nil
}

func (f *forgetful) Audit(_ context.Context, note audit.Note, _ time.Time) error {
	f.notes = append(f.notes, note)
	return nil
}

func TestErase(t *testing.T) {
	t.Parallel()
	steps := []store.Erased{{Rows: map[string]int{"a": 1}, Cursor: "x 1"}, {Rows: map[string]int{"a": 2, "b": 1}, Cursor: "y "}, {}}
	for name, tt := range map[string]struct {
		store *forgetful
		code  int
		out   string // all of stdout
		err   string // in stderr
		notes string
	}{
		"all":              {&forgetful{steps: steps}, exitOK, "erased: a 3, b 1\nDB: nothing is left\n", "", "begun erased map[a:3 b:1]"},
		"nothing is there": {&forgetful{steps: []store.Erased{{}}}, exitOK, "erased: no row\nDB: nothing is left\n", "", "begun erased map[]"},
		"something stays": {&forgetful{steps: steps, traces: map[string]int{"threads": 2, "audit": 1}}, exitFailure,
			"erased: a 3, b 1\nDB: still found in: audit 1, threads 2\n" + eraseStays + "\n", "", "begun erased map[a:3 b:1]"},
		"fails": {&forgetful{steps: steps[:2], failure: fmt.Errorf("%w: gone", store.ErrUnavailable)}, exitFailure, "", "run it again", "begun"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.store.ready = true
			p := newTrial(map[string]string{"DATABASE_URL": "postgres://u:hunter2@h/db", "PORT": "abc"})
			p.openStore = func(Config) (store.Store, error) { return tt.store, nil }
			code := p.run(t.Context(), []string{"erase", "--recipient", "+49 151 12345678", "--participant=p-secret", "--yes"})
			want := ""
			if tt.out != "" {
				want = strings.ReplaceAll("DB: "+tt.out, "DB", "postgres://u:***@h/db")
			}
			if code != tt.code || p.out.String() != want || !strings.Contains(p.err.String(), tt.err) {
				t.Errorf("exit code %d, printed %q and %q", code, &p.out, &p.err)
			}
			if text := p.out.String() + p.err.String() + fmt.Sprint(tt.store.notes); strings.Contains(text, "12345678") || strings.Contains(text, "p-secret") || strings.Contains(text, "hunter2") {
				t.Errorf("it tells who was erased, or a password: %s", text)
			}
			for _, person := range tt.store.persons {
				if person != (store.Person{Recipient: "+49 151 12345678", Participant: "p-secret"}) {
					t.Errorf("asked about %+v", person)
				}
			}
			if cursors := strings.Join(tt.store.cursors, ","); !strings.HasPrefix(",x 1,y ", cursors) {
				t.Errorf("cursors %q", cursors)
			}
			if notes := notesOf(tt.store.notes); notes != tt.notes || !tt.store.closed {
				t.Errorf("audit %q; closed: %v", notes, tt.store.closed)
			}
		})
	}
}

// The command waits for a push that ends, and gives up on one that does not.
func TestEraseWaitsForPushes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		leased int
		quit   time.Duration // when the user gives up; 0 is never
		code   int
		took   time.Duration
		text   string
	}{
		"until it ends":           {150, 0, exitOK, 15 * time.Second, "erased: a 3\n"},
		"for a minute":            {1_000_000, 0, exitFailure, time.Minute, "run it again: a thread of the person is being pushed"},
		"until the user gives up": {1_000_000, time.Second, exitFailure, time.Second, "run it again: enough"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, quit := context.WithCancelCause(t.Context())
				defer quit(nil)
				if tt.quit > 0 {
					time.AfterFunc(tt.quit, func() { quit(errors.New("enough")) })
				}
				st := &forgetful{leased: tt.leased, steps: []store.Erased{{Rows: map[string]int{"a": 1}, Cursor: "x 1"}, {Rows: map[string]int{"a": 2}}}}
				st.ready = true
				p := newTrial(map[string]string{"DATABASE_URL": "postgres://u:p@h/db"})
				p.openStore = func(Config) (store.Store, error) { return st, nil }
				begin := time.Now()
				code := p.run(ctx, []string{"erase", "--recipient=+4915112345678", "--yes"})
				if out := p.out.String() + p.err.String(); code != tt.code || !strings.Contains(out, tt.text) {
					t.Errorf("exit code %d, printed %q; want %d, %q", code, out, tt.code, tt.text)
				}
				if took := time.Since(begin); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

func notesOf(notes []audit.Note) string {
	var told []string
	for _, n := range notes {
		if n.Subject != "erasure" || n.Action != audit.ActionErase {
			return fmt.Sprintf("%+v", n)
		}
		told = append(told, n.Outcome)
		if n.Detail != nil {
			told = append(told, fmt.Sprint(n.Detail))
		}
	}
	return strings.Join(told, " ")
}

func TestEraseIsNotBegun(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.db")
	for name, tt := range map[string]struct {
		args  []string
		store *forgetful
		code  int
		err   string
	}{
		"nobody":          {[]string{"--yes"}, nil, exitUsage, "--recipient or --participant"},
		"short number":    {[]string{"--recipient=+12345", "--yes"}, nil, exitUsage, "at least 6 digits"},
		"no number":       {[]string{"--recipient=12345678x", "--yes"}, nil, exitUsage, "must be a number"},
		"no country":      {[]string{"--recipient=0151 98765432", "--yes"}, nil, exitUsage, "must have its country code"},
		"blank id":        {[]string{"--participant=  ", "--yes"}, nil, exitUsage, "must be an id"},
		"nobody to ask":   {[]string{"--recipient=+4915198765432"}, &forgetful{}, exitFailure, "give --yes"},
		"no such file":    {[]string{"--recipient=+4915198765432", "--yes", "--database-url=sqlite:" + missing}, nil, exitFailure, "does not exist"},
		"old schema":      {[]string{"--recipient=+4915198765432", "--yes"}, &forgetful{}, exitFailure, "its schema is old"},
		"wrong database":  {[]string{"--recipient=+4915198765432", "--yes", "--database-url=mysql:x"}, nil, exitUsage, "DATABASE_URL"},
		"no such command": {[]string{"--number=+4915198765432"}, nil, exitUsage, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrial(map[string]string{"DATABASE_URL": "postgres://u:hunter2@h/db"})
			if tt.store != nil {
				p.openStore = func(Config) (store.Store, error) { return tt.store, nil }
			}
			if code := p.run(t.Context(), append([]string{"erase"}, tt.args...)); code != tt.code || !strings.Contains(p.err.String(), tt.err) {
				t.Errorf("exit code %d, %q; want %d, %q", code, &p.err, tt.code, tt.err)
			}
			if strings.Contains(p.err.String(), "4915198765432") && name != "no such command" || p.out.Len() > 0 || exists(missing) {
				t.Errorf("printed %q and %q", &p.out, &p.err)
			}
			if tt.store != nil && len(tt.store.persons)+len(tt.store.notes) > 0 {
				t.Error("it began")
			}
		})
	}
}

func TestAskYes(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"yes\n": true, " YES ": true, "y\n": false, "\n": false, "": false, "no\nyes\n": false} {
		var out strings.Builder
		err := askYes(strings.NewReader(answer), &out, "Sure? ")
		if (err == nil) != want || out.String() != "Sure? " {
			t.Errorf("%q: %v, after %q", answer, err, out.String())
		}
	}
	if err := askYes(failingReader{}, &strings.Builder{}, ""); err == nil || !strings.Contains(err.Error(), "no line") {
		t.Errorf("an answer that cannot be read: %v", err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("no line") }
