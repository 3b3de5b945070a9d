package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseOnePart(t *testing.T) {
	o, chosen, err := parse([]string{"receipts", "-only", "a,c", "-rounds", "5", "-loads", "single", "-results", "there"})
	if err != nil || len(chosen) != 1 || o.results != "there" {
		t.Fatalf("got %+v, %+v, %v", o, chosen, err)
	}
	s := chosen[0].settings.(*receiptSettings)
	if !slices.Equal(s.Only, []string{"a", "c"}) || s.Rounds != 5 || s.Duration != 8*time.Second || o.short {
		t.Errorf("got %+v", s)
	}
	_, chosen, err = parse([]string{"answers-sqlite", "-short", "-messages", "1000,20"})
	if err != nil {
		t.Fatal(err)
	}
	if s := chosen[0].settings.(*answerSettings); s.Database != "sqlite" || !slices.Equal(s.Sizes, []int{1000, 20}) || s.Rounds != 1 {
		t.Errorf("got %+v", s)
	}
	if _, chosen, err = parse([]string{"answers", "-messages", ""}); err != nil || chosen[0].settings.(*answerSettings).Sizes != nil {
		t.Errorf("without sizes: %+v, %v", chosen, err)
	}
}

func TestParseAllParts(t *testing.T) {
	names := func(chosen []part) (names []string) {
		for _, p := range chosen {
			names = append(names, p.name)
		}
		return names
	}
	for _, args := range [][]string{nil, {"all"}, {"-short"}} {
		o, chosen, err := parse(args)
		if err != nil || !slices.Equal(names(chosen), partNames()) || o.short != slices.Contains(args, "-short") {
			t.Errorf("%q: %q, %v", args, names(chosen), err)
		}
	}
	o, chosen, err := parse([]string{"-short", "-parts", "growth,receipts"})
	if err != nil || !o.short {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"receipts", "growth"}, names(chosen)); diff != "" {
		t.Errorf("chosen (-want +got):\n%s", diff)
	}
	if s := chosen[0].settings.(*receiptSettings); s.Rounds != 1 || s.Batch != 100 {
		t.Errorf("got %+v", s)
	}
}

// A slip of the finger is refused, and the error names it.
func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		args string
		told string
	}{
		{"nothing", `"nothing"`}, {"-parts receipts,nothing", `"nothing"`}, {"receipts more", `"more"`}, {"-short more", `"more"`},
		{"receipts -only a,x", `"x"`}, {"receipts -rounds 0", "-rounds"}, {"receipts -loads y", `"y"`}, {"receipts -batch 1", "-batch"}, {"receipts -batch 5001", "-batch"},
		{"receipts -connections 0", "-connections"}, {"receipts -connections 10001", "-connections"}, {"receipts -repeat 0.6", "-repeat"}, {"receipts -rate -1", "-rate"},
		{"receipts -duration 24h", "-duration"}, {"receipts -client x", "-client"}, {"receipts -naive-pool 0", "-naive-pool"},
		{"threads -rate 0", "bounds"}, {"threads -sizes 0", "bounds"}, {"threads -outage 24h", "bounds"},
		{"answers -messages x", `"x"`}, {"answers -messages 0", "50000000"}, {"answers -messages 50000001", "50000000"},
		{"answers -rate 0", "bounds"}, {"answers -asks -1", "bounds"}, {"answers -rounds -1", "bounds"}, {"answers -repeats 0", "bounds"},
		{"costs -duration 0", "bounds"}, {"costs -connections 10001", "bounds"}, {"costs -only e", `"e"`},
		{"growth -connections 0", "bounds"}, {"growth -arrays 5001", "bounds"}, {"growth -replicas 33", "bounds"}, {"growth -rounds 0", "bounds"},
	} {
		if _, _, err := parse(strings.Fields(tt.args)); err == nil || !strings.Contains(err.Error(), tt.told) {
			t.Errorf("%q: %v, want %s", tt.args, err, tt.told)
		}
	}
}
