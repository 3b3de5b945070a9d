package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

func (c *Console) systemPage() {
	c.add(&page{
		Name: "system", Path: "/system", Title: "System", Menu: true, Need: access.Viewer,
		load: func(ctx context.Context, _ *http.Request) (any, error) { return c.loadSystem(ctx) },
		live: []string{"system-state", "system-in", "system-out", "system-replicas", "system-alarms"},
		calm: []string{"system-alarms"},
	})
}

// systemView is what the page shows. What the database did not answer is nil.
type systemView struct {
	Ready         bool
	Parts         []healthPart
	Subscriptions []healthPart // at CXone
	Figures       status.Figures
	Database      *store.Description
	Backlog       *store.Backlog
	Replicas      []replicaRow
	Alarms        []alarmRow
	HasCRM        bool
	Chosen, Usual []Setting // those that somebody set, and those at their default
}

const (
	// systemTimeout is how long the database may take. The page then shows the rest.
	systemTimeout = 3 * time.Second

	// silentAfter is how long a replica may be silent: it reports every ten seconds.
	silentAfter = 35 * time.Second
)

func (c *Console) loadSystem(ctx context.Context) (*systemView, error) {
	ctx, cancel := context.WithTimeout(ctx, systemTimeout)
	defer cancel()
	v := &systemView{Figures: c.Figures.Figures(), HasCRM: c.HasCRM}
	for _, s := range c.Settings {
		if s.Source == "default" {
			v.Usual = append(v.Usual, s)
		} else {
			v.Chosen = append(v.Chosen, s)
		}
	}
	err := gather(
		func() error {
			ok, parts := c.Health.Ready()
			v.Ready = ok
			v.Parts, v.Subscriptions = apart(partsOf(parts))
			return nil
		},
		func() error {
			d, err := c.Store.Describe(ctx)
			if err == nil {
				v.Database = &d
			}
			return err
		},
		func() error {
			backlog, err := c.Store.Backlog(ctx, maxCount)
			if err == nil {
				v.Backlog = &backlog
			}
			return err
		},
		func() error {
			replicas, err := c.Store.Replicas(ctx)
			v.Replicas = replicaRows(replicas, c.now())
			return err
		},
		func() error {
			alarms, err := c.Store.Alarms(ctx, maxAlarms)
			v.Alarms = alarmRows(alarms)
			return err
		},
	)
	return v, err
}

// Uptime returns how long this process has run, in whole seconds.
func (v *systemView) Uptime() time.Duration {
	return time.Duration(v.Figures.UptimeSeconds * float64(time.Second)).Truncate(time.Second)
}

// ErrorRate returns the share of events in error, in per cent; nil before the first event.
func (v *systemView) ErrorRate() *float64 {
	if v.Figures.TotalProcessed == 0 {
		return nil
	}
	rate := 100 * float64(v.Figures.TotalErrors) / float64(v.Figures.TotalProcessed)
	return &rate
}

// Spool returns the state of the spool; nil if there is none.
func (v *systemView) Spool() *healthPart {
	for i := range v.Parts {
		if v.Parts[i].Name == "spool" {
			return &v.Parts[i]
		}
	}
	return nil
}

// Silent returns how many replicas are silent.
func (v *systemView) Silent() int {
	n := 0
	for _, r := range v.Replicas {
		if r.IsSilent {
			n++
		}
	}
	return n
}

// subscriptionPrefix begins the names of the parts that are subscriptions at CXone.
const subscriptionPrefix = "cxone "

// apart separates the subscriptions at CXone from the other parts.
func apart(all []healthPart) (parts, subscriptions []healthPart) {
	for _, p := range all {
		if name, ok := strings.CutPrefix(p.Name, subscriptionPrefix); ok {
			p.Name = name
			subscriptions = append(subscriptions, p)
		} else {
			parts = append(parts, p)
		}
	}
	return parts, subscriptions
}

// replicaRow is a process that works on the database.
type replicaRow struct {
	store.Replica
	IsSilent bool
}

func replicaRows(replicas []store.Replica, now time.Time) []replicaRow {
	rows := make([]replicaRow, len(replicas))
	for i, r := range replicas {
		rows[i] = replicaRow{r, now.Sub(r.Seen) > silentAfter}
	}
	return rows
}

// alarmRow is an alarm that is raised, or was.
type alarmRow struct{ store.Alarm }

func alarmRows(alarms []store.Alarm) []alarmRow {
	rows := make([]alarmRow, len(alarms))
	for i, a := range alarms {
		rows[i] = alarmRow{a}
	}
	return rows
}

// IsRaised reports whether it is not over.
func (a alarmRow) IsRaised() bool { return a.Cleared.IsZero() }

// Lasted returns how long it was raised.
func (a alarmRow) Lasted() time.Duration { return max(0, a.Cleared.Sub(a.Raised)) }

// Text describes the figures that raised or cleared it; "" for an alarm that is not known here.
func (a alarmRow) Text() string {
	if a.Name == store.SlowCarrier {
		return capital(alarmText(a.Alarm))
	}
	return ""
}

// What returns the name of the alarm in words.
func (a alarmRow) What() string { return capital(strings.ReplaceAll(a.Name, "-", " ")) }

// Path leads to what the alarm is about; "" where that has no page.
func (a alarmRow) Path() string {
	if a.Name == store.SlowCarrier {
		return "/carriers?" + url.Values{"carrier": {a.Subject}}.Encode()
	}
	return ""
}
