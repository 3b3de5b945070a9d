package main

import (
	"bytes"
	"testing"
)

// The short form of `make crash`: nothing that was acknowledged is lost, whatever dies.
func TestCrash(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"crash", "-short", "-cxbridge", program}, &out)
	t.Logf("\n%s", &out)
	if err != nil {
		t.Fatal(err)
	}
}
