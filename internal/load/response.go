package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The limits of an answer. A server that exceeds them is not one we measure.
const (
	maxBody    = 1 << 20
	maxHeaders = 100
)

// response is an HTTP answer, as far as a load generator cares.
type response struct {
	status int
	body   []byte // valid until the next answer is read
	close  bool   // the server ends the connection after this answer
}

// framing says how the end of an answer's body is found (RFC 9112, section 6.3).
type framing struct {
	length  int // -1 when no header gives it
	chunked bool
	close   bool
}

var (
	contentLength    = []byte("Content-Length")
	transferEncoding = []byte("Transfer-Encoding")
	connection       = []byte("Connection")
)

// readResponse reads one answer to a POST and skips interim ones (1xx). The body is appended to buf[:0],
// so that a caller that hands back the body of the last answer allocates nothing. An answer whose end is not
// certain is an error: the connection is of no more use then.
func readResponse(r *bufio.Reader, buf []byte) (response, error) {
	for range maxHeaders {
		status, http10, err := readStatusLine(r)
		if err != nil {
			return response{}, err
		}
		f, err := readHeaders(r)
		if err != nil {
			return response{}, err
		}
		if http10 && f.chunked {
			return response{}, errors.New("load: HTTP/1.0 has no chunks")
		}
		if status >= 200 || status == 101 {
			body, err := readBody(r, buf[:0], status, &f)
			return response{status: status, body: body, close: f.close || http10}, err
		}
	}
	return response{}, errors.New("load: no end of interim answers")
}

// readStatusLine reads "HTTP/1.1 200 OK". An HTTP/1.0 server ends the connection by default.
func readStatusLine(r *bufio.Reader) (status int, http10 bool, err error) {
	line, err := readLine(r)
	if err != nil {
		return 0, false, err
	}
	if len(line) < len("HTTP/1.1 200") || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return 0, false, fmt.Errorf("load: not a status line: %.40q", line)
	}
	code := line[9:12]
	for _, c := range code {
		if c < '0' || c > '9' {
			return 0, false, fmt.Errorf("load: not a status: %q", code)
		}
		status = 10*status + int(c-'0')
	}
	if status < 100 || len(line) > 12 && line[12] != ' ' {
		return 0, false, fmt.Errorf("load: not a status line: %.40q", line)
	}
	return status, line[7] == '0', nil
}

func readHeaders(r *bufio.Reader) (framing, error) {
	f := framing{length: -1}
	for range maxHeaders {
		line, err := readLine(r)
		if err != nil {
			return f, err
		}
		if len(line) == 0 {
			if f.chunked && f.length >= 0 {
				return f, errors.New("load: the answer gives its length twice")
			}
			return f, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			return f, fmt.Errorf("load: not a header: %.40q", line)
		}
		if err := f.header(name, bytes.Trim(value, " \t")); err != nil {
			return f, err
		}
	}
	return f, errors.New("load: too many headers")
}

func (f *framing) header(name, value []byte) error {
	switch {
	case bytes.EqualFold(name, contentLength):
		n, err := strconv.ParseUint(string(value), 10, 31)
		if err != nil || f.length >= 0 && f.length != int(n) {
			return fmt.Errorf("load: bad Content-Length %.40q", value)
		}
		f.length = int(n)
	case bytes.EqualFold(name, transferEncoding):
		if f.chunked || !bytes.EqualFold(value, []byte("chunked")) {
			return fmt.Errorf("load: unknown Transfer-Encoding %.40q", value)
		}
		f.chunked = true
	case bytes.EqualFold(name, connection):
		f.close = f.close || bytes.EqualFold(value, []byte("close"))
	}
	return nil
}

func readBody(r *bufio.Reader, buf []byte, status int, f *framing) ([]byte, error) {
	switch {
	case status == 101:
		return buf, errors.New("load: the server changes the protocol")
	case status == 204 || status == 304:
		return buf, nil
	case f.chunked:
		return readChunks(r, buf)
	case f.length >= 0:
		return readFull(r, buf, f.length)
	}
	f.close = true
	return readToEnd(r, buf)
}

// readChunks reads a chunked body (RFC 9112, section 7.1) and skips its trailers.
func readChunks(r *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return buf, err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimRight(size, " \t")), 16, 31)
		if err != nil {
			return buf, fmt.Errorf("load: bad chunk size %.40q", line)
		}
		if n == 0 {
			_, err := readHeaders(r)
			return buf, err
		}
		if buf, err = readFull(r, buf, int(n)); err != nil {
			return buf, err
		}
		if line, err = readLine(r); err != nil {
			return buf, err
		}
		if len(line) != 0 {
			return buf, errors.New("load: a chunk is longer than its size")
		}
	}
}

// readFull appends n bytes to buf.
func readFull(r *bufio.Reader, buf []byte, n int) ([]byte, error) {
	if n > maxBody-len(buf) {
		return buf, errors.New("load: the answer is too large")
	}
	for n > 0 {
		part, err := r.Peek(min(n, r.Size()))
		if err != nil {
			return buf, cutShort(err)
		}
		buf = append(buf, part...)
		n -= len(part)
		if _, err := r.Discard(len(part)); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func readToEnd(r *bufio.Reader, buf []byte) ([]byte, error) {
	rest, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err == nil && len(rest) > maxBody {
		err = errors.New("load: the answer is too large")
	}
	return append(buf, rest...), err
}

// readLine returns a line without its end. A line that does not fit the reader's buffer is an
// error.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, cutShort(err)
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
