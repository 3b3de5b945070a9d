package console

import (
	"net/http"
	"net/url"
	"strings"
)

// pathOf returns the path of the page of one thing, whatever its id holds. Browsers resolve a segment of
// dots even when it is escaped, so such an id is put into the query. Pages have the pattern
// "LIST/{id...}" for that.
func pathOf(list, id string) string {
	switch id {
	case "", ".", "..", "/":
		return list + "/?id=" + url.QueryEscape(id)
	}
	return list + "/" + url.PathEscape(id)
}

// idOf returns the id of the thing that a page of pathOf, or an action on it, is about.
func idOf(r *http.Request) string {
	if id := r.PathValue("id"); id != "" {
		return id
	}
	return r.URL.Query().Get("id")
}

// withQuery returns a path with a query. Empty values are left out.
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
