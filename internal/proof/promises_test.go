package proof

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Only what was answered as it deserves is a promise; what got no answer, or a 503, is sent again.
func TestPromises(t *testing.T) {
	post := sim.Post{Answer: 200, Receipts: []sim.Receipt{{MessageID: "m-1", Status: "SENT"}}}
	p := NewPromises()
	for status, settled := range map[int]bool{0: false, 503: false, 500: false, 404: true} {
		if got := p.Note(post, sim.Answer{Status: status}); got != settled {
			t.Errorf("an answer of %d settles it: %v", status, got)
		}
	}
	if p.Posts() != 0 || p.Events() != 0 || p.Busy() != 1 || len(p.strange) != 2 || !p.Last().IsZero() {
		t.Errorf("%d events, %d busy, strange: %q", p.Events(), p.Busy(), p.strange)
	}
	if !p.Note(post, sim.Answer{Status: 200}) || p.Posts() != 1 || p.Events() != 1 || p.Last().IsZero() || len(p.receipts) != 1 {
		t.Errorf("%d events after an answer of 200", p.Events())
	}
}

// The events of an array that are to be refused are no promises.
func TestGoodEvents(t *testing.T) {
	good, bad := `{"event":"THREAD_UPDATED","data":{"threadId":"t-1","version":7}}`, `{"event":"THREAD_MERGED","data":{"threadId":"t-2","version":1}}`
	post := sim.Post{Body: []byte("[" + good + "," + bad + "]"), Threads: []string{"t-1"}, Refused: [][]byte{[]byte(bad)}}
	want := []threadEvent{{"t-1", "THREAD_UPDATED", 7}}
	if diff := cmp.Diff(want, goodEvents(post), cmp.AllowUnexported(threadEvent{})); diff != "" {
		t.Error(diff)
	}
}

func TestTimes(t *testing.T) {
	var times Times
	if times.Median() != 0 || times.P99() != 0 || times.Max() != 0 {
		t.Error("none have a time")
	}
	for i := range 200 {
		times = append(times, time.Duration(200-i))
	}
	if times.Median() != 100 || times.P99() != 198 || times.Max() != 200 {
		t.Errorf("median %d, p99 %d, max %d", times.Median(), times.P99(), times.Max())
	}
}
