package main

import (
	"bytes"
	"testing"
)

// The short form of `make overload`: what is too much is refused by a 503, and nothing that was
// acknowledged is lost. How fast that goes is a matter of the long form.
func TestOverload(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"overload", "-short", "-cxbridge", program}, &out)
	t.Logf("\n%s", &out)
	if err != nil {
		t.Fatal(err)
	}
}
