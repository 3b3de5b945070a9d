package thread_test

import (
	"testing"

	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestCanonicalTime(t *testing.T) {
	tests := []struct{ text, want string }{
		{"2026-03-14T15:09:26Z", "2026-03-14T15:09:26Z"},
		{"2026-03-14T15:09:26.535Z", "2026-03-14T15:09:26.535Z"},
		{"2026-03-14T15:09:26.500000000Z", "2026-03-14T15:09:26.5Z"},
		{"2026-03-14T15:09:26.1234567Z", "2026-03-14T15:09:26.123456Z"},
		{"2026-03-14T16:09:26+01:00", "2026-03-14T15:09:26Z"},
		{"2026-03-14T16:09:26.5+0100", "2026-03-14T15:09:26.5Z"},
		{"2026-03-14T09:39:26-0530", "2026-03-14T15:09:26Z"},
		{" 2026-03-14 15:09:26z\n", "2026-03-14T15:09:26Z"},
		{"2026-03-14t15:09:26z", "2026-03-14T15:09:26Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
		{"2017-01-01 00:59:60.5+0100", "2017-01-01T00:00:00.5Z"},

		{"2026-03-14T15:09:26", ""},
		{"2026-03-14", ""},
		{"2026-02-30T00:00:00Z", ""},
		{"2026-03-14T25:00:00Z", ""},
		{"2026-03-14T15:09:26+1", ""},
		{"0000-06-01T00:00:00Z", ""},
		{"9999-12-31T23:59:59-01:00", ""},
		{"soon", ""},
		{"", ""},
		{"1773500966", ""},
	}
	for _, tt := range tests {
		want := tt.want
		if want == "" {
			want = tt.text // unreadable: as it is
		}
		if got := thread.CanonicalTime(tt.text); got != want {
			t.Errorf("%q: %q, want %q", tt.text, got, want)
		}
		at, ok := thread.ParseTime(tt.text)
		if ok != (tt.want != "") || ok && thread.FormatTime(at) != tt.want || !ok && !at.IsZero() {
			t.Errorf("%q: %v, %v", tt.text, at, ok)
		}
	}
}

func TestContentLeavesOutWhatIsEmpty(t *testing.T) {
	m := thread.Message{ID: "m1", AuthorID: "p\u0001\"1"}
	if got, want := string(m.Content()), `{"id":"m1","authorId":"p\u0001\"1"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p := thread.Participant{ID: "p1", Name: "Unknown"}
	if got, want := string(p.Content()), `{"id":"p1","name":"Unknown"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
