package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

type receipt struct {
	EventType string `json:"eventType"`
	Payload   struct {
		MessageID, Status, Carrier, From, To, Timestamp string
		Region, SubmittedAt                             string // of mixed receipts
		ErrorCode                                       *string
	} `json:"payload"`
}

// receiptsIn reads a request as a server would.
func receiptsIn(t *testing.T, wire []byte) []receipt {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(body)) != r.ContentLength || r.Header.Get("X-Webhook-Secret") != "s" {
		t.Fatalf("%d bytes of %d, headers %v", len(body), r.ContentLength, r.Header)
	}
	var many []receipt
	if body[0] == '{' {
		many = make([]receipt, 1)
		err = json.Unmarshal(body, &many[0])
	} else {
		err = json.Unmarshal(body, &many)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return many
}

func testConfig(batch int, repeat float64) *Config {
	return &Config{
		Addr: "127.0.0.1:1", Path: "/hook", Header: map[string]string{"X-Webhook-Secret": "s"},
		Prefix: "run1", Batch: batch, Repeat: repeat,
	}
}

// TestSourceMatchesLedger plays the server: it keeps what was sent and compares it with the account.
func TestSourceMatchesLedger(t *testing.T) {
	for _, tt := range []struct {
		name   string
		batch  int
		repeat float64
		refuse int // every so manieth request is refused; 0 is none
	}{
		{"single", 1, 0, 0},
		{"repeat", 1, 0.3, 0},
		{"as many second receipts as can be", 1, 0.5, 0},
		{"array", 100, 0, 0},
		{"array and repeat", 100, 0.3, 0},
		{"refused", 1, 0.4, 5},
		{"arrays refused", 7, 0.4, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ledger Ledger
			statuses := make(map[string][]string)
			receipts := 0
			for connection := range 3 {
				s := newSource(testConfig(tt.batch, tt.repeat), connection)
				for i := range 2000 / tt.batch {
					sent := receiptsIn(t, s.next())
					accept := tt.refuse == 0 || i%tt.refuse != 0
					s.settle(accept, &ledger)
					if !accept {
						continue
					}
					for _, r := range sent {
						statuses[r.Payload.MessageID] = append(statuses[r.Payload.MessageID], r.Payload.Status)
						receipts++
					}
				}
			}
			rows := Rows{Messages: int64(len(statuses)), Receipts: int64(receipts)}
			for id, got := range statuses {
				switch strings.Join(got, " ") {
				case "PENDING":
				case "PENDING DELIVERED":
					rows.Final++
				default:
					t.Fatalf("%s got the receipts %v", id, got)
				}
			}
			if err := ledger.Verify(rows); err != nil || ledger.Unsure != 0 {
				t.Errorf("the account %+v does not match %+v: %v", ledger, rows, err)
			}
			share := float64(rows.Final) / float64(receipts)
			if tt.refuse == 0 && (share > tt.repeat || share < tt.repeat*0.75) {
				t.Errorf("%.2f of the receipts are second ones, want about %.2f", share, tt.repeat)
			}
		})
	}
}

func TestSourceWritesEnvelopesOfCXone(t *testing.T) {
	s := newSource(testConfig(1, 0), 3)
	wire := s.next()
	r := receiptsIn(t, wire)[0]
	if r.EventType != "messaging.status.update" || !strings.HasPrefix(r.Payload.MessageID, "run1-") ||
		len(r.Payload.MessageID) != len("run1")+29 || len(r.Payload.To) != len("+12025550100") || r.Payload.Status != "PENDING" || r.Payload.ErrorCode != nil {
		t.Errorf("got %+v", r)
	}
	if bytes.ContainsAny(wire, idMark+statusMark+timestampMark+areaMark+lineMark) {
		t.Errorf("a mark is left in %s", wire)
	}
}

// Both receipts of a message name the same carrier, region and time of submission, and all of them
// are named about as often.
func TestMixedSource(t *testing.T) {
	cfg := testConfig(10, 0.3)
	cfg.Mixed = true
	s := newSource(cfg, 5)
	type names struct{ carrier, region, submitted string }
	known := make(map[string]names)
	carriers, regions := make(map[string]int), make(map[string]int)
	const requests = 400
	for range requests {
		for _, r := range receiptsIn(t, s.next()) {
			p := &r.Payload
			now := names{p.Carrier, p.Region, p.SubmittedAt}
			if before, again := known[p.MessageID]; again && before != now {
				t.Fatalf("message %s: %v, then %v", p.MessageID, before, now)
			}
			known[p.MessageID] = now
			carriers[p.Carrier]++
			regions[p.Region]++
			at, err := time.Parse(time.RFC3339, p.SubmittedAt)
			if sent, sentErr := time.Parse(time.RFC3339, p.Timestamp); err != nil || sentErr != nil || !at.Before(sent) {
				t.Fatalf("submitted %q, sent %q", p.SubmittedAt, p.Timestamp)
			}
		}
		s.settle(true, new(Ledger))
	}
	for _, tt := range []struct {
		counts map[string]int
		names  []string
	}{{carriers, Carriers[:]}, {regions, Regions[:]}} {
		for _, name := range tt.names {
			if even := requests * 10 / len(tt.names); tt.counts[name] < even/2 || tt.counts[name] > even*2 {
				t.Errorf("%s is named %d times, of about %d", name, tt.counts[name], even)
			}
		}
		if len(tt.counts) != len(tt.names) {
			t.Errorf("named are %v", tt.counts)
		}
	}
}
