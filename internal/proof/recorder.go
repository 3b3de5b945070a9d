package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Operation is a request to a CRM about a thread, or a change by somebody who works in the CRM.
type Operation struct {
	Thread  string
	Replica string // "" is another writer, whose change raises the version by one
	Method  string // "" for another writer
	Key     string // Idempotency-Key
	IfMatch string // the ETag of the state that a write was made for
	Version int64  // that a write asks for

	Call, Return time.Time // as the CRM saw them

	Carried bool   // the CRM handled the request, even if by refusing it; else it never got to it
	Status  int    // that the CRM answered; 0: a fault took the place of the answer
	ETag    string // in the answer
	Told    int64  // the version in the answer

	lied bool // it was carried out, and answered as if it had not been
}

// isWrite reports whether the operation may change the thread.
func (o *Operation) isWrite() bool { return o.Method != http.MethodGet }

// Recorder stands in front of a CRM and records what it is asked.
type Recorder struct {
	*CRM
	Settings Settings // that point cxbridge to it; a replica appends its name to CRM_API_URL

	server  *http.Server
	address string

	mu         sync.Mutex
	operations []*Operation
	threads    []string // that the CRM has, in the order in which they came
}

// operationKey finds the Operation in the context of its request.
type operationKey struct{}

// OperationOf returns the operation as which a Recorder records a request; nil when it does not.
func OperationOf(request *http.Request) *Operation {
	o, _ := request.Context().Value(operationKey{}).(*Operation)
	return o
}

// Record puts a recorder in front of a CRM, which is closed with it.
func Record(crm *CRM) (*Recorder, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Recorder{CRM: crm, address: listener.Addr().String()}
	r.Settings = crm.Settings.With(Settings{"CRM_API_URL": "http://" + r.address})
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(listener) }() // ends with ErrServerClosed
	return r, nil
}

// Address is host:port.
func (r *Recorder) Address() string { return r.address }

// SetFaults sets the function that decides what happens to requests from now on.
func (r *Recorder) SetFaults(befalls func(*http.Request) sim.CRMFault) {
	r.CRM.SetFaults(func(request *http.Request) sim.CRMFault {
		f := befalls(request)
		if o := OperationOf(request); o != nil {
			o.lied = f.Applied
			o.Carried = f.Applied || !f.Cut && !f.Stall && f.Status == 0
		}
		return f
	})
}

// History returns what was done so far, in the order in which it ended.
func (r *Recorder) History() []*Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.operations)
}

// Close ends the recorder and the CRM.
func (r *Recorder) Close() error { return errors.Join(r.server.Close(), r.CRM.Close()) }

// ServeHTTP serves paths of the form /replica/threads….
func (r *Recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	o := &Operation{
		Method: request.Method, Key: request.Header.Get("Idempotency-Key"), IfMatch: request.Header.Get("If-Match"),
		Call: time.Now(),
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // half of a request gets no answer
	}
	replica, path, _ := strings.Cut(strings.TrimPrefix(request.URL.EscapedPath(), "/"), "/")
	o.Replica = replica
	o.read(path, body)

	inner := request.Clone(context.WithValue(request.Context(), operationKey{}, o))
	inner.Body = io.NopCloser(bytes.NewReader(body))
	if inner.URL, err = url.Parse("/" + path); err != nil {
		http.Error(w, "the path cannot be read", http.StatusBadRequest)
		return
	}
	answer := &answerCopy{ResponseWriter: w}
	defer func() { r.add(o, answer) }() // also when the CRM cuts the connection, which is a panic
	r.CRM.ServeHTTP(answer, inner)
	if answer.status == 0 { // net/http would send 200, which a caller reads that has closed only its half
		panic(http.ErrAbortHandler)
	}
}

// read takes the thread and the version from a request.
func (o *Operation) read(path string, body []byte) {
	if segment, isThread := strings.CutPrefix(path, "threads/"); isThread {
		o.Thread, _ = url.PathUnescape(segment) // a bad one is refused by the CRM
	}
	var delta struct {
		ThreadID string
		Version  int64
	}
	if o.isWrite() && json.Unmarshal(body, &delta) == nil {
		o.Version = delta.Version
		if o.Method == http.MethodPost {
			o.Thread = delta.ThreadID
		}
	}
}

// add records an operation that has ended.
func (r *Recorder) add(o *Operation, a *answerCopy) {
	o.Return = time.Now()
	if a.status == 0 && !o.lied {
		o.Carried = false // the caller was gone before the CRM got to it
	}
	if o.Carried && !o.lied {
		o.Status, o.ETag = a.status, a.Header().Get("ETag")
		var told struct{ Version int64 }
		if a.status < 300 && json.Unmarshal(a.body.Bytes(), &told) == nil {
			o.Told = told.Version
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, o)
	if o.Method == http.MethodPost && o.Status == http.StatusCreated {
		r.threads = append(r.threads, o.Thread)
	}
}

// answerCopy keeps a copy of the answer.
type answerCopy struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answerCopy) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answerCopy) Write(p []byte) (int, error) {
	a.body.Write(p)
	return a.ResponseWriter.Write(p)
}
