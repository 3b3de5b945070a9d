package main

import (
	"bytes"
	"testing"
)

// The short form of `make soak`, on both stores: what was acknowledged is there, and the samples are
// taken. What grows in hours is for the long form to tell.
func TestSoak(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), []string{"soak", "-short", "-store", store, "-cxbridge", program}, &out)
			t.Logf("\n%s", &out)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A soak that was refused its load for half of the time has proved nothing, however well it ended.
func TestSoakWithoutLoad(t *testing.T) {
	s := &soakSettings{receipts: 2000, threads: 200}
	full, half := sample{receiptRate: 2000, threadRate: 250}, sample{receiptRate: 1000, threadRate: 250}
	if lines := s.tooLittle([]sample{full, full}); lines != nil {
		t.Errorf("all was taken, and %q", lines)
	}
	if lines := s.tooLittle([]sample{half, full}); len(lines) != 1 {
		t.Errorf("a quarter was refused: %q", lines)
	}
}
