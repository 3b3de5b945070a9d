package sim

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// CRM is a fake of the external CRM: an http.Handler that keeps conversations, has writers of its
// own besides its callers, and protects what those have written. It is safe for concurrent use.
//
//   - A PATCH must have a version above the thread's, else it is 409; an If-Match that is not the
//     thread's is 412.
//   - A write with a key and body that succeeded before gets the same answer, and is not applied
//     again. The same key with another body is 422.
//   - What no correct caller does is 422 and a violation: a body that is no delta, adding a
//     message twice with different contents, changing what another writer has changed.
//
// A request is applied as a whole or not at all.
type CRM struct {
	token string

	mu      sync.Mutex
	threads map[string]*crmThread
	kept    map[string]keptAnswer // by idempotency key
	etags   bool
	tells   Tells
	tag     int64 // the last ETag
	limit   *rate.Limiter
	refused int       // requests over the limit
	quiet   time.Time // until when it asked to be left alone

	faults     []CRMFault
	befalls    func(*http.Request) CRMFault
	violations []string
	counts     CRMCounts
}

// crmThread is a conversation as the CRM keeps it.
type crmThread struct {
	version      int64
	updatedAt    time.Time
	parent       string // "" for none
	messages     map[string]Message
	participants map[string]Participant
	tag          int64
	foreign      Foreign
}

// keptAnswer is the answer to a write that succeeded.
type keptAnswer struct {
	threadID string
	body     [sha256.Size]byte
	answer   crmAnswer
}

// Tells says how much of a conversation the answer to a GET contains.
type Tells int

// How much it may be.
const (
	TellsAll    Tells = iota
	TellsIDs          // of messages and participants only their ids
	TellsNoList       // neither messages nor participants
)

// NewCRM returns a CRM without conversations, which accepts requests with one bearer token. It gives
// no ETags, and TellsAll.
func NewCRM(token string) *CRM {
	return &CRM{
		token: token, threads: make(map[string]*crmThread), kept: make(map[string]keptAnswer),
		counts: CRMCounts{Requests: make(map[string]int), Answers: make(map[int]int)},
	}
}

// SetETags sets whether answers have ETags.
func (c *CRM) SetETags(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.etags = on
}

// SetTells sets how much of a conversation the answer to a GET contains.
func (c *CRM) SetTells(tells Tells) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tells = tells
}

// CRMCounts count what the CRM was asked.
type CRMCounts struct {
	Requests  map[string]int // by method
	Answers   map[int]int    // by HTTP status; 0 is none
	BodyBytes int64          // of all requests
	Replayed  int            // writes whose answer was kept from before
	Repeated  int            // messages and participants that were added again, unchanged
	Early     int            // requests while it had asked to be left alone
}

// Counts returns the counts so far.
func (c *CRM) Counts() CRMCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	counts.Requests, counts.Answers = maps.Clone(counts.Requests), maps.Clone(counts.Answers)
	return counts
}

// Violations lists what no correct caller does, in the order in which it happened. None repeats a text.
func (c *CRM) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.violations)
}

// Conversations returns all conversations, by id.
func (c *CRM) Conversations() []Conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Conversation, 0, len(c.threads))
	for _, id := range slices.Sorted(maps.Keys(c.threads)) {
		all = append(all, c.threads[id].conversation(id))
	}
	return all
}

// Conversation returns one conversation.
func (c *CRM) Conversation(threadID string) (Conversation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.threads[threadID]
	if t == nil {
		return Conversation{}, false
	}
	return t.conversation(threadID), true
}

// conversation copies the thread: messages by time and id, participants by id.
func (t *crmThread) conversation(id string) Conversation {
	conv := Conversation{
		ThreadID: id, Version: t.version, UpdatedAt: t.updatedAt,
		Messages: make([]Message, 0, len(t.messages)), Participants: make([]Participant, 0, len(t.participants)),
	}
	if t.parent != "" {
		parent := t.parent
		conv.ParentThreadID = &parent
	}
	conv.Messages = slices.AppendSeq(conv.Messages, maps.Values(t.messages))
	slices.SortFunc(conv.Messages, func(a, b Message) int {
		return cmp.Or(a.at().Compare(b.at()), cmp.Compare(a.ID, b.ID))
	})
	conv.Participants = slices.AppendSeq(conv.Participants, maps.Values(t.participants))
	slices.SortFunc(conv.Participants, func(a, b Participant) int { return cmp.Compare(a.ID, b.ID) })
	return conv
}

