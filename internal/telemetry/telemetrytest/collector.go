// Package telemetrytest is a collector of traces for tests.
package telemetrytest

import (
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it arrived.
type Span struct {
	Name       string
	Trace      string // ids in hex
	ID, Parent string // "" is no parent
	Error      string // description of its status, "" when that is no error
	Attributes map[string]string
}

// Collector collects spans by OTLP over HTTP. It is safe for concurrent use.
type Collector struct {
	mu       sync.Mutex
	spans    []Span
	services []string
	problems []string
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" {
		c.problems = append(c.problems, r.Method+" "+r.URL.Path)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, group := range request.ResourceSpans {
		c.services = append(c.services, attributes(group.Resource.Attributes)["service.name"])
		for _, scope := range group.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, Span{
					Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId),
					Parent: hex.EncodeToString(s.ParentSpanId), Error: s.Status.GetMessage(), Attributes: attributes(s.Attributes),
				})
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func attributes(list []*common.KeyValue) map[string]string {
	all := make(map[string]string, len(list))
	for _, a := range list {
		all[a.Key] = a.Value.GetStringValue()
		if all[a.Key] == "" {
			all[a.Key] = a.Value.String()
		}
	}
	return all
}

// Spans returns the spans so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Services returns which services have sent spans.
func (c *Collector) Services() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	services := slices.Clone(c.services)
	slices.Sort(services)
	return slices.Compact(services)
}

// Problems returns the requests that were no valid exports, by method and path.
func (c *Collector) Problems() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.problems)
}
