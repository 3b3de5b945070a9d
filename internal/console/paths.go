package console

import (
	"net/http"
	"net/url"
	"strings"
)

// pathOf returns the path of the page of one thing, whatever its id holds. A segment of dots would be
// taken for a way up, by the browser already and even when it is escaped: such an id stands in the
// query. Pages have the pattern "LIST/{id...}" for it.
func pathOf(list, id string) string {
	switch id {
	case "", ".", "..", "/":
		return list + "/?id=" + url.QueryEscape(id)
	}
	return list + "/" + url.PathEscape(id)
}

// idOf returns the id of the thing that a page of pathOf, or an action upon it, is about.
func idOf(r *http.Request) string {
	if id := r.PathValue("id"); id != "" {
		return id
	}
	return r.URL.Query().Get("id")
}

// withQuery returns a path with a query, without the values that are empty.
func withQuery(path string, values map[string]string) string {
	query := make(url.Values)
	for name, value := range values {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) == 0 {
		return path
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + query.Encode()
}
