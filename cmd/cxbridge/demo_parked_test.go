package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/deadletter"
	"github.com/cxbridge/cxbridge/internal/store"
)

// startDemo returns a demonstration that has posted the thread that the CRM refuses, and what it prints.
func startDemo(t *testing.T) (*demonstration, *bytes.Buffer) {
	t.Helper()
	remote, err := startRemotes()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remote.close)
	vars := maps.Clone(needed)
	maps.Copy(vars, map[string]string{"CRM_API_URL": remote.crmURL, "CRM_API_TOKEN": remote.crmToken, "SIMULATOR": "true"})
	out := &bytes.Buffer{}
	d := newDemonstration(demoCommand{Seed: 1}, startService(t, vars), remote, out)
	if err := d.threads.postParked(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the thread is parked", func() bool { return d.parkedState(t) == store.StateParked })
	return d, out
}

func (d *demonstration) parkedState(t *testing.T) store.SyncState {
	t.Helper()
	state, err := d.threads.parked.state(t.Context(), d.service.store)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// letter returns the newest dead letter.
func (d *demonstration) letter(t *testing.T) store.DeadLetter {
	t.Helper()
	letters, err := d.service.store.DeadLetters(t.Context(), 0, 1)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d dead letters, %v", len(letters), err)
	}
	return letters[0]
}

// replay does what an operator does with a click.
func (d *demonstration) replay(t *testing.T) {
	t.Helper()
	var answer struct{ Replayed bool }
	path := fmt.Sprintf("/api/dead-letters/%d/replay", d.letter(t).ID)
	if status := ask(t, d.service, http.MethodPost, path, "", &answer); status != http.StatusOK || !answer.Replayed {
		t.Fatalf("replay: %d %+v", status, answer)
	}
}

// missing returns what missingLetters does.
func (d *demonstration) missing(t *testing.T) (counts [2]int) {
	t.Helper()
	missing, deleted, err := d.missingLetters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return [2]int{missing, deleted}
}

// A replay of the dead letter fails at first, and succeeds once the CRM takes the thread. Threads that are
// made up at the console meanwhile do not count as differences.
func TestDemoReplay(t *testing.T) {
	t.Parallel()
	d, out := startDemo(t)
	letter := d.letter(t)
	if letter.Kind != store.KindThreadPush || letter.Subject != parkedThreadID || !strings.Contains(letter.Reason, "awaits approval") {
		t.Errorf("the dead letter is %+v", letter)
	}
	if err := d.threads.storm(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := d.checkThreads(t.Context()); err != nil || !strings.Contains(out.String(), "waits for an operator to replay it") {
		t.Fatalf("%v\n%s", err, out)
	}

	d.approve(time.Now().Add(time.Hour))
	d.replay(t)
	await(t, "it is parked again", func() bool { return d.parkedState(t) == store.StateParked })
	if again := d.letter(t); again.ID != letter.ID || again.Replays != 1 {
		t.Errorf("after it was refused again the dead letter is %+v", again)
	}

	d.approve(time.Now())
	d.replay(t)
	await(t, "the CRM has it", func() bool { return d.parkedState(t) == store.StateSynced })
	var made struct{ Success bool }
	if ask(t, d.service, http.MethodPost, "/simulator/threads", `{"scenario":"merge"}`, &made); !made.Success {
		t.Error("nothing is simulated")
	}
	if err := d.checkThreads(t.Context()); err != nil || !strings.Contains(out.String(), "was replayed since and is equal, too") {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := d.missing(t); got != [2]int{} {
		t.Errorf("missing and deleted: %v", got)
	}
	if _, isThere := d.threads.crm.Conversation(parkedThreadID); !isThere {
		t.Error("the CRM does not have it")
	}
}

// approve lets the CRM take the thread from a time on.
func (d *demonstration) approve(from time.Time) {
	p := d.threads.parked
	p.mu.Lock()
	defer p.mu.Unlock()
	p.approved = from
}

// A demo that is stopped while it waits for the CRM does not claim that the CRM was equal.
func TestDemoStoppedWhileItWaits(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := d.threads.awaitEqual(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A dead letter that an operator deletes is not missed, and one that is lost is.
func TestDemoMissesDeadLetters(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	if got := d.missing(t); got != [2]int{} {
		t.Errorf("at first missing and deleted: %v", got)
	}
	lost := d.letter(t).ID
	var answer any
	const broken = `{"messageId":"m-1"}`
	if status := ask(t, d.service, http.MethodPost, smsPath, broken, &answer); status != http.StatusUnprocessableEntity {
		t.Fatalf("a broken receipt: %d %v", status, answer)
	}
	d.broken.add([]byte(broken))
	if got := d.missing(t); got != [2]int{} {
		t.Errorf("with two dead letters: %v", got)
	}
	office := &deadletter.Office{Store: d.service.store}
	if err := office.Delete(t.Context(), d.letter(t).ID); err != nil {
		t.Fatal(err)
	}
	if got := d.missing(t); got != [2]int{1, 1} {
		t.Errorf("one was deleted: %v", got)
	}
	if err := d.service.store.DeleteDeadLetter(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if got := d.missing(t); got != [2]int{2, 1} {
		t.Errorf("one more was lost: %v", got)
	}
}
