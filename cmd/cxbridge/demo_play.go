package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// demonstration plays traffic against a service and shows what becomes of it.
type demonstration struct {
	service  *service
	out      io.Writer
	terminal bool
	command  demoCommand
	traffic  *sim.Traffic
	ledger   *sim.Ledger
	sender   *sim.Sender
	threads  *threadsDemo
	kinds    kindCounter
	broken   brokenBodies
	began    time.Time
	drawn    int // lines of the summary on the terminal
}

func newDemonstration(c demoCommand, s *service, remote *remotes, out io.Writer) *demonstration {
	if c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	d := &demonstration{
		service: s, out: out, terminal: isTerminal(out), command: c, ledger: sim.NewLedger(),
		traffic: sim.NewTraffic(rand.New(rand.NewPCG(c.Seed, c.Seed))),
	}
	d.threads = newThreadsDemo(d, remote.crm, c.Seed)
	remote.cxone.ServeThreads(d.threads.thread)
	return d
}

// run serves until the demonstration is over.
func (d *demonstration) run(ctx context.Context) error {
	serving, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var served error
	running.Go(func() { served = d.service.run(serving) })
	err := d.play(ctx)
	if err == nil && d.terminal && ctx.Err() == nil {
		fmt.Fprintf(d.out, "Some traffic goes on, for you to look around at %s. Ctrl-C ends it.\n", d.service.address())
		d.goOn(ctx)
	}
	stop()
	running.Wait()
	return errors.Join(err, served)
}

// afterRate is how many posts a second go on once the outcome is checked.
const afterRate = 10

// goOn sends some traffic until ctx is done.
func (d *demonstration) goOn(ctx context.Context) {
	d.sender.Rate = afterRate
	d.sender.Run(ctx, func() (sim.Post, bool) { return d.traffic.Next(time.Now()), true })
}

// introduce says where to look.
func (d *demonstration) introduce(logPath string) {
	address, token := d.service.address(), d.service.config.AdminToken.Reveal()
	fmt.Fprintf(d.out, `cxbridge demo: one process, an embedded database, a simulated CXone and CRM, %v of traffic.

  console         %s
  operator token  %s
  log             %s
  this traffic    cxbridge demo --seed %d

Open the console and sign in with the token: which carrier is bad, and why, is on its first page. So is a thread
that the CRM refused, for a reason that passes in seconds: replay its dead letter, and see it go.

`, d.command.Duration, address, token, logPath, d.command.Seed)
}

// play sends the traffic through the real webhooks, then checks the outcome.
func (d *demonstration) play(ctx context.Context) error {
	d.sender = &sim.Sender{
		URL:  d.service.address() + smsPath,
		Sign: sim.BySecret(d.service.config.WebhookSecrets[0].Reveal()),
		Rate: d.command.Rate, Workers: 16, Retries: 10,
		Answered: func(p sim.Post, a sim.Answer) {
			if a.Status == p.Answer {
				d.ledger.Record(p)
			}
			d.kinds.add(p.Kind)
			if p.Kind == sim.Malformed || p.Kind == sim.Invalid {
				d.broken.add(p.Body)
			}
		},
	}
	d.began = time.Now()
	shown, stopShowing := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.show(shown)
	}()
	traffic, endTraffic := context.WithTimeout(ctx, d.command.Duration)
	social := make(chan error, 1)
	go func() { social <- d.threads.play(ctx, d.began.Add(d.command.Duration)) }()
	d.sender.Run(traffic, func() (sim.Post, bool) { return d.traffic.Next(time.Now()), true })
	endTraffic()
	if ctx.Err() == nil {
		d.sender.Rate = 0
		d.sender.Run(ctx, d.traffic.Rest)
	}
	err := <-social
	stopShowing()
	<-done
	if err == nil && ctx.Err() == nil {
		err = d.check(ctx)
	}
	if ctx.Err() != nil {
		return nil // asked to stop; what was sent and checked so far proves nothing
	}
	return err
}

// check compares what the API says about every message with the ledger of what was sent.
func (d *demonstration) check(ctx context.Context) error {
	expected := d.ledger.Expected()
	var wrong []string
	for _, id := range slices.Sorted(maps.Keys(expected)) {
		got, err := d.ask(ctx, id)
		if err != nil {
			return fmt.Errorf("check %s: %w", id, err)
		}
		if got != expected[id] {
			wrong = append(wrong, fmt.Sprintf("  %s is %+v, and must be %+v", id, got, expected[id]))
		}
	}
	counts := d.sender.Counts()
	if counts.GivenUp > 0 {
		wrong = append(wrong, fmt.Sprintf("  %d posts were never answered", counts.GivenUp))
	}
	missing, deleted, err := d.missingLetters(ctx)
	if err != nil {
		return fmt.Errorf("check the dead letters: %w", err)
	}
	if missing > deleted {
		wrong = append(wrong, fmt.Sprintf("  %d dead letters are missing, and only %d were deleted", missing, deleted))
	}
	if len(wrong) > 0 {
		fmt.Fprintf(d.out, "WRONG: this differs from what was sent of %d messages:\n", len(expected))
		for _, line := range wrong[:min(len(wrong), 20)] {
			fmt.Fprintln(d.out, line)
		}
		return errors.New("the demo found something wrong")
	}
	totals := d.ledger.Totals()
	fmt.Fprintf(d.out, "Checked: all %d messages are in the state that follows from their %d receipts, each receipt is kept once,\n"+
		"%d repeats changed nothing, and all %d broken bodies are kept as dead letters%s.\n",
		len(expected), totals.Receipts, totals.Repeats, len(d.broken.bodies), butDeleted(missing))
	return d.checkThreads(ctx)
}

// butDeleted names the dead letters that somebody deleted at the console as an exception.
func butDeleted(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", except %d that an operator deleted", n)
}

// checkThreads compares the CRM with CXone once more: an operator may have replayed a thread.
func (d *demonstration) checkThreads(ctx context.Context) error {
	if err := d.threads.awaitEqual(ctx); err != nil {
		return err
	}
	state, err := d.threads.parked.state(ctx, d.service.store)
	if err != nil {
		return err
	}
	fmt.Fprint(d.out, d.threads.verdict(state))
	return nil
}

// ask reads a message through the API.
func (d *demonstration) ask(ctx context.Context, id string) (sim.State, error) {
	target := d.service.address() + "/api/messages/" + url.PathEscape(id)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return sim.State{}, err
	}
	request.Header.Set("Authorization", "Bearer "+d.service.config.AdminToken.Reveal())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return sim.State{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return sim.State{}, fmt.Errorf("the API answers %s", response.Status)
	}
	var m struct {
		Status, Carrier, Region string
		Compliance              sms.Compliance
		Receipts                []json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&m); err != nil {
		return sim.State{}, err
	}
	return sim.State{
		Status: m.Status, Carrier: m.Carrier, Region: m.Region,
		BadSender: m.Compliance == sms.Violation, Receipts: len(m.Receipts),
	}, nil
}
