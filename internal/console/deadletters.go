package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/deadletter"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
)

func (c *Console) deadLetterPages() {
	c.add(&page{
		Name: "deadletters", Path: deadLettersPath, Title: "Dead letters", Menu: true, Need: access.Operator,
		load: c.loadDeadLetters, live: []string{"dead-letter-list"},
		// A filter has to look at all of them.
		still: func(r *http.Request) bool { f := filterOf(r); return !f.IsAny() },
	})
	c.add(&page{
		Name: "deadletter", Path: deadLettersPath + "/{id}", Title: "Dead letter", Need: access.Operator,
		load: c.loadDeadLetter,
	})
	c.action(deadLettersPath+"/{id}/replay", c.replayDeadLetter)
	c.action(deadLettersPath+"/{id}/delete", c.deleteDeadLetter)
	c.allPages("replay", c.letters().ReplayAll)
	c.allPages("delete", c.letters().DeleteAll)
}

const (
	deadLettersPath = "/dead-letters"

	// lettersShown is how many dead letters a page of the list has.
	lettersShown = 25

	// lettersCounted bounds the count of those that match: an open page counts them again and again.
	lettersCounted = 1000
)

// letterFilter selects the dead letters of a list.
type letterFilter struct{ store.LetterFilter }

func filterOf(r *http.Request) letterFilter {
	query := r.URL.Query()
	return letterFilter{store.LetterFilter{Kind: store.Kind(query.Get("kind")), Text: query.Get("text")}}
}

// url returns a path with the filter, and with the id below which the list begins, unless that is 0.
func (f letterFilter) url(path string, before int64) string {
	values := map[string]string{"kind": string(f.Kind), "text": f.Text}
	if before != 0 {
		values["before"] = strconv.FormatInt(before, 10)
	}
	return withQuery(path, values)
}

// isAskable reports whether the database can be asked for the filter. If not, nothing matches.
func (f letterFilter) isAskable() bool {
	return store.IsAskable(f.Text) && store.IsAskable(string(f.Kind)) && len(f.Text) <= longText
}

// IsAny reports whether every dead letter matches.
func (f letterFilter) IsAny() bool { return f.LetterFilter == store.LetterFilter{} }

// beforeOf returns the id below which a list begins; 0 for its beginning.
func beforeOf(r *http.Request) int64 {
	before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	if err != nil || before < 0 {
		return 0
	}
	return before
}

// letterKind is a kind of dead letters to choose.
type letterKind struct {
	Kind store.Kind
	Name string
}

var letterKinds = []letterKind{
	{store.KindSMS, "SMS receipts"},
	{store.KindThread, "Events of threads"},
	{store.KindThreadItem, "Messages and participants that the CRM would not take"},
	{store.KindThreadPush, "Parked threads"},
}

// letterRow is a dead letter in the list.
type letterRow struct {
	store.DeadLetter
	filter letterFilter
}

// Path leads to its page, ReplayPath and DeletePath to the actions.
func (l *letterRow) Path() string       { return l.filter.url(letterPath(l.ID), 0) }
func (l *letterRow) ReplayPath() string { return l.filter.url(letterPath(l.ID)+"/replay", 0) }
func (l *letterRow) DeletePath() string { return l.filter.url(letterPath(l.ID)+"/delete", 0) }

// SubjectPath leads to what it is about. It is "" where that may not exist.
func (l *letterRow) SubjectPath() string {
	if l.Subject == "" || l.Kind != store.KindThreadItem && l.Kind != store.KindThreadPush {
		return ""
	}
	return pathOf(threadsPath, l.Subject)
}

func letterPath(id int64) string { return deadLettersPath + "/" + strconv.FormatInt(id, 10) }

// letterList is what the page of dead letters shows.
type letterList struct {
	letterFilter
	Kinds   []letterKind
	Letters []letterRow
	Count   int // of those that match, up to lettersCounted
	Pager   pager
}

// IsCounted reports whether the count is exact.
func (l *letterList) IsCounted() bool { return l.Count < lettersCounted }

// ReplayPath and DeletePath lead to the pages that ask for confirmation before all that match are replayed or
// deleted.
func (l *letterList) ReplayPath() string { return l.url(allPath("replay"), 0) }
func (l *letterList) DeletePath() string { return l.url(allPath("delete"), 0) }

