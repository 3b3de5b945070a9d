package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/alecthomas/kong"
)

type replayCommand struct {
	ServerSettings

	IDs  []int64 `arg:"" optional:"" name:"id" help:"Ids of dead letters."`
	All  bool    `help:"Every dead letter, or all that --kind and --text select."`
	Kind string  `placeholder:"KIND" enum:",sms,thread,thread-item,thread-push" default:"" help:"With --all, only those of a kind: sms, thread, thread-item or thread-push."`
	Text string  `placeholder:"TEXT" help:"With --all, only those whose subject or reason contains this text."`
}

// Validate is called by kong.
func (c *replayCommand) Validate() error {
	switch {
	case len(c.IDs) == 0 && !c.All:
		return errors.New("which dead letters? Name some by their ids, or give --all")
	case len(c.IDs) > 0 && c.All:
		return errors.New("--all and ids are two ways to say which: give one")
	case !c.All && (c.Kind != "" || c.Text != ""):
		return errors.New("--kind and --text need --all")
	}
	return c.check()
}

// errNotReplayed says that some dead letters stay; the output says which, or how many.
var errNotReplayed = errors.New("some dead letters could not be replayed")

func (c *replayCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	r := &resolver{problems: load(k, p.env)}
	api := c.client(r)
	if err := r.err(); err != nil {
		return err
	}
	defer api.http.CloseIdleConnections()
	var (
		sum replaySum
		err error
	)
	if c.All {
		err = c.replayAll(ctx, api, p.stderr, &sum)
	} else {
		api.patience = newPatience(p.stderr, nil)
		c.replayEach(ctx, api, p.stdout, &sum)
	}
	sum.print(p.stdout)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case sum.Refused+sum.failed > 0:
		return errNotReplayed
	}
	return nil
}

// replaySum counts what became of dead letters, in the words of the API.
type replaySum struct {
	Replayed       int
	Refused        int
	QueuedForRetry int
	failed         int
	left           int // not begun, because the token is wrong
}

func (s *replaySum) print(out io.Writer) {
	fmt.Fprintf(out, "%d replayed, %d refused again, %d in the spool", s.Replayed, s.Refused, s.QueuedForRetry)
	if s.failed > 0 {
		fmt.Fprintf(out, ", %d failed", s.failed)
	}
	if s.left > 0 {
		fmt.Fprintf(out, ", %d not begun", s.left)
	}
	fmt.Fprintln(out)
}

// replayEach replays the dead letters that are named, and prints why one stays. Once the token is found to be
// wrong, it begins no more.
func (c *replayCommand) replayEach(ctx context.Context, api *apiClient, out io.Writer, sum *replaySum) {
	for i, id := range c.IDs {
		var answer struct{ QueuedForRetry bool }
		err := api.insist(ctx, http.MethodPost, api.server.JoinPath("api", "dead-letters", strconv.FormatInt(id, 10), "replay"), nil, &answer)
		refused, isAnswer := errors.AsType[*apiError](err)
		switch {
		case ctx.Err() != nil:
			return
		case isAnswer && refused.status == http.StatusUnprocessableEntity:
			sum.Refused++
			fmt.Fprintf(out, "%d is refused again: %v\n", id, err)
		case err != nil:
			sum.failed++
			fmt.Fprintf(out, "%d: %v\n", id, err)
			if isAnswer && refused.status == http.StatusUnauthorized {
				sum.left = len(c.IDs) - i - 1
				return
			}
		case answer.QueuedForRetry:
			sum.QueuedForRetry++
		default:
			sum.Replayed++
		}
	}
}

// replayAll replays all that match, at most a thousand in each request.
func (c *replayCommand) replayAll(ctx context.Context, api *apiClient, terminal io.Writer, sum *replaySum) error {
	bar := newProgress(terminal, endless, "dead letters")
	defer bar.clear()
	api.patience = newPatience(terminal, bar)
	ask := struct {
		Kind   string `json:"kind,omitempty"`
		Text   string `json:"text,omitempty"`
		Cursor string `json:"cursor,omitempty"`
	}{Kind: c.Kind, Text: c.Text}
	for {
		var answer struct {
			replaySum
			Next string
		}
		if err := api.insist(ctx, http.MethodPost, api.server.JoinPath("api", "dead-letters", "replay"), ask, &answer); err != nil {
			return err
		}
		sum.Replayed += answer.Replayed
		sum.Refused += answer.Refused
		sum.QueuedForRetry += answer.QueuedForRetry
		bar.add(answer.Replayed + answer.Refused + answer.QueuedForRetry)
		if answer.Next == "" {
			return nil
		}
		ask.Cursor = answer.Next
	}
}
