package proof

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// during returns an operation of replica a that lasts from one second to another.
func during(from, to int) *Operation {
	at := func(n int) time.Time { return midnight.Add(time.Duration(n) * time.Second) }
	return &Operation{Thread: "t-1", Replica: "a", Call: at(from), Return: at(to), Carried: true}
}

func etag(version int64) string {
	if version == 0 {
		return ""
	}
	return fmt.Sprintf(`"%d"`, version)
}

func read(from, to int, version int64) *Operation {
	o := during(from, to)
	o.Method, o.Status, o.Told, o.ETag = http.MethodGet, http.StatusOK, version, etag(version)
	return o
}

// create is a POST; a status of 0 is that its answer was lost.
func create(from, to int, version int64, status int) *Operation {
	o := write(from, to, 0, version, status)
	o.Method = http.MethodPost
	return o
}

// write is a PATCH that was made for a version, 0 for none.
func write(from, to int, base, version int64, status int) *Operation {
	o := during(from, to)
	o.Method, o.IfMatch, o.Version, o.Status = http.MethodPatch, etag(base), version, status
	o.Key = fmt.Sprintf("%d for %d", version, base)
	if status != 0 && status < 300 {
		o.Told, o.ETag = version, etag(version)
	}
	return o
}

func other(from, to int) *Operation {
	o := during(from, to)
	o.Replica = ""
	return o
}

// again is a write that is sent once more, and gets the answer that it got before.
func again(o *Operation, from, to int) *Operation {
	twice := *o
	twice.Call, twice.Return = during(from, to).Call, during(from, to).Return
	return &twice
}

func by(replica string, o *Operation) *Operation {
	o.Replica = replica
	return o
}

// What must pass, and what must not. A check that finds nothing must be able to find something.
func TestRegister(t *testing.T) {
	first := create(1, 2, 1, 201)
	for name, tt := range map[string]struct {
		wrong   bool
		history []*Operation
	}{
		"one after the other":               {false, []*Operation{first, write(3, 4, 1, 2, 200), read(5, 6, 2)}},
		"versions are left out":             {false, []*Operation{first, write(3, 4, 1, 7, 200), read(5, 6, 7)}},
		"a lost answer, applied":            {false, []*Operation{first, write(3, 4, 1, 2, 0), read(5, 6, 2)}},
		"a lost answer, refused":            {false, []*Operation{first, other(3, 4), write(5, 6, 1, 9, 0), read(7, 8, 2)}},
		"a lost creation":                   {false, []*Operation{create(1, 2, 1, 0), read(3, 4, 1)}},
		"a read beside a write, before it":  {false, []*Operation{first, write(3, 9, 1, 2, 200), read(4, 5, 1)}},
		"a read beside a write, after it":   {false, []*Operation{first, write(3, 9, 1, 2, 200), read(4, 5, 2)}},
		"another writer, and a refusal":     {false, []*Operation{first, other(3, 4), write(5, 6, 1, 2, 412), read(7, 8, 2), write(9, 10, 2, 3, 200)}},
		"the same write twice":              {false, []*Operation{first, write(3, 4, 1, 2, 200), again(write(3, 4, 1, 2, 200), 5, 6), read(7, 8, 2)}},
		"a late repeat of an old write":     {false, []*Operation{first, write(3, 4, 1, 2, 200), write(5, 6, 2, 3, 200), again(write(3, 4, 1, 2, 200), 7, 8), read(9, 10, 3)}},
		"two pushers, one is refused":       {false, []*Operation{first, write(3, 8, 1, 2, 200), by("b", write(4, 9, 1, 3, 412)), read(10, 11, 2)}},
		"nobody there":                      {false, []*Operation{{Thread: "t-1", Replica: "a", Method: http.MethodGet, Carried: true, Status: 404, Call: midnight, Return: midnight}}},
		"lost update":                       {true, []*Operation{first, write(3, 4, 1, 2, 200), read(5, 6, 1)}},
		"lost update of another writer":     {true, []*Operation{first, other(3, 4), read(5, 6, 1)}},
		"lost creation":                     {true, []*Operation{first, {Thread: "t-1", Replica: "a", Method: http.MethodGet, Carried: true, Status: 404, Call: first.Return.Add(time.Second), Return: first.Return.Add(time.Second)}}},
		"a read goes back":                  {true, []*Operation{first, write(3, 20, 1, 2, 200), read(4, 5, 2), read(6, 7, 1)}},
		"stale overwrite":                   {true, []*Operation{first, write(3, 4, 1, 2, 200), by("b", write(5, 6, 1, 3, 200))}},
		"stale overwrite of another writer": {true, []*Operation{first, other(3, 4), write(5, 6, 1, 3, 200)}},
		"stale overwrite, the answer lost":  {true, []*Operation{first, write(3, 4, 1, 2, 200), by("b", write(5, 6, 1, 3, 0)), read(7, 8, 3)}},
		"blind overwrite":                   {true, []*Operation{first, write(3, 4, 0, 2, 200)}},
		"blind overwrite, the answer lost":  {true, []*Operation{first, write(3, 4, 0, 2, 0)}},
		"made for what nobody was told":     {true, []*Operation{first, write(3, 4, 77, 78, 200)}},
		"created twice":                     {true, []*Operation{first, by("b", create(3, 4, 2, 201))}},
		"two pushers, both are taken":       {true, []*Operation{first, write(3, 8, 1, 2, 200), by("b", write(4, 9, 1, 3, 200))}},
		"a repeat is applied again":         {true, []*Operation{first, write(3, 4, 1, 2, 200), other(5, 6), again(write(3, 4, 1, 2, 200), 7, 8), read(9, 10, 4)}},
		"the version goes back":             {true, []*Operation{first, write(3, 4, 1, 5, 200), write(5, 6, 5, 4, 200)}},
		"refused without a reason":          {true, []*Operation{first, write(3, 4, 1, 2, 409)}},
		"another writer of what is nowhere": {true, []*Operation{other(1, 2)}},
	} {
		t.Run(name, func(t *testing.T) {
			h := CheckHistories(tt.history, time.Minute)
			if h.Threads != 1 || len(h.Wrong) > 0 != tt.wrong {
				t.Errorf("%d threads, wrong: %q", h.Threads, h.Wrong)
			}
		})
	}
}

