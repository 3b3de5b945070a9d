package e2e_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestReceiptShapes(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		for _, shape := range shapes {
			if a := p.post(t, 200, shape.body); !a.Acknowledged || a.MessageID != shape.id || a.Duplicate || a.QueuedForRetry {
				t.Errorf("%s: answer %s", shape.name, a.Text)
			}
		}
		for name, body := range refusedShapes {
			if a := p.post(t, 422, body); a.Acknowledged || a.Error == "" {
				t.Errorf("%s: answer %s", name, a.Text)
			}
		}
		checkShapes(t, p, s)

		// What is known already is known in whatever company it comes.
		a := p.post(t, 200, everyShape())
		if a.Accepted != 0 || a.Duplicates != len(shapes) || len(a.Rejected) != len(refusedShapes) {
			t.Errorf("all again: %s", a.Text)
		}
		checkShapes(t, p, s)
	})
}

func TestReceiptShapesInAnArray(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		a := p.post(t, 200, everyShape())
		if a.Accepted != len(shapes) || a.Duplicates != 0 || len(a.Rejected) != len(refusedShapes) {
			t.Errorf("answer %s", a.Text)
		}
		for _, r := range a.Rejected {
			if r.Index < len(shapes) || r.Error == "" {
				t.Errorf("rejected %+v", r)
			}
		}
		checkShapes(t, p, s)
	})
}

// everyShape is an array of all shapes, the refused ones last.
func everyShape() string {
	var items []string
	for _, shape := range shapes {
		items = append(items, shape.body)
	}
	items = append(items, slices.Sorted(maps.Values(refusedShapes))...)
	return "[" + strings.Join(items, ",\n") + "]"
}

// checkShapes compares what is stored with the shapes, through the API and by SQL.
func checkShapes(t *testing.T, p *process, s *storage) {
	t.Helper()
	rows := s.messages(t)
	for _, shape := range shapes {
		r := rows[shape.id]
		if got := (state{r.status, r.rawStatus, r.statusAt, r.errorCode}); got != shape.want || r.receipts != 1 {
			t.Errorf("%s: the row has %+v and %d receipts, want %+v and one", shape.name, got, r.receipts, shape.want)
		}
		m, _ := p.message(t, shape.id)
		if got := (state{m.Status, m.RawStatus, m.StatusAt, m.ErrorCode}); got != shape.want || m.MessageID != shape.id || len(m.Receipts) != 1 {
			t.Errorf("%s: the API shows %+v, want %+v", shape.name, m, shape.want)
		}
	}
	if len(rows) != len(shapes) {
		t.Errorf("%d messages, want %d", len(rows), len(shapes))
	}
	var kept []string
	for _, letter := range p.deadLetters(t) {
		kept = append(kept, letter.Raw)
		if letter.Reason == "" {
			t.Errorf("a dead letter without a reason: %s", letter.Raw)
		}
	}
	slices.Sort(kept)
	if want := slices.Sorted(maps.Values(refusedShapes)); !slices.Equal(kept, want) {
		t.Errorf("the dead letters are\n%s\nwant\n%s", strings.Join(kept, "\n"), strings.Join(want, "\n"))
	}
}

// Every receipt is kept with its raw body, and addresses and carrier reach their columns.
func TestColumnsAndRawBody(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		pending := `{"eventType":"messaging.status.update","payload":{"messageId":"col-1", "status":"SENT", "from":"72727","to":"+12025550142"}}`
		delivered := `{"carrier":"att","smpp":{"esm_class":4,"receipted_message_id":"col-1","message_state":2},"note":"kept as it came"}`
		p.post(t, 200, delivered)
		p.post(t, 200, pending)
		want := row{
			status: "DELIVERED", rawStatus: "DELIVERED", carrier: "att", sender: "72727", recipient: "+12025550142",
			region: "US", compliance: "compliant", receipts: 2,
		}
		if got := s.messages(t)["col-1"]; got != want {
			t.Errorf("the row is\n%+v, want\n%+v", got, want)
		}
		var shown struct {
			Receipts []struct{ Raw json.RawMessage }
		}
		if status := p.call(t, "GET", "/api/messages/col-1", viewerToken, &shown); status != 200 || len(shown.Receipts) != 2 {
			t.Fatalf("status %d, %+v", status, shown)
		}
		for i, raw := range []string{delivered, pending} {
			if got := string(shown.Receipts[i].Raw); !sameJSON(t, got, raw) {
				t.Errorf("receipt %d has the raw body %s, want %s", i, got, raw)
			}
		}
	})
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var compact [2]strings.Builder
	for i, text := range []string{a, b} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&compact[i]).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return compact[0].String() == compact[1].String()
}
