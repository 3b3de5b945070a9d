package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// trailShown is how many audit entries about a thread a page has.
const trailShown = 100

// trailEntry is an audit entry about a thread, in words.
type trailEntry struct {
	At      time.Time
	Action  string
	Level   string // of the outcome
	Outcome string
	Status  int   // HTTP status of the CRM's answer; 0 for none
	Version int64 // 0 for none
	Told    string
	Reason  string
	Took    time.Duration
}

// trailDetail holds the details of audit entries about threads, of all actions together.
type trailDetail struct {
	Status, Requests, Added, Updated, Removed, Kept int
	Messages, Participants, Bytes                   int
	Version, DeadLetter, Ms                         int64
	Type                                            thread.Type
	Thread, Parent, Kind, Item, Reason              string
}

func detailOf(e *audit.Entry) (d trailDetail) {
	// A member that cannot be read comes from another release. The rest is shown all the same.
	_ = json.Unmarshal([]byte(e.Detail), &d)
	return d
}

// outcomeLevels says how good or bad an outcome is. Others are neutral.
var outcomeLevels = map[string]string{
	"acknowledged": "ok", "unchanged": "ok", "conflict": "warn", "throttled": "warn", "failed": "bad", "parked": "bad",
	"kept as a dead letter": "bad", "merged": "info", "forgotten": "warn", "aborted": "warn",
}

// actionNames says in words what was done.
var actionNames = map[audit.Action]string{
	audit.ActionEvent: "Event applied", audit.ActionPush: "Pushed to the CRM", audit.ActionConflict: "Another writer’s change",
	audit.ActionSetAside: "Set aside", audit.ActionPark: "Parked", audit.ActionReplay: "Replayed", audit.ActionReconcile: "Tried at once",
}

// loadTrail reads the audit of a thread, newest first.
func (c *Console) loadTrail(ctx context.Context, id string) ([]trailEntry, error) {
	entries, err := c.Store.AuditEntries(ctx, audit.ThreadSubject(id), 0, trailShown)
	if err != nil {
		return nil, err
	}
	trail := make([]trailEntry, len(entries))
	for i := range entries {
		trail[i] = trailOf(&entries[i])
	}
	return trail, nil
}

func trailOf(e *audit.Entry) trailEntry {
	d := detailOf(e)
	return trailEntry{
		At: e.At, Action: cmp.Or(actionNames[e.Action], string(e.Action)),
		Level: cmp.Or(outcomeLevels[e.Outcome], "neutral"), Outcome: e.Outcome, Status: d.Status, Version: d.Version,
		Told: d.told(e.Action, e.Subject), Reason: d.Reason, Took: time.Duration(d.Ms) * time.Millisecond,
	}
}

// told says in words what an entry holds besides its columns.
func (d *trailDetail) told(action audit.Action, subject string) string {
	switch action {
	case audit.ActionEvent, audit.ActionReplay:
		return d.toldEvent(subject)
	case audit.ActionPush:
		parts := countedParts(part{d.Added, "added"}, part{d.Updated, "updated"}, part{d.Removed, "removed"})
		if d.Requests > 1 {
			parts = append(parts, fmt.Sprintf("in %d requests", d.Requests))
		}
		return strings.Join(parts, ", ")
	case audit.ActionConflict:
		if d.Kept > 0 {
			return english.Plural(d.Kept, "change", "") + " kept in the CRM"
		}
		return "merged with ours"
	case audit.ActionSetAside:
		return strings.TrimSpace(d.Kind + " " + d.Item)
	}
	return ""
}

func (d *trailDetail) toldEvent(subject string) string {
	var parts []string
	if d.Type != "" {
		parts = append(parts, string(d.Type))
	}
	if d.Thread != "" && audit.ThreadSubject(d.Thread) != subject {
		parts = append(parts, "of "+d.Thread)
	}
	if d.Parent != "" && audit.ThreadSubject(d.Parent) != subject {
		parts = append(parts, "parent "+d.Parent)
	}
	for _, p := range []part{{d.Messages, "message"}, {d.Participants, "participant"}} {
		if p.n > 0 {
			parts = append(parts, english.Plural(p.n, p.what, ""))
		}
	}
	if d.DeadLetter != 0 {
		parts = append(parts, fmt.Sprintf("dead letter %d", d.DeadLetter))
	}
	return strings.Join(parts, ", ")
}

// part is a number of things.
type part struct {
	n    int
	what string
}

// countedParts writes the numbers that are not zero.
func countedParts(parts ...part) (told []string) {
	for _, p := range parts {
		if p.n != 0 {
			told = append(told, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return told
}

// movedBy returns how many messages a split moved from a parent to a child, from the audit of the child; 0
// when that does not say. Repeated events of one split list the same messages, so the longest list counts.
func movedBy(entries []audit.Entry, child, parent string) (most int) {
	for i := range entries {
		d := detailOf(&entries[i])
		if d.Type == thread.Split && d.Thread == child && d.Parent == parent {
			most = max(most, d.Messages)
		}
	}
	return most
}
