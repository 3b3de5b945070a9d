package answers

import (
	"context"
	"sync"
)

// flush commits what this process has yet to add to the counts. One commit runs at a time, and those who come
// before it begins share it.
type flush struct {
	commit func(ctx context.Context) // nil: there is nothing to commit, ever
	turn   chan struct{}             // holds a token while a commit runs

	mu   sync.Mutex
	next chan struct{} // closed when the commit that has not begun yet has ended; nil: nobody waits for one
}

// wait returns when a commit has ended that began after the call.
func (f *flush) wait(ctx context.Context) error {
	if f.commit == nil {
		return nil
	}
	select {
	case <-f.join(ctx):
		return nil
	case <-ctx.Done():
		return tooLate(ctx)
	}
}

// join returns what is closed when the next commit has ended. Whoever had it begin may go away: others wait
// for the same one.
func (f *flush) join(ctx context.Context) (ended <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = make(chan struct{})
		go f.run(context.WithoutCancel(ctx), f.next)
	}
	return f.next
}

func (f *flush) run(ctx context.Context, ended chan<- struct{}) {
	defer close(ended)
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	f.mu.Lock()
	f.next = nil // who comes from now on waits for another
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	f.commit(ctx)
}
