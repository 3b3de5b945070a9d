package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cxbridge/cxbridge/internal/simulator"
)

type simulateCommand struct {
	FileSettings
	SimulateSettings `group:"Secrets and tokens"`

	Server   *url.URL       `arg:"" optional:"" name:"url" default:"http://localhost:3000" help:"Where cxbridge runs."`
	Scenario string         `placeholder:"NAME|FILE" help:"What to post: bad-carrier, black-friday, merge-and-split, or the path of a YAML file. See docs/simulator.md."`
	Rate     *float64       `placeholder:"N" help:"Posts per second without a scenario, up to 20000; 200 when left out."`
	Duration *time.Duration `placeholder:"TIME" help:"How long to post without a scenario, up to 24h; 30s when left out."`
	Kind     simulator.Kind `placeholder:"KIND" help:"Which webhooks get posts without a scenario: sms, threads or both; both when left out."`
	Seed     uint64         `default:"0" placeholder:"N" help:"Repeats the events of an earlier run; 0 draws new ones."`
	Workers  int            `default:"64" placeholder:"N" help:"Posts under way at a time for each webhook, from 1 to 1000."`
	Retries  int            `default:"10" placeholder:"N" help:"Attempts after the first one, from 0 to 100, each after the answer's Retry-After, or a second."`
	Verify   int            `default:"2000" placeholder:"N" help:"How many messages, threads and dead letters to look at in the end, at most, up to 100000 of each. 0 looks at none."`
	Settle   time.Duration  `default:"30s" placeholder:"TIME" help:"How long to wait in the end for what cxbridge has spooled, up to 1h."`
	Timeout  time.Duration  `default:"30s" placeholder:"TIME" help:"How long one answer may take."`

	ThreadIDs string `name:"thread-ids" default:"any" placeholder:"FORMAT" enum:"any,uuid" help:"Ids of threads: any makes texts as social networks use them, uuid is for a cxbridge that accepts only UUIDs."`

	script *simulator.Script
}

// SimulateSettings say how the simulator proves who it is. Their names are those of the settings of serve.
type SimulateSettings struct {
	WebhookSecret Value `placeholder:"TEXT" secret:"" needed:"" list:"," help:"What the webhooks take as a proof. Of several the first is sent."`
	AdminToken    Value `placeholder:"TEXT" secret:"" help:"Bearer token of the operator, to verify all that arrived."`
	ViewerToken   Value `placeholder:"TEXT" secret:"" help:"Bearer token of the viewer, to verify messages and threads without the token of the operator."`
}

const simulateDetail = `Posts made-up receipts and threads to a running cxbridge, as CXone would, at a rate that does not
wait for its answers. Then it asks the API what has become of them, and says what differs. What
it posts stays, and goes to the CRM: do not point it at a cxbridge that real systems depend on. The same
seed posts the same events in the same order, at the same times after the start. Exits 1 if anything is
wrong, or if it is stopped early.

Examples:
  cxbridge simulate
  cxbridge simulate https://cxbridge.example.com --rate 1000 --duration 5m --kind sms --seed 7
  cxbridge simulate --scenario bad-carrier

With --scenario the scenario sets the rates, times and kinds.`

// Help returns what the help of the command says besides its settings.
func (simulateCommand) Help() string { return simulateDetail }

// Validate is called by kong. Its error lists all that is wrong.
func (c *simulateCommand) Validate() error {
	var wrong []error
	require := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, errors.New(what))
		}
	}
	require(c.Server.Host != "" && (c.Server.Scheme == "http" || c.Server.Scheme == "https"),
		"the address must be an http or https URL, such as http://localhost:3000")
	require(c.Workers >= 1 && c.Workers <= 1000, "--workers must be from 1 to 1000")
	require(c.Retries >= 0 && c.Retries <= 100, "--retries must be from 0 to 100")
	require(c.Verify >= 0 && c.Verify <= 100_000, "--verify must be from 0 to 100000")
	require(c.Settle >= 0 && c.Settle <= time.Hour, "--settle must be from 0s to 1h")
	require(c.Timeout > 0, "--timeout must be above 0")
	var err error
	c.script, err = c.whatToPlay(require)
	return errors.Join(append(wrong, err)...)
}

