package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

// instantIntake costs next to nothing, so that a benchmark tells what the webhook itself costs.
type instantIntake struct{}

func (instantIntake) ReadSMS([]byte, time.Time) ingest.Reading {
	return ingest.Reading{Subject: "0f8fad5b-d9cb-469f-a165-70867728950e"}
}

func (instantIntake) Submit(_ context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
	return make([]ingest.Answer, len(readings)), nil
}

// discard is a ResponseWriter that is not worth measuring.
type discard struct{ header http.Header }

func (d discard) Header() http.Header             { return d.header }
func (d discard) Write(p []byte) (int, error)     { return len(p), nil }
func (d discard) WriteHeader(int)                 {}
func (d discard) SetReadDeadline(time.Time) error { return nil }

func BenchmarkSMSHandler(b *testing.B) {
	const item = `{"eventType":"messaging.status.update","payload":{"messageId":"0f8fad5b-d9cb-469f-a165-70867728950e",` +
		`"status":"DELIVERED","errorCode":null,"carrier":"TMOBILE","from":"SENDER42","to":"+15550100","timestamp":"2026-03-01T10:00:00Z"}}`
	array := "[" + strings.Repeat(item+",", 99) + item + "]"
	shared := headers(headerSecret, secret)
	stamp := fmt.Sprint(noon.Unix())
	standard := headers(headerWebhookID, "m", headerWebhookTimestamp, stamp, headerWebhookSignature, "v1,"+sign(secret, "m.", stamp, ".", item))
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	for _, bb := range []struct {
		name   string
		body   string
		header http.Header
		logger *slog.Logger
	}{
		{"one", item, shared, nil},
		{"one, logged", item, shared, logger},
		{"one, signed", item, standard, nil},
		{"one, refused", item, headers(headerSecret, "wrong"), nil},
		{"array of 100", array, shared, nil},
	} {
		b.Run(bb.name, func(b *testing.B) {
			h := newGate(b, func(o *Options) { o.Logger = bb.logger }).SMS(instantIntake{})
			text := []byte(bb.body)
			body := bytes.NewReader(text)
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.Header, r.ContentLength, r.Body = bb.header, int64(len(bb.body)), io.NopCloser(body)
			w := discard{http.Header{}}
			b.SetBytes(int64(len(bb.body)))
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(text)
				h.ServeHTTP(w, r)
			}
		})
	}
}
