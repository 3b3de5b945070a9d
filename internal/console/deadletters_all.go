package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/deadletter"
	"github.com/cxbridge/cxbridge/internal/store"
)

// workOnAll is what can be done with all dead letters that match. See deadletter.Office.
type workOnAll func(ctx context.Context, f store.LetterFilter, before int64) (deadletter.Result, error)

// allPages adds the page that asks for confirmation, and the action. Do is "replay" or "delete".
func (c *Console) allPages(do string, work workOnAll) {
	c.add(&page{
		Name: "deadletters_confirm", Path: allPath(do), Title: "Dead letters", Need: access.Operator,
		load: func(ctx context.Context, r *http.Request) (any, error) { return c.loadConfirmation(ctx, r, do) },
	})
	c.action(allPath(do), func(ctx context.Context, r *http.Request) (next, notice string, err error) {
		return doAll(ctx, &confirmation{letterFilter: filterOf(r), Do: do, before: beforeOf(r)}, work)
	})
}

// allPath returns the path of the question and of the action.
func allPath(do string) string { return deadLettersPath + "/" + do + "-all" }

// confirmation is what the page shows that asks before all dead letters that match are replayed or deleted.
type confirmation struct {
	letterFilter
	Do     string // replay or delete
	Count  int    // of those that match, up to lettersCounted
	IsRest bool   // an earlier step has worked on those from before on
	before int64  // only those with an id below it: those that were there when the reader was asked
}

// Newest returns the highest id that the action works on.
func (c *confirmation) Newest() int64 { return c.before - 1 }

// IsDelete reports whether they are deleted.
func (c *confirmation) IsDelete() bool { return c.Do == "delete" }

// IsCounted reports whether the count is exact.
func (c *confirmation) IsCounted() bool { return c.Count < lettersCounted }

// KindName returns the name of their kind; "" for any.
func (c *confirmation) KindName() string {
	if c.Kind == "" {
		return ""
	}
	view := letterView{letterRow: letterRow{DeadLetter: store.DeadLetter{Kind: c.Kind}}}
	return view.KindName()
}

// ActionPath is the path of the action, ListPath that of the list.
func (c *confirmation) ActionPath() string { return c.url(allPath(c.Do), c.before) }
func (c *confirmation) ListPath() string   { return c.url(deadLettersPath, 0) }

func (c *Console) loadConfirmation(ctx context.Context, r *http.Request, do string) (any, error) {
	asked := &confirmation{letterFilter: filterOf(r), Do: do, before: beforeOf(r)}
	asked.IsRest = asked.before != 0
	if !asked.isAskable() {
		return asked, nil
	}
	var err error
	if asked.Count, err = c.Store.CountDeadLetters(ctx, asked.LetterFilter, lettersCounted); err != nil || asked.IsRest {
		return asked, err
	}
	newest, err := c.Store.FindDeadLetters(ctx, asked.LetterFilter, 0, 1)
	if len(newest) > 0 {
		asked.before = newest[0].ID + 1
	}
	return asked, err
}

// doAll works on all dead letters that match and were there when the reader was asked. If there are more
// than can be done at once, it leads back to the question.
func doAll(ctx context.Context, asked *confirmation, work workOnAll) (next, notice string, err error) {
	if !asked.isAskable() {
		return asked.ListPath(), "", nil
	}
	done, err := work(ctx, asked.LetterFilter, asked.before)
	told := resultNotice(&done)
	switch {
	case err != nil && told == "": // after some success the next step meets the error, if it lasts
		return "", "", busy(err)
	case done.Next == 0:
		return asked.ListPath(), cmp.Or(told, "There was nothing left to do."), nil
	}
	return asked.url(allPath(asked.Do), done.Next), strings.TrimSpace(told + " There are more: go on?"), nil
}

// resultNotice says what became of many dead letters. It is "" when nothing was done.
func resultNotice(d *deadletter.Result) string {
	parts := countedParts(part{d.Replayed, "replayed and gone"}, part{d.Deleted, "deleted"},
		part{d.Refused, "refused again"}, part{d.Spooled, "waiting in the spool, as the database went away"})
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("Dead letters: %s.", strings.Join(parts, ", "))
}
