package e2e_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// barrage posts receipts from several senders at once and knows which of them were acknowledged.
// No two of its receipts are equal, so that nothing but an answer of 2xx can make one of them be
// there.
type barrage struct {
	mu      sync.Mutex
	next    int // number of the next post
	acked   []int
	unacked []int // no answer, or one that is not 2xx
	strange []string
	ceased  bool
}

// told identifies a receipt of a barrage.
type told struct{ id, status string }

// receipts returns the receipts of a post. Posts 2n and 2n+1 are about the same message, and every eighth
// post is an array of new messages.
func (*barrage) receipts(post int) []told {
	if post%8 == 6 {
		var list []told
		for i := range 5 {
			list = append(list, told{fmt.Sprintf("array-%d-%d", post, i), "DELIVERED"})
		}
		return list
	}
	return []told{{fmt.Sprintf("message-%d", post/2), []string{"PENDING", "DELIVERED"}[post%2]}}
}

func (b *barrage) body(post int) string {
	var items []string
	for _, r := range b.receipts(post) {
		at := map[string]string{"PENDING": "10:00:00", "DELIVERED": "10:00:05"}[r.status]
		items = append(items, fmt.Sprintf(`{"messageId":%q,"status":%q,"carrier":"ATT","timestamp":"2026-03-02T%sZ"}`, r.id, r.status, at))
	}
	if len(items) == 1 {
		return items[0]
	}
	return "[" + strings.Join(items, ",") + "]"
}

// fire posts until no answer comes, or until cease. After the given number of acknowledged posts,
// and while the other senders go on, it calls strike.
func (b *barrage) fire(p *process, posts int, strike func()) {
	const senders = 8
	var wg sync.WaitGroup
	left := posts
	b.ceased = false
	for range senders {
		wg.Go(func() {
			for {
				b.mu.Lock()
				post := b.next
				b.next++
				b.mu.Unlock()
				a, err := p.send(b.body(post), byDefault)
				b.mu.Lock()
				acknowledged := b.note(post, a, err)
				if acknowledged {
					left--
				}
				now, over := acknowledged && left == 0, a.Status == 0 || b.ceased
				b.mu.Unlock()
				if now {
					strike()
				}
				if over {
					return
				}
			}
		})
	}
	wg.Wait()
}

// begin fires in the background, and returns once so many posts were acknowledged. What it returns ends
// that, and waits for the end; it may be called again.
func (b *barrage) begin(t *testing.T, p *process, posts int) (end func()) {
	t.Helper()
	loaded, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		b.fire(p, posts, func() { close(loaded) })
	}()
	select {
	case <-loaded:
	case <-over:
		t.Fatal("there was no load")
	case <-time.After(2 * patience):
		t.Fatal("nearly nothing is acknowledged")
	}
	return func() {
		b.cease()
		<-over
	}
}

// cease ends fire.
func (b *barrage) cease() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ceased = true
}

// note keeps account of an answer. The caller holds the lock.
func (b *barrage) note(post int, a answer, err error) (acknowledged bool) {
	if a.Status == 200 {
		b.acked = append(b.acked, post)
		return true
	}
	b.unacked = append(b.unacked, post)
	if a.Status != 0 && a.Status != 503 {
		b.strange = append(b.strange, fmt.Sprintf("%d %v %s", a.Status, err, a.Text))
	}
	return false
}

// check compares what is stored with what was acknowledged: all of it is there, and nothing twice.
func (b *barrage) check(t *testing.T, s *storage) {
	t.Helper()
	for _, strange := range b.strange {
		t.Errorf("an answer that is neither 200 nor 503: %s", strange)
	}
	stored := make(map[told]int)
	s.query(t, "SELECT message_id, status FROM sms_receipt_history", func(rows *sql.Rows) error {
		var r told
		err := rows.Scan(&r.id, &r.status)
		stored[r]++
		return err
	})
	for _, post := range b.acked {
		for _, r := range b.receipts(post) {
			if stored[r] == 0 {
				t.Errorf("%+v was acknowledged and is lost", r)
			}
		}
	}
	rows := s.messages(t)
	for r, times := range stored {
		if times != 1 {
			t.Errorf("%+v is stored %d times", r, times)
		}
		want := r.status
		if stored[told{r.id, "DELIVERED"}] > 0 {
			want = "DELIVERED"
		}
		if got := rows[r.id].status; got != want {
			t.Errorf("message %s is %s, want %s", r.id, got, want)
		}
	}
}

// repeat posts again what was not acknowledged, and a few that were, and wants all of it taken.
func (b *barrage) repeat(t *testing.T, p *process) {
	t.Helper()
	for _, post := range slices.Concat(b.unacked, b.acked[:min(20, len(b.acked))]) {
		p.post(t, 200, b.body(post))
	}
	b.acked, b.unacked = slices.Concat(b.acked, b.unacked), nil
}

// checkAll wants every receipt that was ever posted, and nothing else.
func (b *barrage) checkAll(t *testing.T, s *storage) {
	t.Helper()
	b.check(t, s)
	posted := 0
	for post := range b.next {
		posted += len(b.receipts(post))
	}
	if n := s.count(t, "SELECT count(*) FROM sms_receipt_history"); n != posted {
		t.Errorf("%d receipts are stored, and %d were posted", n, posted)
	}
}
