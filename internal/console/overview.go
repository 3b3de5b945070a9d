package console

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/fault"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

func (c *Console) overviewPage() {
	c.add(&page{
		Name: "overview", Path: "/{$}", Title: "Overview", Menu: true, Need: access.Viewer,
		load: func(ctx context.Context, r *http.Request) (any, error) { return c.loadOverview(ctx, r) },
		live: []string{"overview-away", "overview-attention", "overview-figures", "overview-charts"},
		calm: []string{"overview-charts"}, loadCalm: drawOverview,
	})
}

// drawOverview adds the charts to an overview.
func drawOverview(_ context.Context, _ *http.Request, data any) (err error) {
	if o := data.(*overview); o.Report != nil {
		o.Charts, err = overviewCharts(o.Report, o.Window)
	}
	return err
}

// overview is what the page shows. What the database did not answer is nil.
type overview struct {
	Window    window
	Report    *analytics.Report
	Backlog   *store.Backlog
	Alarms    []store.Alarm // raised
	Letters   int           // up to maxCount
	Figures   status.Figures
	Ready     bool
	Parts     []healthPart
	Findings  []finding
	Charts    []*drawing
	HasCRM    bool
	MayReplay bool
	SLA       time.Duration
	now       time.Time
}

const (
	// overviewTimeout is how long the parts of the overview may take. Those that take longer are left out.
	overviewTimeout = 3 * time.Second

	// maxCount bounds counts that would take long. More is shown as "1,000+".
	maxCount = 1000

	maxAlarms = 50 // that are shown
)

func (c *Console) loadOverview(ctx context.Context, r *http.Request) (*overview, error) {
	w, err := windowOf(r, "1h")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, overviewTimeout)
	defer cancel()
	o := &overview{
		Window: w, Figures: c.Figures.Figures(), HasCRM: c.HasCRM, SLA: c.SLA, now: c.now(),
		MayReplay: c.roleOf(r) >= access.Operator,
	}
	err = gather(
		func() error {
			ok, parts := c.Health.Ready()
			o.Ready, o.Parts = ok, partsOf(parts)
			return nil
		},
		func() (err error) {
			o.Report, err = c.Delivery.Recent(ctx, answers.Question{Length: w.length, Step: w.step})
			return err
		},
		func() error {
			backlog, err := c.Store.Backlog(ctx, maxCount)
			if err == nil {
				o.Backlog = &backlog
			}
			return err
		},
		func() error {
			alarms, err := c.Store.Alarms(ctx, maxAlarms)
			o.Alarms = raised(alarms)
			return err
		},
		func() (err error) {
			o.Letters, err = c.Store.CountDeadLetters(ctx, store.LetterFilter{}, maxCount)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	o.Findings = c.attention(o)
	for i := range o.Findings { // the names of carriers are in the texts
		o.Findings[i].Text = directions.Replace(o.Findings[i].Text)
	}
	return o, nil
}

// Away reports whether the database did not answer everything.
func (o *overview) Away() bool { return o.Report == nil || o.Backlog == nil }

// SLAMissed reports whether too few receipts were durable in time.
func (o *overview) SLAMissed() bool {
	return o.Report != nil && o.Report.SLACompliance != nil && *o.Report.SLACompliance < slaGoal
}

// Waiting returns the number of threads that the CRM lacks something of.
func (o *overview) Waiting() int { return o.Backlog.Pending + o.Backlog.Parked }

// Part returns the part of a name, and the zero one if there is none.
func (o *overview) Part(name string) healthPart {
	for _, p := range o.Parts {
		if p.Name == name {
			return p
		}
	}
	return healthPart{}
}

// raised returns the alarms about slow carriers that are raised.
func raised(alarms []store.Alarm) []store.Alarm {
	var found []store.Alarm
	for _, a := range alarms {
		if a.Name == store.SlowCarrier && a.Cleared.IsZero() {
			found = append(found, a)
		}
	}
	return found
}

// gather does several things at the same time, and returns their errors. It ignores that the database does
// not answer: what it would have brought is then missing. A panic becomes an error, so that it ends only the
// page.
func gather(all ...func() error) error {
	failed := make([]error, len(all))
	var group sync.WaitGroup
	for i, do := range all {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					failed[i] = fault.Error(p)
				}
			}()
			if err := do(); !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
				failed[i] = err
			}
		})
	}
	group.Wait()
	return errors.Join(failed...)
}
