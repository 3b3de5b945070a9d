package console

import (
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
)

const day = 24 * time.Hour

// windows are those to choose from, and the step of the series in each: about 60 points.
var windows = []struct {
	text, name   string
	length, step time.Duration
}{
	{"15m", "15 minutes", 15 * time.Minute, 15 * time.Second},
	{"1h", "hour", time.Hour, time.Minute},
	{"24h", "24 hours", day, 30 * time.Minute},
	{"7d", "7 days", 7 * day, 3 * time.Hour},
	{"30d", "30 days", 30 * day, 12 * time.Hour},
	{"90d", "90 days", 90 * day, day},
}

// window is what a page was asked to show.
type window struct {
	Text    string // as in the query
	Name    string // as in "in the last NAME"
	Choices []link
	length  time.Duration
	step    time.Duration
}

// windowOf reads the window of a request. Its error is a *visitorError.
func windowOf(r *http.Request, otherwise string) (window, error) {
	query := r.URL.Query()
	w := window{Text: query.Get("window")}
	if w.Text == "" {
		w.Text = otherwise
	}
	for _, one := range windows {
		if one.text == w.Text {
			w.Name, w.length, w.step = one.name, one.length, one.step
		}
		w.Choices = append(w.Choices, link{
			Text: one.text, URL: r.URL.EscapedPath() + "?" + with(query, "window", one.text),
			Current: one.text == w.Text, Count: -1,
		})
	}
	if w.length > 0 {
		return w, nil
	}
	length, err := analytics.ParseLength(w.Text)
	if err != nil {
		return w, &visitorError{http.StatusUnprocessableEntity, sentence(err.Error())}
	}
	w.Name, w.length = w.Text, length
	for _, one := range windows {
		if w.step = one.step; length/one.step <= maxPoints {
			break
		}
	}
	return w, nil
}

// maxPoints is how many points of a series a chart shows at most.
const maxPoints = 120

// with returns a query with a value set.
func with(query url.Values, name, value string) string {
	changed := maps.Clone(query)
	if value == "" {
		changed.Del(name)
	} else {
		changed.Set(name, value)
	}
	return changed.Encode()
}
