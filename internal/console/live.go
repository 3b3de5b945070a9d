package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
)

const (
	// liveEvery is how often an open page is looked at for what has changed.
	liveEvery = 2 * time.Second

	// calmEvery is the number of looks from one at the calm blocks to the next.
	calmEvery = 5

	// liveLength is how long a stream lasts. The browser then connects again by itself, which a session
	// that is over cannot do.
	liveLength = 10 * time.Minute

	// liveWrite is how long it may take to write what one look brings.
	liveWrite = 10 * time.Second

	// liveStreams is how many streams there may be at once. One more is told to come back after liveRetry:
	// its page is complete without a stream.
	liveStreams = 64
	liveRetry   = 30 * time.Second

	// liveLooks is how many streams may be looking at once. It bounds the memory that this takes.
	liveLooks = 8
)

// liveRoute serves the stream of what changes in a page: GET /live?page=PATH. Each event has the id of an
// element and its new content, rendered from the templates of the page.
func (c *Console) liveRoute() {
	c.mux.HandleFunc("GET /live", func(w http.ResponseWriter, r *http.Request) {
		if c.roleOf(r) == access.Anyone {
			status, message := http.StatusUnauthorized, "sign in first"
			if showsToken(r) && !fromBrowser(r) {
				refused := c.wrongToken(w, r, c.TokenFailures)
				status, message = refused.status, refused.message
			}
			http.Error(w, message, status)
			return
		}
		p, request := c.pageAt(r)
		if p == nil || !p.isLive(request) || c.roleOf(r) < p.Need {
			http.Error(w, "there is no such page, or it does not change while it is open", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // a proxy must not hold events back
		if r.Method == http.MethodHead {
			return
		}
		select {
		case c.streams <- struct{}{}:
			defer func() { <-c.streams }()
		default:
			w.Header().Set("Retry-After", strconv.FormatInt(access.Seconds(liveRetry), 10))
			http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), liveLength)
		defer cancel()
		defer context.AfterFunc(c.open, cancel)()
		c.stream(ctx, w, p, request.WithContext(ctx))
	})
}

// pageAt returns the page that a reader has open, and the request for it as the reader would make it.
func (c *Console) pageAt(r *http.Request) (*page, *http.Request) {
	target, err := url.Parse(localPath(r.URL.Query().Get("page")))
	if err != nil {
		return nil, nil
	}
	request := r.Clone(r.Context())
	request.URL, request.RequestURI = target, target.RequestURI()
	_, pattern := c.mux.Handler(request)
	for _, p := range c.pages {
		if pattern == "GET "+p.Path {
			// The values of the path are set by a ServeMux alone.
			var matched *http.Request
			mux := http.NewServeMux()
			mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) { matched = r })
			mux.ServeHTTP(discard{}, request)
			if matched == nil {
				return nil, nil // the path is not clean: the page would redirect
			}
			return p, matched
		}
	}
	return nil, nil
}

// stream writes what changes until the context ends or the reader is gone. A look that the end of the context
// cuts off says nothing about the page, so its error is not sent.
func (c *Console) stream(ctx context.Context, w http.ResponseWriter, p *page, r *http.Request) {
	ticker := time.NewTicker(liveEvery)
	defer ticker.Stop()
	control := http.NewResponseController(w)
	sent := make(map[string]digest)
	for look := 0; ; look++ {
		changes, err := c.changes(ctx, p, r, sent, look%calmEvery == 0)
		if ctx.Err() != nil || control.SetWriteDeadline(time.Now().Add(liveWrite)) != nil {
			return
		}
		if write(w, changes, err) != nil || control.Flush() != nil {
			return // the reader is gone
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// write sends a reader what has changed. It always sends whether the look succeeded: if not, the page stays
// as it is, and the next look may succeed.
func write(w io.Writer, changes []change, failed error) error {
	event := "event: fresh\ndata:\n\n"
	if failed != nil {
		event = "event: stale\ndata:\n\n"
	}
	if _, err := io.WriteString(w, event); err != nil {
		return err
	}
	for _, one := range changes {
		if err := writeChange(w, one); err != nil {
			return err
		}
	}
	return nil
}

// writeChange writes an event. Its data is one line of JSON. The HTML in it is not escaped for HTML again, as
// the JSON is not part of a page.
func writeChange(w io.Writer, one change) error {
	if _, err := io.WriteString(w, "data: "); err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(one); err != nil { // it ends the line
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// digest stands for the content of a block: the content may be large.
type digest = [sha256.Size]byte

// change is the new content of an element.
type change struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// changes returns the blocks of a page that differ from what was sent, and records them as sent. It looks at
// the calm ones only if calm is true.
func (c *Console) changes(ctx context.Context, p *page, r *http.Request, sent map[string]digest, calm bool) ([]change, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	select {
	case c.looks <- struct{}{}:
		defer func() { <-c.looks }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	v, err := c.load(ctx, p, r, calm)
	if err != nil {
		return nil, err
	}
	var all []change
	for _, block := range p.live {
		if !calm && slices.Contains(p.calm, block) {
			continue
		}
		var b bytes.Buffer
		if err := templates[p.Name].ExecuteTemplate(&b, block, v); err != nil {
			return nil, err
		}
		if content := sha256.Sum256(b.Bytes()); sent[block] != content {
			sent[block] = content
			all = append(all, change{block, b.String()})
		}
	}
	return all, nil
}

// discard is a ResponseWriter that drops everything.
type discard struct{}

func (discard) Header() http.Header         { return make(http.Header) }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
