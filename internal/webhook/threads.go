package webhook

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

// ThreadIntake is where the webhook of threads takes its events.
type ThreadIntake interface {
	// ReadThread reads one event. A text that is not a JSON object gives a reading that is refused.
	// The reading keeps raw.
	ReadThread(raw []byte, received time.Time) ingest.Reading

	Submitter
}

// Synced reports when the CRM has what a sender waits for.
type Synced interface {
	// Wait returns true once the CRM has what came with a revision of a thread, and false when some of
	// that is set aside, or ctx ends first. With a ctx that has ended it returns at once, and true only
	// if it is known that the CRM has it.
	Wait(ctx context.Context, threadID string, rev int64) bool
}

// Threads returns the handler of the events of social threads: one object, or an array of objects.
//
//	200  {"status":"ACCEPTED"}, with "queuedForRetry":true while the database is away;
//	     {"status":"IGNORED","reason":"NO_DELTA_OR_STALE"} for an event that brings nothing new.
//	     For an array {"status":"ACCEPTED","results":[…]}, with a result for each item in their
//	     order: {"threadId",…} and what a single event is answered, or "status":"REJECTED" with
//	     "error" and "fields". An empty array is an array. The thread id is null where it is not
//	     known.
//	400  malformed JSON; kept as a dead letter
//	422  invalid, with "fields":[{"path","error"}] and "threadId" where it is known; for an array,
//	     if every item is invalid, with its results. Kept as dead letters
//
// and, as all webhooks: 401, 405, 413, 415, 429 to callers with too many wrong secrets, and 503 with
// Retry-After. These promise nothing about the events. Every error has the form {"error":…}.
//
// With "Prefer: wait=N" (RFC 7240) the answer is held back until the CRM has all that was accepted,
// for N seconds at most and never more than 30. It says "SYNCED" for what the CRM has then, and for
// an array as a whole when the CRM has all that is not ignored. A split is there when its parent has
// lost the messages, too. An event of which a message or participant is set aside stays "ACCEPTED".
// Preference-Applied says that there was a wait. There is none for events in the spool, nor when
// synced is nil or too many requests are waiting.
func (g *Gate) Threads(intake ThreadIntake, synced Synced) http.Handler {
	return g.handler("threads", "thread_id", threadsWebhook{intake, synced}.accept)
}

type threadsWebhook struct {
	intake ThreadIntake
	synced Synced // nil when there is no CRM
}

func (t threadsWebhook) accept(ctx context.Context, d *delivery) (reply, error) {
	ev, err := takeIn(ctx, d, t.intake.ReadThread, t.intake)
	if err != nil {
		return reply{}, err
	}
	if !d.isArray() && ev.refused(0) != nil {
		return refuseOne(&ev, "threadId"), nil
	}
	answer := newThreadsAnswer(&ev, d.isArray())
	rep := answer.reply()
	if wait := preferredWait(d.header); wait > 0 && t.synced != nil && answer.canWait() {
		applied := "wait=" + strconv.Itoa(int(wait/time.Second))
		rep.later = &later{wait: wait, bytes: answer.size() + int64(len(rep.body)), answer: func(ctx context.Context) reply {
			answer.await(ctx, t.synced)
			return answer.reply().with("Preference-Applied", applied)
		}}
	}
	return rep, nil
}
