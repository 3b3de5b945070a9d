package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

var debugMu sync.Mutex
var debugLog = map[string][]string{}

func debugWrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		id := r.URL.EscapedPath()
		rec := httptest.NewRecorder()
		start := time.Now()
		add := func(s string) {
			debugMu.Lock()
			debugLog[id] = append(debugLog[id], fmt.Sprintf("%s %s %s ifmatch=%s body=%.1500s -> %s", start.Format("05.000000"), r.Method, r.Header.Get("Idempotency-Key"), r.Header.Get("If-Match"), body, s))
			debugMu.Unlock()
		}
		defer func() {
			if p := recover(); p != nil {
				add("CUT")
				panic(p)
			}
		}()
		h.ServeHTTP(rec, r)
		add(fmt.Sprintf("%d etag=%s %.2500s", rec.Code, rec.Header().Get("ETag"), rec.Body.String()))
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

func debugDump(match string) string {
	debugMu.Lock()
	defer debugMu.Unlock()
	var out strings.Builder
	for id, lines := range debugLog {
		for _, l := range lines {
			if strings.Contains(l, "overwrites") {
				fmt.Fprintf(&out, "== %s\n%s\n", id, strings.Join(lines, "\n"))
				break
			}
		}
	}
	return out.String()
}
