package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// deadLetterAPI is the part of cxbridge's API that `replay` asks. Dead letter 1 is replayed, 2 is refused
// again, 3 waits in the spool, and there are no others.
func deadLetterAPI(t *testing.T, asked *[]string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+needed["ADMIN_TOKEN"] || r.Method != http.MethodPost {
			problemJSON(w, http.StatusUnauthorized, "a valid token is needed")
			return
		}
		switch r.URL.Path {
		case "/api/dead-letters/1/replay":
			w.Write([]byte(`{"replayed":true,"duplicate":false}`))
		case "/api/dead-letters/2/replay":
			problemJSON(w, http.StatusUnprocessableEntity, "/status: is required")
		case "/api/dead-letters/3/replay":
			w.Write([]byte(`{"replayed":false,"queuedForRetry":true}`))
		case "/api/dead-letters/replay":
			var ask struct{ Kind, Text, Cursor string }
			if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
				t.Error(err)
			}
			*asked = append(*asked, ask.Kind+" "+ask.Text+" "+ask.Cursor)
			answer := `{"replayed":1000,"refused":1,"deleted":0,"more":true,"next":"more"}`
			if ask.Cursor != "" {
				answer = `{"replayed":2,"refused":0,"queuedForRetry":3,"deleted":0,"more":false,"next":null}`
			}
			w.Write([]byte(answer))
		default:
			problemJSON(w, http.StatusNotFound, "there is nothing by this id")
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestReplay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		args  []string
		exit  int
		want  string // of the output
		asked []string
	}{
		{"one", []string{"1"}, exitOK, "1 replayed, 0 refused again, 0 in the spool\n", nil},
		{"some", []string{"1", "2", "3", "4"}, exitFailure, "2 is refused again: 422: /status: is required\n" +
			"4: 404: there is nothing by this id\n1 replayed, 1 refused again, 1 in the spool, 1 failed\n", nil},
		{"all", []string{"--all", "--kind", "sms", "--text", "status"}, exitFailure,
			"1002 replayed, 1 refused again, 3 in the spool\n", []string{"sms status ", "sms status more"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			args := append([]string{"replay", "--server", deadLetterAPI(t, &asked).URL}, tt.args...)
			p := newTrial(needed)
			if exit := p.run(t.Context(), args); exit != tt.exit {
				t.Errorf("exit %d, want %d: %s", exit, tt.exit, &p.err)
			}
			if got := p.out.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff(tt.asked, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// A wrong token is wrong for every dead letter.
func TestReplayWithWrongToken(t *testing.T) {
	t.Parallel()
	p := newTrial(map[string]string{"ADMIN_TOKEN": "wrong"})
	if exit := p.run(t.Context(), []string{"replay", "--server", deadLetterAPI(t, nil).URL, "1", "2", "3"}); exit != exitFailure {
		t.Errorf("exit %d, want %d: %s", exit, exitFailure, &p.err)
	}
	want := "1: 401: a valid token is needed\n0 replayed, 0 refused again, 0 in the spool, 1 failed, 2 not begun\n"
	if got := p.out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
