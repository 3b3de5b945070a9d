package analytics

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseMoney(t *testing.T) {
	for _, c := range []struct {
		text      string
		want      Money
		exact, ok bool
	}{
		{"0", 0, true, true},
		{"0.0075", 7_500, true, true},
		{"12", 12_000_000, true, true},
		{".5", 500_000, true, true},
		{"007.10", 7_100_000, true, true},
		{"0.0000014", 1, false, true},
		{"0.0000015", 2, false, true},
		{"0.9999999", 1_000_000, false, true},
		{"0.0000010000", 1, true, true},
		{"1000000", maxMoney, true, true},
		{"1000000.000001", maxMoney + 1, true, false},
		{"1000001", 0, false, false},
		{"99999999999999999999999999999999999999", 0, false, false},
		{"", 0, false, false},
		{".", 0, false, false},
		{"1.", 0, false, false},
		{"-1", 0, false, false},
		{"+1", 0, false, false},
		{"1e3", 0, false, false},
		{"1,5", 0, false, false},
		{"0.1a", 0, false, false},
	} {
		got, exact, ok := parseMoney(c.text)
		if ok != c.ok || ok && (got != c.want || exact != c.exact) {
			t.Errorf("parseMoney(%q) = %d, %v, %v; want %d, %v, %v", c.text, got, exact, ok, c.want, c.exact, c.ok)
		}
	}
}

// Rounding is half up at the sixth decimal, as exact arithmetic has it.
func TestParseMoneyRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9]{1,6}\.[0-9]{1,20}`).Draw(t, "text")
		got, exact, ok := parseMoney(text)
		if !ok {
			t.Fatalf("%q is not money", text)
		}
		r, _ := new(big.Rat).SetString(text)
		r.Mul(r, big.NewRat(int64(unit), 1))
		if exact != r.IsInt() {
			t.Fatalf("exact = %v for %s millionths", exact, r)
		}
		r.Add(r, big.NewRat(1, 2))
		want := new(big.Int).Quo(r.Num(), r.Denom()).Int64()
		if int64(got) != want {
			t.Fatalf("parseMoney(%q) = %d, want %d", text, got, want)
		}
	})
}

func TestMoneyReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Money(rapid.Int64Range(-int64(maxMoney), int64(maxMoney)).Draw(t, "money"))
		text, negative := strings.CutPrefix(m.String(), "-")
		got, exact, ok := parseMoney(text)
		if negative {
			got = -got
		}
		if got != m || !exact || !ok {
			t.Fatalf("%d is written %s and read as %d, %v, %v", m, m, got, exact, ok)
		}
	})
	if got := (2 * unit / 3).String(); got != "0.666666" {
		t.Errorf("got %s", got)
	}
	if got := Money(10).per(4); got != 3 {
		t.Errorf("10 among 4 is %d", got)
	}
}
