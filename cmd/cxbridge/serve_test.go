package main

import (
	"math"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	if got := memoryLimit(64 << 20); got != 384<<20 { // as deploy/kubernetes/statefulset.yaml says
		t.Errorf("with the default it is %d", got)
	}
	for _, huge := range []int64{1 << 61, 1 << 62, math.MaxInt64} {
		if got := memoryLimit(huge); got < math.MaxInt64-memoryPerByte {
			t.Errorf("with %d it is %d", huge, got)
		}
	}
}
