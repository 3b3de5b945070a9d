package load

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadResponse(t *testing.T) {
	tests := []struct {
		name   string
		wire   string
		status int
		body   string
		close  bool
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
		{"no reason phrase", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", false},
		{"header names in any case", "HTTP/1.1 200 OK\r\ncontent-LENGTH:5 \r\n\r\nhello", 200, "hello", false},
		{"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, "hi", false},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", 200, "hello", false},
		{"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", 200, "0123456789", false},
		{"refused", "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy", 503, "busy", false},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
		{"interim answer first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", false},
		{"told to close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", true},
		{"HTTP/1.0 closes", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", true},
		{"to the end", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			readers := map[string]io.Reader{
				"whole":            strings.NewReader(tt.wire),
				"a byte at a time": iotest.OneByteReader(strings.NewReader(tt.wire)),
			}
			for how, r := range readers {
				got, err := readResponse(bufio.NewReader(r), nil)
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if got.status != tt.status || string(got.body) != tt.body || got.close != tt.close {
					t.Errorf("%s: got %d %q close=%v, want %d %q close=%v",
						how, got.status, got.body, got.close, tt.status, tt.body, tt.close)
				}
			}
		})
	}
}

func TestReadResponseLargerThanTheBuffer(t *testing.T) {
	body := strings.Repeat("x", 100_000)
	r := bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body + "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
	first, err := readResponse(r, nil)
	if err != nil || string(first.body) != body {
		t.Fatalf("got %d bytes, %v", len(first.body), err)
	}
	if second, err := readResponse(r, first.body); err != nil || second.status != 503 || len(second.body) != 0 {
		t.Fatalf("the next answer on the connection: %d with %d bytes, %v", second.status, len(second.body), err)
	}
}

func TestReadResponseRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing":                "",
		"not HTTP":               "SSH-2.0-OpenSSH_9.2\r\n",
		"no status":              "HTTP/1.1 OK\r\n\r\n",
		"another version":        "HTTP/2.0 200 OK\r\n\r\n",
		"cut in the headers":     "HTTP/1.1 200 OK\r\nContent-Le",
		"cut in the body":        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		"cut in a chunk":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"no last chunk":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
		"chunk too long":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
		"chunk size not hex":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"negative length":        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
		"length and chunks":      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown encoding":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"blank in a header name": "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
		"chunks in HTTP/1.0":     "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"switching protocols":    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"too large":              "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
		"endless headers":        "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 101) + "\r\n",
		"endless interims":       strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 101),
	}
	for name, wire := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := readResponse(bufio.NewReader(strings.NewReader(wire)), nil); err == nil {
				t.Errorf("got %d %q", got.status, got.body)
			}
		})
	}
}

// FuzzReadResponse compares the parser with the one of net/http: what both can read they read
// alike. net/http is more lenient in some cases and stricter in others, so that one of them
// refuses an answer says nothing.
func FuzzReadResponse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
	f.Add("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\r\nbusy")
	f.Add("HTTP/1.0 200 OK\r\n\r\nall of it")
	f.Add("HTTP/1.1 204 No Content\r\n\r\n")
	f.Fuzz(func(t *testing.T, wire string) {
		got, err := readResponse(bufio.NewReader(strings.NewReader(wire)), nil)
		if len(got.body) > maxBody+1 {
			t.Fatalf("a body of %d bytes", len(got.body))
		}
		if err != nil {
			return
		}
		r := bufio.NewReader(strings.NewReader(wire))
		want, err := http.ReadResponse(r, &http.Request{Method: http.MethodPost})
		for err == nil && want.StatusCode < 200 {
			want, err = http.ReadResponse(r, &http.Request{Method: http.MethodPost})
		}
		if err != nil {
			return
		}
		body, err := io.ReadAll(want.Body)
		if err != nil {
			return
		}
		if got.status != want.StatusCode || string(got.body) != string(body) {
			t.Errorf("got %d %q, net/http %d %q", got.status, got.body, want.StatusCode, body)
		}
	})
}
