package sim_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// cxone is what CXone has when the CRM has what newCRM gives it.
func cxone(change func(*sim.Conversation)) []sim.Conversation {
	c := sim.Conversation{
		ThreadID: "t1", Version: 3, UpdatedAt: time.Date(2026, 11, 22, 2, 44, 21, 0, time.FixedZone("", 3600)),
		Messages: []sim.Message{
			{ID: "m2", Text: "two", Timestamp: "2026-11-22T02:44:21+0100", AuthorID: "c1", Direction: "INBOUND"},
			{ID: "m1", Text: "one", Timestamp: "2026-11-22T01:44:21.000Z", AuthorID: "c1", Direction: "INBOUND"},
		},
	}
	change(&c)
	return []sim.Conversation{c}
}

func TestCRMDifferences(t *testing.T) {
	parent := "t0"
	for _, tt := range []struct {
		name   string
		others func(*sim.CRM)
		cxone  func(*sim.Conversation)
		want   []string
	}{
		{"None", nil, nil, nil},
		{"LowerVersion", nil, func(c *sim.Conversation) { c.Version = 2 }, nil},
		{"HigherVersion", nil, func(c *sim.Conversation) { c.Version = 4 }, []string{"has version 3, not 4"}},
		{"UpdatedAt", nil, func(c *sim.Conversation) { c.UpdatedAt = c.UpdatedAt.Add(time.Second) }, []string{"was updated at"}},
		{"Parent", nil, func(c *sim.Conversation) { c.ParentThreadID = &parent }, []string{`is linked to "", not to "t0"`}},
		{"Text", nil, func(c *sim.Conversation) { c.Messages[0].Text = "PRIVATE" }, []string{`message "m2" with another text`}},
		{"Time", nil, func(c *sim.Conversation) { c.Messages[0].Timestamp = "2026-11-22T02:44:21Z" }, []string{"with another timestamp"}},
		{"Lacks", nil, func(c *sim.Conversation) { c.Messages = append(c.Messages, sim.Message{ID: "m3"}) }, []string{`lacks message "m3"`}},
		{"Extra", nil, func(c *sim.Conversation) { c.Messages = c.Messages[:1] }, []string{`has message "m1", and should not`}},
		{
			"Participant", nil,
			func(c *sim.Conversation) { c.Participants = []sim.Participant{{ID: "c1"}} },
			[]string{`lacks participant "c1"`},
		},
		{"Other", nil, func(c *sim.Conversation) { c.ThreadID = "t2" }, []string{`"t2" is missing`, `"t1" should not be there`}},

		{"TheirNote", func(c *sim.CRM) { c.AddMessage("t1", sim.Message{ID: "note"}) }, nil, nil},
		{"TheirEdit", func(c *sim.CRM) { c.EditMessage("t1", "m1", "edited") }, nil, nil},
		{"TheirEditOfEdit", func(c *sim.CRM) { c.EditMessage("t1", "m1", "edited") }, func(c *sim.Conversation) { c.Messages[1].Text = "newer" }, nil},
		{"TheirEditOfRemoved", func(c *sim.CRM) { c.EditMessage("t1", "m1", "edited") }, func(c *sim.Conversation) { c.Messages = c.Messages[:1] }, nil},
		{"TheirDeletion", func(c *sim.CRM) { c.DeleteMessage("t1", "m1") }, nil, nil},
		{"TheirName", func(c *sim.CRM) { c.ChangeParticipant("t1", sim.Participant{ID: "c1", Name: "Ann"}) }, nil, nil},
		{"TheirLink", func(c *sim.CRM) { c.Reparent("t1", "theirs") }, func(c *sim.Conversation) { c.ParentThreadID = &parent }, nil},
		{
			"EditElsewhere", func(c *sim.CRM) { c.EditMessage("t1", "m1", "edited") },
			func(c *sim.Conversation) { c.Messages[0].Text = "PRIVATE" }, []string{`message "m2" with another text`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCRM(t)
			if tt.others != nil {
				tt.others(c)
			}
			change := tt.cxone
			if change == nil {
				change = func(*sim.Conversation) {}
			}
			got := c.Differences(cxone(change))
			if len(got) != len(tt.want) {
				t.Fatalf("the differences are %q, want %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(got[i], want) || strings.Contains(got[i], "PRIVATE") {
					t.Errorf("the difference is %q, want %q", got[i], want)
				}
			}
		})
	}
}

// A foreign edit that is lost shows, wherever the loss happened.
func TestDifferencesForeignLost(t *testing.T) {
	c := newCRM(t)
	before := c.Conversations()
	c.EditMessage("t1", "m1", "edited")
	got := sim.Differences(cxone(func(*sim.Conversation) {}), before, c.Foreign())
	if diff := cmp.Diff([]string{`thread "t1" has message "m1" with another text`}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Whatever other writers do, the CRM is as it should be, and says what was done.
func TestCRMMeddle(t *testing.T) {
	if sim.NewCRM(crmToken).Meddle(rand.New(rand.NewPCG(1, 0))) != "" {
		t.Error("there is nothing to meddle with")
	}
	c, rng, kinds := newCRM(t), rand.New(rand.NewPCG(1, 0)), make(map[string]bool)
	for range 100 {
		kinds[c.Meddle(rng)] = true
		if d := c.Differences(cxone(func(*sim.Conversation) {})); len(d) > 0 {
			t.Fatalf("the differences are %q", d)
		}
	}
	if len(kinds) != 4 || kinds[""] {
		t.Errorf("what was done: %v", kinds)
	}
	if f := c.Foreign()["t1"]; len(f.Messages) == 0 || len(f.Participants) == 0 || f.Parent == nil {
		t.Errorf("the foreign work is %+v", f)
	}
}
