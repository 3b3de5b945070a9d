package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/simulator"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// The actions have a path of their own: POST /simulator/sms and /simulator/threads belong to the API.
const (
	simulatorPath = "/simulator"
	makePath      = simulatorPath + "/make"
)

// simulatorPage adds nothing without a simulator: what is off answers as if it did not exist.
func (c *Console) simulatorPage() {
	if c.Simulator == nil {
		return
	}
	c.add(&page{
		Name: "simulator", Path: simulatorPath, Title: "Simulator", Menu: true, Need: access.Operator,
		load: func(_ context.Context, r *http.Request) (any, error) { return newSimulatorView(r), nil },
	})
	c.action(makePath+"/receipts", c.makeReceipts)
	c.action(makePath+"/threads", c.makeThreads)
	c.action(makePath+"/ready/{recipe}", c.makeReady)
}

// simulatorView is what the page shows.
type simulatorView struct {
	Ready     []recipe
	Statuses  []sms.Status
	Regions   []string
	Scenarios []scenario
	Most      struct {
		Receipts, Size int
		Seed           uint64
	}
	Made *made // by the last action; nil for none
}

// scenario is one to choose.
type scenario struct {
	Name simulator.Scenario
	Text string
}

var scenarios = []scenario{
	{simulator.Conversation, "a customer and an agent write to each other"},
	{simulator.Merge, "a customer’s second conversation goes into the first"},
	{simulator.Split, "half of a conversation becomes one of its own"},
	{simulator.Storm, "many changes of a few threads, out of order, some repeated"},
}

func newSimulatorView(r *http.Request) *simulatorView {
	v := &simulatorView{
		Ready: recipes, Regions: sim.Regions(), Scenarios: scenarios, Made: madeOf(r.URL.Query()),
		Statuses: []sms.Status{sms.Delivered, sms.Failed, sms.Rejected, sms.Expired, sms.Pending, sms.Unknown},
	}
	v.Most.Receipts, v.Most.Size, v.Most.Seed = simulator.MaxReceipts, simulator.MaxSize, simulator.MaxSeed
	return v
}

// recipe is traffic that one button makes.
type recipe struct {
	Name   string // in the path
	Title  string
	Text   string
	orders []order
}

// order is one call of the simulator: for receipts or for a story, which may lack seed and size.
type order struct {
	receipts *simulator.SMS
	story    *simulator.Story
}

var recipes = []recipe{
	{"bad-carrier", "A bad carrier", "200 messages to GB through BADROUTE, a third of which fail.", []order{
		{receipts: &simulator.SMS{Status: "FAILED", Carrier: "BADROUTE", Region: "GB", Count: 67}},
		{receipts: &simulator.SMS{Status: "DELIVERED", Carrier: "BADROUTE", Region: "GB", Count: 133}},
	}},
	{"good-carrier", "A better one", "200 messages to GB through GOODROUTE, all delivered. The Carriers page then names it instead of BADROUTE.", []order{
		{receipts: &simulator.SMS{Status: "DELIVERED", Carrier: "GOODROUTE", Region: "GB", Count: 200}},
	}},
	{"mixed", "Mixed traffic", "200 messages through any carrier, to any region, in any state.", []order{{receipts: &simulator.SMS{Count: 200}}}},
	{"merge", "A merge", "A customer’s two conversations become one.", []order{{story: &simulator.Story{Scenario: simulator.Merge}}}},
	{"split", "A split", "Half of a conversation becomes one of its own.", []order{{story: &simulator.Story{Scenario: simulator.Split}}}},
	{"storm", "A storm", "100 changes of a dozen threads, out of order, some repeated.", []order{{story: &simulator.Story{Scenario: simulator.Storm}}}},
}

// makeReady makes the traffic of a recipe.
func (c *Console) makeReady(ctx context.Context, r *http.Request) (next, notice string, err error) {
	i := slices.IndexFunc(recipes, func(one recipe) bool { return one.Name == r.PathValue("recipe") })
	if i < 0 {
		return "", "", &visitorError{http.StatusNotFound, "There is no such traffic."}
	}
	return c.produce(ctx, recipes[i].orders...)
}

// makeReceipts makes up receipts as the form says.
func (c *Console) makeReceipts(ctx context.Context, r *http.Request) (next, notice string, err error) {
	ask := simulator.SMS{
		Status: r.PostFormValue("status"), Carrier: strings.TrimSpace(r.PostFormValue("carrier")), Region: r.PostFormValue("region"),
	}
	if _, err := sms.ParseStatus(ask.Status); err != nil && ask.Status != "" {
		return "", "", unfit("There is no status %q.", ask.Status)
	}
	if !isCarrier(ask.Carrier) {
		return "", "", unfit("The name of a carrier must be printable ASCII of at most %d characters.", maxCarrier)
	}
	if ask.Region != "" && !slices.Contains(sim.Regions(), ask.Region) {
		return "", "", unfit("The simulator does not know the region %q.", ask.Region)
	}
	if ask.Count, err = wholeNumber(r, "count", 1, 1, simulator.MaxReceipts); err != nil {
		return "", "", err
	}
	return c.produce(ctx, order{receipts: &ask})
}