// maxDelta limits the body of a request, in bytes.
const maxDelta = 64 << 20

func (c *CRM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The server notices that a caller is gone only once it has read the body.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelta))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "", "the body cannot be read")
		return
	}
	f := c.arrive(r, len(body))
	var a crmAnswer
	switch {
	case f.Applied:
		c.answer(r, body)
		if !f.wait(r.Context()) {
			c.cut()
		}
		a = f.answer()
	case !f.wait(r.Context()):
		c.cut()
	case f.Status != 0 || f.Cut:
		a = f.answer()
	default:
		a = c.answer(r, body)
	}
	if f.Cut {
		c.cut()
	}
	c.leave(a.status, a.retryAfter)
	a.write(w)
}

// cut counts a request without an answer, and makes net/http cut its connection. If the handler returned,
// the answer would be an empty 200, and a caller that has closed only its half would read it.
func (c *CRM) cut() {
	c.leave(0, "")
	panic(http.ErrAbortHandler)
}

// arrive counts a request and returns the fault that applies to it.
func (c *CRM) arrive(r *http.Request, length int) CRMFault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Requests[r.Method]++
	c.counts.BodyBytes += int64(length)
	if time.Now().Before(c.quiet) {
		c.counts.Early++
	}
	return c.fault(r)
}

// leave counts an answer.
func (c *CRM) leave(status int, retryAfter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Answers[status]++
	if until := time.Now().Add(readRetryAfter(retryAfter)); until.After(c.quiet) {
		c.quiet = until
	}
}

// crmAnswer is what the CRM answers.
type crmAnswer struct {
	status                     int
	etag, retryAfter, location string // headers; none when empty
	body                       []byte
}

func (a *crmAnswer) write(w http.ResponseWriter) {
	for name, value := range map[string]string{"ETag": a.etag, "Retry-After": a.retryAfter, "Location": a.location} {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a caller that is gone misses its answer
}

// says is an answer with a JSON body.
func says(status int, body any) crmAnswer {
	return crmAnswer{status: status, body: must(json.Marshal(body))}
}

func refusal(status int, format string, args ...any) crmAnswer {
	return says(status, map[string]string{"message": fmt.Sprintf(format, args...)})
}

// answer carries a request out.
func (c *CRM) answer(r *http.Request, body []byte) crmAnswer {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) == 0 {
		return refusal(http.StatusUnauthorized, "the token is not valid")
	}
	path := r.URL.EscapedPath()
	if path == "/threads" && r.Method == http.MethodPost {
		return c.write(r, "", body)
	}
	segment, isThread := strings.CutPrefix(path, "/threads/")
	id, err := url.PathUnescape(segment)
	switch {
	case !isThread || segment == "" || strings.Contains(segment, "/") || err != nil:
		return refusal(http.StatusNotFound, "there is nothing here")
	case r.Method == http.MethodGet:
		return c.get(id)
	case r.Method == http.MethodPatch:
		return c.write(r, id, body)
	}
	return refusal(http.StatusMethodNotAllowed, "GET or PATCH")
}

func (c *CRM) get(id string) crmAnswer {
	c.mu.Lock()
	t, tells := c.threads[id], c.tells
	if t == nil {
		c.mu.Unlock()
		return refusal(http.StatusNotFound, "there is no such thread")
	}
	conv, etag := t.conversation(id), c.etag(t)
	c.mu.Unlock()
	told := map[string]any{
		"threadId": id, "version": conv.Version, "updatedAt": conv.UpdatedAt, "parentThreadId": conv.ParentThreadID,
	}
	switch tells {
	case TellsAll:
		told["messages"], told["participants"] = conv.Messages, conv.Participants
	case TellsIDs:
		told["messages"] = idsOf(conv.Messages, func(m Message) string { return m.ID })
		told["participants"] = idsOf(conv.Participants, func(p Participant) string { return p.ID })
	}
	a := says(http.StatusOK, told)
	a.etag = etag
	return a
}

func idsOf[T any](items []T, id func(T) string) []map[string]string {
	ids := make([]map[string]string, len(items))
	for i, item := range items {
		ids[i] = map[string]string{"id": id(item)}
	}
	return ids
}

// etag returns the ETag of a thread as it is; "" when none are given. The caller holds the lock.
func (c *CRM) etag(t *crmThread) string {
	if !c.etags {
		return ""
	}
	return t.etag()
}

func (t *crmThread) etag() string { return fmt.Sprintf(`"%x"`, t.tag) }
