package thread_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// longEvent returns an event with n messages whose texts have some length.
func longEvent(n, length int) []byte {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"id":"m-%d","text":"%s","timestamp":"2026-03-14T15:%02d:%02d.%06dZ","authorId":"p1","direction":"INBOUND"}`,
			i, strings.Repeat("x", length), i/60%60, i%60, i)
	}
	return []byte(data("THREAD_UPDATED", `"version":3,"messages":[`+strings.Join(messages, ",")+`]`))
}

func BenchmarkDecode(b *testing.B) {
	for name, raw := range map[string][]byte{"small": []byte(wholeEvent), "20000 messages": longEvent(20_000, 310)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := thread.Decode(raw, thread.AnyID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFold(b *testing.B) {
	e, err := thread.Decode(longEvent(20_000, 310), thread.AnyID)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		thread.NewState().Fold(e)
	}
}
