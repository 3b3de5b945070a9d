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