// What was not carried out says nothing, and a fault is reported for its own thread.
func TestHistoriesOfThreads(t *testing.T) {
	never := write(3, 4, 1, 9, 0)
	never.Carried = false
	bad := []*Operation{create(1, 2, 1, 201), write(3, 4, 1, 2, 200), read(5, 6, 1)}
	for _, o := range bad {
		o.Thread = "t-2"
	}
	history := append(bad, create(1, 2, 1, 201), never, read(5, 6, 1), other(7, 8))
	h := CheckHistories(history, time.Minute)
	if h.Threads != 2 || h.Writes != 3 || h.Reads != 2 || h.Others != 1 || h.Lost != 0 {
		t.Errorf("%+v", h)
	}
	if len(h.Wrong) != 1 || !strings.Contains(h.Wrong[0], `"t-2"`) || !strings.Contains(h.Wrong[0], "and then: a: GET, answered 200, version 1") {
		t.Errorf("%q", h.Wrong)
	}
}

// Not to have found an answer is no answer.
func TestHistoryThatIsNotUnderstood(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	history := []*Operation{create(0, 1, 1, 201)}
	for i := range 400 { // all at the same time: there are more orders than anybody can try
		o := write(2, 3, rng.Int64N(50)+1, rng.Int64N(50)+2, 0)
		o.Key = fmt.Sprint(i)
		history = append(history, o, other(2, 3))
	}
	history = append(history, read(4, 5, 3))
	if verdict, _ := checkThread(history, time.Nanosecond); verdict == porcupine.Ok {
		t.Error("the history is right")
	}
	if h := CheckHistories(history, time.Nanosecond); len(h.Wrong) != 1 {
		t.Errorf("wrong: %q", h.Wrong)
	}
}