// What is played without a scenario, unless the flags say something else.
const (
	usualRate     = 200
	usualDuration = 30 * time.Second
)

// whatToPlay returns the scenario, or else makes one from the flags, which it requires to be right.
func (c *simulateCommand) whatToPlay(require func(ok bool, what string)) (*simulator.Script, error) {
	if c.Scenario != "" {
		require(c.Rate == nil && c.Duration == nil && c.Kind == "",
			"--scenario sets the rates, times and kinds: leave out --rate, --duration and --kind")
		script, err := simulator.LoadScript(c.Scenario)
		if err != nil {
			return nil, fmt.Errorf("the scenario %s cannot be played:\n%w", c.Scenario, err)
		}
		return script, nil
	}
	rate, duration := float64(usualRate), usualDuration
	if c.Rate != nil {
		rate = *c.Rate
	}
	if c.Duration != nil {
		duration = *c.Duration
	}
	kind := cmp.Or(c.Kind, simulator.KindBoth)
	require(rate >= simulator.MinRate && rate <= simulator.MaxRate,
		fmt.Sprintf("--rate must be from %v to %d", simulator.MinRate, simulator.MaxRate))
	require(duration > 0 && duration <= simulator.MaxDuration,
		fmt.Sprintf("--duration must be above 0s and at most %v", simulator.MaxDuration))
	require(kind == simulator.KindSMS || kind == simulator.KindThreads || kind == simulator.KindBoth,
		"--kind must be sms, threads or both")
	return simulator.Steady(kind, rate, duration), nil
}

// errSimulationWrong says that something was wrong; the output says what.
var errSimulationWrong = errors.New("what was simulated did not arrive as it should")

func (c *simulateCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	r := &resolver{problems: load(k, p.env)}
	secrets := r.webhookSecrets(c.WebhookSecret)
	admin, viewer := r.token(c.AdminToken), r.token(c.ViewerToken)
	r.required(c.WebhookSecret)
	if err := r.err(); err != nil {
		return err
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64N(maxDrawnSeed) + 1
	}
	client := c.client()
	defer client.CloseIdleConnections()
	api := &apiClient{server: c.Server, token: admin, http: client}
	if admin == "" {
		api.token = viewer
	}
	if err := reach(ctx, api); err != nil {
		return err
	}
	s := newSimulation(c, secrets[0], client)
	s.play(ctx, p.stderr)
	v := &verification{simulation: s, api: api, operator: admin != ""}
	v.run(ctx, p.stderr)
	s.print(p.stdout)
	v.print(p.stdout)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.stopped() != nil:
		return s.stopped()
	case v.err != nil:
		return fmt.Errorf("verify what arrived: %w", v.err)
	case s.wrong() > 0 || v.wrong() > 0:
		return errSimulationWrong
	}
	return nil
}

// maxDrawnSeed keeps the seeds that are drawn short enough to be typed.
const maxDrawnSeed = 1_000_000

// client returns a client that keeps a connection for each worker, and does not follow redirects, which
// would carry the secret to another host.
func (c *simulateCommand) client() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 2*c.Workers
	return &http.Client{
		Timeout: c.Timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reach returns an error unless there is a cxbridge at the address, and it takes the token if there is one.
func reach(ctx context.Context, api *apiClient) error {
	var answer any
	if api.token == "" {
		return api.do(ctx, http.MethodGet, api.server.JoinPath("healthz"), nil, &answer)
	}
	target := api.server.JoinPath("api", "threads")
	target.RawQuery = "limit=1"
	return api.do(ctx, http.MethodGet, target, nil, &answer)
}