func (c *Console) loadDeadLetters(ctx context.Context, r *http.Request) (any, error) {
	list := &letterList{letterFilter: filterOf(r), Kinds: letterKinds}
	if !list.isAskable() {
		return list, nil
	}
	before := beforeOf(r)
	if before != 0 {
		list.Pager.First = list.url(deadLettersPath, 0)
	}
	var err error
	if list.Count, err = c.Store.CountDeadLetters(ctx, list.LetterFilter, lettersCounted); err != nil {
		return nil, err
	}
	found, err := c.Store.FindDeadLetters(ctx, list.LetterFilter, before, lettersShown+1)
	if err != nil {
		return nil, err
	}
	if len(found) > lettersShown {
		found = found[:lettersShown]
		list.Pager.Next = list.url(deadLettersPath, found[lettersShown-1].ID)
	}
	for i := range found {
		list.Letters = append(list.Letters, letterRow{found[i], list.letterFilter})
	}
	return list, nil
}

// letterView is what the page of a dead letter shows.
type letterView struct{ letterRow }

// PageTitle names the dead letter.
func (v *letterView) PageTitle() string { return fmt.Sprintf("Dead letter %d", v.ID) }

// KindName returns the name of its kind.
func (v *letterView) KindName() string {
	for _, k := range letterKinds {
		if k.Kind == v.Kind {
			return k.Name
		}
	}
	return string(v.Kind)
}

// IsText reports whether the body can be shown as it is.
func (v *letterView) IsText() bool { return utf8.Valid(v.Raw) }

// Size returns the size of the body, in bytes.
func (v *letterView) Size() int64 { return int64(len(v.Raw)) }

// ListPath leads back to the list.
func (v *letterView) ListPath() string { return v.filter.url(deadLettersPath, 0) }

// letterID returns the dead letter that a request is about.
func letterID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, store.ErrNotFound
	}
	return id, nil
}

func (c *Console) loadDeadLetter(ctx context.Context, r *http.Request) (any, error) {
	id, err := letterID(r)
	if err != nil {
		return nil, err
	}
	letter, err := c.Store.DeadLetter(ctx, id)
	if err != nil {
		return nil, err
	}
	return &letterView{letterRow{*letter, filterOf(r)}}, nil
}

// letters returns the office that works on dead letters.
func (c *Console) letters() *deadletter.Office {
	return &deadletter.Office{Store: c.Store, Replayer: c.Replayer}
}

// replayDeadLetter reads a dead letter again. One that is refused again stays, and its page says why.
func (c *Console) replayDeadLetter(ctx context.Context, r *http.Request) (next, notice string, err error) {
	id, err := letterID(r)
	if err != nil {
		return "", "", err
	}
	f := filterOf(r)
	replayed, err := c.Replayer.Replay(ctx, id)
	if refused, isRefused := errors.AsType[*ingest.StillRefusedError](err); isRefused {
		return "", "", &warning{next: f.url(letterPath(id), 0), message: "It is still refused: " + refused.Reason}
	}
	if err != nil {
		return "", "", busy(err)
	}
	return f.url(deadLettersPath, 0), replayNotice(id, &replayed), nil
}

// replayNotice says what became of a dead letter.
func replayNotice(id int64, replayed *ingest.Replayed) string {
	letter := fmt.Sprintf("Dead letter %d", id)
	switch {
	case replayed.Spooled:
		return letter + " was read, and its event waits in the spool: the database went away. Once the database is back, delete it or replay it again."
	case replayed.Kind == store.KindThreadPush || replayed.Kind == store.KindThreadItem:
		return fmt.Sprintf("%s is gone: the thread %s is on its way to the CRM again. If that is refused, the dead letter comes back.", letter, replayed.Subject)
	case replayed.Duplicate:
		return fmt.Sprintf("%s is gone: its event about %s had come again in the meantime.", letter, replayed.Subject)
	case replayed.Warning != "":
		return fmt.Sprintf("%s is gone: its event about %s is stored, with a warning: %s.", letter, replayed.Subject, replayed.Warning)
	}
	return fmt.Sprintf("%s is gone: its event about %s is stored.", letter, replayed.Subject)
}

func (c *Console) deleteDeadLetter(ctx context.Context, r *http.Request) (next, notice string, err error) {
	id, err := letterID(r)
	if err != nil {
		return "", "", err
	}
	if err := c.letters().Delete(ctx, id); err != nil {
		return "", "", err
	}
	return filterOf(r).url(deadLettersPath, 0), fmt.Sprintf("Dead letter %d is deleted.", id), nil
}

// busy turns a *ingest.BusyError into an error for the visitor, and returns any other as it is.
func busy(err error) error {
	if b, isBusy := errors.AsType[*ingest.BusyError](err); isBusy {
		return &visitorError{http.StatusServiceUnavailable, "Nothing was done: " + strings.TrimSuffix(b.Reason, ".") + ". Try again in a moment."}
	}
	return err
}
