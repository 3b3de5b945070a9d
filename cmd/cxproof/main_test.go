package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// program is the path of the cxbridge under test.
var program string

func TestMain(m *testing.M) { os.Exit(withProgram(m)) }

func withProgram(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cxproof-test-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	if program, err = proof.Build(context.Background(), dir); err != nil {
		fmt.Println(err)
		return 1
	}
	return m.Run()
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		nil, {"nothing"}, {"crash", "-kills", "0"}, {"crash", "more"}, {"chaos", "-threads", "0"}, {"chaos", "more"}, {"overload", "-connections", "20000"},
		{"soak", "-duration", "5m"}, {"soak", "-store", "mysql"},
		// What does nothing, because of a slip of the finger, must not look like a success.
		{"crash", "-only", "proces killed"}, {"crash", "-stores", "mysql"}, {"crash", "-stores", "sqlite", "-only", "PostgreSQL killed"},
		{"chaos", "-only", "killed,nothing"}, {"overload", "-stores", "sqlite,mysql"},
	} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
