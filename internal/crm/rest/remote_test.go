package rest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestDecodeRemote(t *testing.T) {
	tests := []struct {
		name, answer string
		want         thread.Remote
	}{
		{"VersionOnly", `{"version":7}`, thread.Remote{Version: 7}},
		{"NoParent", `{"threadId":"t1","version":0,"parentThreadId":null}`, thread.Remote{NamesParent: true}},
		{"Parent", `{"version":1,"parentThreadId":"p"}`, thread.Remote{Version: 1, Parent: "p", NamesParent: true}},
		{"NullLists", `{"version":1,"messages":null,"participants":null}`, thread.Remote{Version: 1}},
		{
			"EmptyLists", `{"version":1,"messages":[],"participants":[]}`,
			thread.Remote{Version: 1, Messages: map[string]thread.Fields{}, Participants: map[string]thread.Fields{}},
		},
		{
			"IDs", `{"version":1,"messages":[{"id":"m1"},{"id":"m2"}],"participants":[{"id":"p1"}]}`,
			thread.Remote{
				Version:      1,
				Messages:     map[string]thread.Fields{"m1": {}, "m2": {}},
				Participants: map[string]thread.Fields{"p1": {}},
			},
		},
		{
			"Fields", `{"messages":[{"id":"m1","text":"a","timestamp":null,"authorId":7,"direction":{},"likes":["x"]}],
				"participants":[{"role":"AGENT","name":null,"platformId":"","id":"p1"}],"extra":[{}],"version":1}`,
			thread.Remote{
				Version:      1,
				Messages:     map[string]thread.Fields{"m1": {"text": "a", "timestamp": ""}},
				Participants: map[string]thread.Fields{"p1": {"role": "AGENT", "name": "", "platformId": ""}},
			},
		},
		{"TwiceNamed", `{"version":1,"version":2}`, thread.Remote{Version: 2}},
		{"TwiceNamedParent", `{"version":1,"parentThreadId":"p","parentThreadId":null}`, thread.Remote{Version: 1, NamesParent: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeRemote(strings.NewReader(tt.answer), "t1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDecodeRemoteBad(t *testing.T) {
	for _, answer := range []string{
		"", "null", "[]", `"t1"`, "<html>", `{"version":1`, `{"version":1}}`, "{}", `{"version":null}`, `{"version":"1"}`, `{"version":1.5}`,
		`{"version":1,"threadId":"t2"}`, `{"version":1,"parentThreadId":{"id":"p"}}`, `{"version":1,"messages":{}}`,
		`{"version":1,"messages":["m1"]}`, `{"version":1,"messages":[{"text":"secret"}]}`, `{"version":1,"participants":[{"id":""}]}`,
		`{"version":1,"messages":[{"id":5}]}`,
	} {
		var bad *badAnswerError
		if _, err := decodeRemote(strings.NewReader(answer), "t1"); !errors.As(err, &bad) {
			t.Errorf("%s: the error is %v", answer, err)
		} else if bad.Error() == "" || strings.Contains(bad.Error(), "secret") {
			t.Errorf("%s: the error says %q", answer, bad)
		}
	}
}

// An error of the connection is no fault of the answer.
func TestDecodeRemoteCut(t *testing.T) {
	cut := errors.New("cut")
	_, err := decodeRemote(io.MultiReader(strings.NewReader(`{"version":1,"messages":[`), iotest.ErrReader(cut)), "t1")
	if !errors.Is(err, cut) {
		t.Errorf("the error is %v", err)
	}
}

func FuzzDecodeRemote(f *testing.F) {
	f.Add([]byte(`{"threadId":"t1","version":4,"parentThreadId":null,"messages":[{"id":"m1","text":"a"}],"participants":[{"id":"p1"}]}`))
	f.Add([]byte(`{"version":1e0,"messages":[{"id":"\ud800"}]}`))
	f.Add([]byte(`{"messages":null}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		remote, err := decodeRemote(strings.NewReader(string(answer)), "t1")
		if (remote == nil) == (err == nil) {
			t.Fatalf("%v, %v", remote, err)
		}
		if err != nil {
			return
		}
		for id := range remote.Messages {
			if id == "" {
				t.Error("a message has no id")
			}
		}
	})
}

func FuzzWords(f *testing.F) {
	f.Add([]byte(`{"error":{"message":"no"}}`))
	f.Add([]byte(`{"errors":[{"detail":"a\u0000b"}]}`))
	f.Add([]byte(`[[[[[["deep"]]]]]]`))
	f.Fuzz(func(t *testing.T, body []byte) { findWords(body, 0) })
}

func TestFindWords(t *testing.T) {
	for body, want := range map[string]string{
		"":                                     "",
		"<html>no</html>":                      "",
		"7":                                    "",
		`"plain"`:                              "plain",
		`{"message":"a","error":"b"}`:          "a",
		`{"message":"","error":"b"}`:           "b",
		`{"error":{"code":7,"message":"c"}}`:   "c",
		`{"detail":[{"loc":["x"],"msg":"d"}]}`: "d",
		`{"errors":[{"title":"e"},{"title":"f"}]}`: "e",
		`{"other":"x"}`:                  "",
		`{"error":[[[[["too deep"]]]]]}`: "",
	} {
		if got := findWords([]byte(body), 0); got != want {
			t.Errorf("%s says %q, want %q", body, got, want)
		}
	}
}
