package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
)

const (
	// liveEvery is how often an open page is looked at for what has changed.
	liveEvery = 2 * time.Second

	// liveLength is how long a stream lasts. The browser then comes back by itself, and a session that
	// is over ends.
	liveLength = 10 * time.Minute

	// liveWrite is how long one event may take to be written to a reader.
	liveWrite = 10 * time.Second
)

// liveRoute serves the stream of what changes in a page: GET /live?page=PATH. Each event has the id
// of an element and its new content. It is made of the very templates that made the page.
func (c *Console) liveRoute() {
	c.mux.HandleFunc("GET /live", func(w http.ResponseWriter, r *http.Request) {
		if c.roleOf(r) == access.Anyone {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		p, request := c.pageAt(r)
		if p == nil || len(p.live) == 0 || c.roleOf(r) < p.Need {
			http.Error(w, "there is no such page", http.StatusNotFound)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), liveLength)
		defer cancel()
		go func() {
			select {
			case <-c.quit:
				cancel()
			case <-ctx.Done():
			}
		}()
		w.Header().Set("Content-Type", "text/event-stream")
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
			return p, matched
		}
	}
	return nil, nil
}

// stream writes what changes until the context ends or the reader is gone.
func (c *Console) stream(ctx context.Context, w http.ResponseWriter, p *page, r *http.Request) {
	ticker := time.NewTicker(liveEvery)
	defer ticker.Stop()
	control := http.NewResponseController(w)
	sent := make(map[string]string)
	for first := true; ; first = false {
		changes, err := c.changes(ctx, p, r, sent)
		if err != nil {
			changes = []change{} // the page stays as it is; the next look may succeed
		}
		if err := control.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
			return
		}
		for _, one := range changes {
			data, _ := json.Marshal(one) // two texts
			if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
				return
			}
		}
		if len(changes) == 0 || first {
			// So a reader who is gone is found out.
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return
			}
		}
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// change is the new content of an element.
type change struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// changes returns the blocks of a page that differ from what was sent, and notes them as sent.
func (c *Console) changes(ctx context.Context, p *page, r *http.Request, sent map[string]string) ([]change, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	v, err := c.load(ctx, p, r)
	if err != nil {
		return nil, err
	}
	var all []change
	for _, block := range p.live {
		var b bytes.Buffer
		if err := templates[p.Name].ExecuteTemplate(&b, block, v); err != nil {
			return nil, err
		}
		if html := b.String(); sent[block] != html {
			sent[block] = html
			all = append(all, change{block, html})
		}
	}
	return all, nil
}

// discard is a ResponseWriter that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return make(http.Header) }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