// makeThreads makes up a story about threads as the form says.
func (c *Console) makeThreads(ctx context.Context, r *http.Request) (next, notice string, err error) {
	ask := simulator.Story{Scenario: simulator.Scenario(r.PostFormValue("scenario"))}
	if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.Name == ask.Scenario }) {
		return "", "", unfit("There is no scenario %q.", ask.Scenario)
	}
	if ask.Size, err = wholeNumber(r, "size", 0, 2, simulator.MaxSize); err != nil {
		return "", "", err
	}
	seed, err := wholeNumber(r, "seed", 0, 0, simulator.MaxSeed)
	if err != nil {
		return "", "", err
	}
	ask.Seed = uint64(seed)
	return c.produce(ctx, order{story: &ask})
}

// produce fills orders one after the other.
func (c *Console) produce(ctx context.Context, orders ...order) (next, notice string, err error) {
	var all made
	for _, o := range orders {
		if err := c.fill(ctx, o, &all); err != nil {
			return "", "", refusedTraffic(err)
		}
	}
	return told(&all)
}

func (c *Console) fill(ctx context.Context, o order, all *made) error {
	if o.story != nil {
		ask := simulator.NewStory(o.story.Scenario, o.story.Seed, o.story.Size)
		posted, err := c.Simulator.Story(ctx, ask)
		all.Threads, all.Seed = append(all.Threads, posted.IDs...), ask.Seed
		all.add(posted)
		return err
	}
	posted, err := c.Simulator.SMS(ctx, *o.receipts)
	all.Messages, all.Carrier = append(all.Messages, posted.IDs...), o.receipts.Carrier
	all.add(posted)
	return err
}

// refusedTraffic turns a *simulator.BusyError into an error for the visitor, and returns any other as it is.
func refusedTraffic(err error) error {
	if busy, isBusy := errors.AsType[*simulator.BusyError](err); isBusy {
		return &visitorError{http.StatusServiceUnavailable, sentence(busy.Error()) + " Those are kept. Try again in a moment."}
	}
	return err
}

func unfit(format string, values ...any) error {
	return &visitorError{http.StatusUnprocessableEntity, fmt.Sprintf(format, values...)}
}

// wholeNumber reads a number of a form. A field that is left empty means otherwise.
func wholeNumber(r *http.Request, name string, otherwise, least, most int) (int, error) {
	text := strings.TrimSpace(r.PostFormValue(name))
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, unfit("The %s must be a whole number from %d to %d.", name, least, most)
	}
	return n, nil
}

// maxCarrier bounds the name of a carrier, as the API does.
const maxCarrier = 64

func isCarrier(name string) bool {
	return len(name) <= maxCarrier && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
}

// made is what an action has made. The query of the page that follows carries it.
type made struct {
	Messages    []string // ids; the page shows some of them
	Threads     []string
	Carrier     string // of all the messages; "" where they differ
	Events      int
	Spooled     int
	Quarantined int
	Seed        uint64 // of the story; 0 for messages
}

func (m *made) add(posted simulator.Posted) {
	m.Events += posted.Events
	m.Spooled += posted.Spooled
	m.Quarantined += posted.Quarantined
}

// madeShown is how many messages or threads the page shows.
const madeShown = 12

// told returns the path back to the page, which shows what was made, and the notice.
func told(m *made) (next, notice string, err error) {
	query := url.Values{
		"message": m.Messages[:min(len(m.Messages), madeShown)], "thread": m.Threads[:min(len(m.Threads), madeShown)],
		"events": {strconv.Itoa(m.Events)},
	}
	if m.Carrier != "" {
		query.Set("carrier", m.Carrier)
	}
	if m.Seed != 0 {
		query.Set("seed", strconv.FormatUint(m.Seed, 10))
	}
	what := plainPlural(m.Events, "event is", "events are")
	if m.Seed == 0 {
		what = plainPlural(m.Events, "receipt is", "receipts are")
	}
	notice = what + " durable."
	if m.Quarantined > 0 {
		notice += fmt.Sprintf(" %s kept as dead letters, by the policy for sender IDs.", plainPlural(m.Quarantined, "of them is", "of them are"))
	}
	if m.Spooled > 0 {
		notice += fmt.Sprintf(" %s in the spool, until the database is back.", plainPlural(m.Spooled, "of them waits", "of them wait"))
	}
	return simulatorPath + "?" + query.Encode(), notice, nil
}

// madeOf reads what was made. It is nil where nothing was.
func madeOf(query url.Values) *made {
	m := &made{Messages: query["message"], Threads: query["thread"], Carrier: query.Get("carrier")}
	m.Messages, m.Threads = m.Messages[:min(len(m.Messages), madeShown)], m.Threads[:min(len(m.Threads), madeShown)]
	if len(m.Messages)+len(m.Threads) == 0 {
		return nil
	}
	m.Events, _ = strconv.Atoi(query.Get("events")) // 0 is not shown
	m.Seed, _ = strconv.ParseUint(query.Get("seed"), 10, 64)
	return m
}

// IDs returns links to the messages or threads that are shown.
func (m *made) IDs() []link {
	var all []link
	for _, id := range m.Messages {
		all = append(all, link{Text: id, URL: pathOf(messagesPath, id)})
	}
	for _, id := range m.Threads {
		all = append(all, link{Text: id, URL: pathOf(threadsPath, id)})
	}
	return all
}

// More returns how many messages are not shown. Each has one receipt.
func (m *made) More() int {
	if len(m.Messages) == 0 {
		return 0
	}
	return max(0, m.Events-len(m.Messages))
}

// CarriersPath leads to the figures of the messages' carrier.
func (m *made) CarriersPath() string {
	return withQuery("/carriers", map[string]string{"window": "1h", "carrier": m.Carrier})
}
