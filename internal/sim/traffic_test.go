package sim_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestTrafficIsDeterministic(t *testing.T) {
	if !reflect.DeepEqual(stream(7, 1000), stream(7, 1000)) {
		t.Error("one seed gives two streams")
	}
	if reflect.DeepEqual(stream(7, 100), stream(8, 100)) {
		t.Error("two seeds give one stream")
	}
}

func TestTrafficShowsEveryKind(t *testing.T) {
	kinds := make(map[sim.Kind]int)
	shapes := map[string]int{
		`"short_message":`: 0, `"short_message_hex":`: 0, `"messagePayload":`: 0, `"receipted_message_id":`: 0,
		`"network_error_code":`: 0, `"eventType":`: 0, `"smppMessageId":`: 0, `"esm_class":32`: 0, `"errorCode":404`: 0,
		`"region":"UK"`: 0, "+01:00": 0, "done date:0000": 0, "Text:": 0, "stat:UNDELIV err:": 0, "HANDSET_AWAY": 0, "\n  ": 0,
		"GREYROUTE": 0, "carrier-filter/": 0,
	}
	for _, p := range stream(1, 3000) {
		kinds[p.Kind]++
		for shape := range shapes {
			if bytes.Contains(p.Body, []byte(shape)) {
				shapes[shape]++
			}
		}
	}
	for _, k := range []sim.Kind{
		sim.Malformed, sim.Invalid, sim.Array, sim.Repeat, sim.Late, sim.OutOfOrder, sim.BadSender, sim.SMPP,
		sim.Pending, sim.Delivered, sim.Failed, sim.Unknown,
	} {
		if kinds[k] == 0 {
			t.Errorf("no post is %q: %v", k, kinds)
		}
	}
	for shape, n := range shapes {
		if n == 0 {
			t.Errorf("no post holds %q", shape)
		}
	}
}

func TestTrafficAnswers(t *testing.T) {
	refused := make(map[string]bool)
	for _, p := range stream(2, 2000) {
		want := 200
		switch p.Kind {
		case sim.Malformed:
			want = 400
		case sim.Invalid:
			want = 422
		}
		if p.Answer != want {
			t.Errorf("%s deserves %d, want %d", p.Kind, p.Answer, want)
		}
		if valid := json.Valid(p.Body); valid != (p.Kind != sim.Malformed) {
			t.Errorf("%s: valid JSON is %t: %s", p.Kind, valid, p.Body)
		}
		if (len(p.Receipts) == 0) != (want != 200) {
			t.Errorf("%s holds %d receipts", p.Kind, len(p.Receipts))
		}
		if want != 200 {
			if refused[string(p.Body)] {
				t.Errorf("refused twice: %s", p.Body)
			}
			refused[string(p.Body)] = true
		}
	}
}

// A caller whose clock stands still gets on nevertheless, in bounded memory.
func TestTrafficWithoutTimeIsBounded(t *testing.T) {
	traffic := sim.NewTraffic(rand.New(rand.NewPCG(3, 0)))
	for range 9000 {
		traffic.Next(start)
	}
	rest := 0
	for _, more := traffic.Rest(); more; _, more = traffic.Rest() {
		rest++
	}
	if rest < 4000 || rest > 6000 {
		t.Errorf("%d receipts wait, want about 5000", rest)
	}
}

// The receipts say what the decoder reads from the bodies.
func TestTrafficIsReadAsMeant(t *testing.T) {
	judge := &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "ZZ"}
	for _, p := range stream(4, 2500) {
		var got []sim.Receipt
		for i, r := range read(t, p) {
			verdict := judge.Examine(r)
			got = append(got, sim.Receipt{
				MessageID: r.MessageID, Step: p.Receipts[i].Step, Status: r.Status.String(), At: r.At,
				Carrier: r.Carrier, Region: verdict.Region, BadSender: verdict.Compliance == sms.Violation,
			})
		}
		if diff := cmp.Diff(p.Receipts, got); diff != "" {
			t.Fatalf("%s\n%s", diff, p.Body)
		}
	}
}

// read decodes the receipts of a post, and checks that the rest of it is refused.
func read(t *testing.T, p sim.Post) []*sms.Receipt {
	t.Helper()
	items := []json.RawMessage{p.Body}
	if p.Kind == sim.Array {
		items = nil
		if err := json.Unmarshal(p.Body, &items); err != nil {
			t.Fatal(err)
		}
	}
	var receipts []*sms.Receipt
	for i, item := range items {
		r, err := sms.Decode(item, nil)
		if (err == nil) != (i < len(p.Receipts)) {
			t.Fatalf("item %d of a post that is %s: %v\n%s", i, p.Kind, err, item)
		}
		if err != nil {
			continue
		}
		r.RecipientRegion = sms.RegionOf(r.Recipient)
		receipts = append(receipts, r)
	}
	if len(receipts) != len(p.Receipts) {
		t.Fatalf("%d receipts, want %d: %s", len(receipts), len(p.Receipts), p.Body)
	}
	return receipts
}
