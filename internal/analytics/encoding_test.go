package analytics

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func drawContribution(t *rapid.T) Contribution {
	c := Contribution{
		Key: Key{
			Second:   rapid.Int64Range(-2, 200_000).Draw(t, "second"),
			Carrier:  rapid.SampledFrom([]string{"A", "B", "Ünïcode", ""}).Draw(t, "carrier"),
			Region:   rapid.SampledFrom([]string{"US", "GB", ""}).Draw(t, "region"),
			Currency: rapid.SampledFrom([]string{"", "USD", "EUR", NoCurrency}).Draw(t, "currency"),
		},
		Status:   sms.Status(rapid.IntRange(int(sms.Pending), int(sms.Delivered)).Draw(t, "status")),
		Flagged:  rapid.Bool().Draw(t, "flagged"),
		Segments: rapid.Int64Range(1, 255).Draw(t, "segments"),
		Timed:    rapid.Bool().Draw(t, "timed"),
	}
	if c.Currency != "" {
		c.Cost = Money(rapid.Int64Range(0, int64(maxMoney)).Draw(t, "cost"))
	}
	if c.Timed {
		c.Took, c.Came = min(drawDuration(t), maxDelivery), rapid.Int64Range(-2, 200_000).Draw(t, "came")
	}
	return c
}

func drawDelta(t *rapid.T) *Delta {
	d := new(Delta)
	for range rapid.IntRange(0, 12).Draw(t, "contributions") {
		if c := drawContribution(t); rapid.Bool().Draw(t, "add") {
			d.Add(c)
		} else {
			d.Remove(c)
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "observations") {
		d.Observe(time.Unix(rapid.Int64Range(0, 100_000).Draw(t, "at"), 0), drawDuration(t), time.Second, rapid.Int64Range(1, 500).Draw(t, "n"))
	}
	return d
}

// sumOf merges into a new Delta.
func sumOf(parts ...*Delta) *Delta {
	d := new(Delta)
	for _, p := range parts {
		d.Merge(p)
	}
	return d
}

func TestDeltasMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawDelta(t), drawDelta(t), drawDelta(t)
		want := sumOf(a, b, c).Encode()
		for what, d := range map[string]*Delta{
			"commutes": sumOf(c, a, b), "associates": sumOf(a, sumOf(b, c)), "has a zero": sumOf(a, new(Delta), b, nil, c),
		} {
			if !bytes.Equal(d.Encode(), want) {
				t.Errorf("%s: not so", what)
			}
		}
		decoded := new(Delta)
		for _, d := range []*Delta{b, c, a} {
			if err := decoded.MergeEncoded(d.Encode()); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(decoded.Encode(), want) {
			t.Error("merged from bytes, it is another")
		}
	})
}

func TestWhatIsAddedAndRemovedLeavesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contributions := rapid.SliceOfN(rapid.Custom(drawContribution), 1, 10).Draw(t, "contributions")
		d := new(Delta)
		for _, c := range contributions {
			d.Add(c)
		}
		if d.Empty() {
			t.Fatal("empty with messages in it")
		}
		for _, c := range rapid.Permutation(contributions).Draw(t, "in another order") {
			d.Remove(c)
		}
		if !d.Empty() || !bytes.Equal(d.Encode(), new(Delta).Encode()) {
			t.Fatalf("left: %v", d.Encode())
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	d := new(Delta)
	d.Add(Contribution{Key: Key{Second: 7, Carrier: "X"}, Status: sms.Failed, Segments: 1, Timed: true, Took: time.Hour})
	d.Observe(time.Unix(9, 0), time.Millisecond, time.Second, 3)
	good := d.Encode()
	if _, err := Decode(good); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := Decode(good[:n]); !errors.Is(err, ErrEncoding) {
			t.Errorf("cut after %d of %d bytes: %v", n, len(good), err)
		}
	}
	for name, encoded := range map[string][]byte{
		"nothing":                  nil,
		"another version":          append([]byte{2}, good[1:]...),
		"more":                     append(bytes.Clone(good), 0),
		"too many texts":           {1, 255, 255, 255, 255, 15},
		"text that is not":         {1, 0, 1, 0, 0, 0, 0, 0, 0},
		"field that is not":        {1, 1, 0, 1, 0, 0, 0, 0, 0x80, 0x10, 0},
		"bin twice":                {1, 0, 0, 1, 0, 8, 2, 1, 2, 0, 2},
		"bin that is not":          {1, 0, 0, 1, 0, 8, 1, 0xff, 0x7f, 2},
		"number of too many bytes": {1, 0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0, 0},
	} {
		if _, err := Decode(encoded); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	d := new(Delta)
	f.Add(d.Encode())
	d.Add(Contribution{Key: Key{Second: 1795311861, Carrier: "VERIZON", Region: "US", Currency: "USD"}, Status: sms.Delivered,
		Segments: 2, Cost: 15_000, Timed: true, Took: 1700 * time.Millisecond})
	d.Remove(Contribution{Key: Key{Second: 1795311860, Carrier: sms.UnknownCarrier, Region: "US"}, Status: sms.Pending, Segments: 1})
	d.Observe(time.Unix(1795311862, 0), 3*time.Millisecond, time.Second, 20)
	f.Add(d.Encode())
	f.Fuzz(func(t *testing.T, encoded []byte) {
		d, err := Decode(encoded)
		if (d == nil) != (err != nil) || err != nil && !errors.Is(err, ErrEncoding) {
			t.Fatalf("got %v, %v", d, err)
		}
		if err != nil {
			return
		}
		canonical := d.Encode()
		again, err := Decode(canonical)
		if err != nil {
			t.Fatalf("what Encode wrote: %v", err)
		}
		if !bytes.Equal(again.Encode(), canonical) {
			t.Fatal("reading back changes it")
		}
	})
}
