package main

import (
	"strings"
	"testing"
)

func TestParseTicks(t *testing.T) {
	before := parseTicks("cpu  100 0 50 800 50 0 0 0 0 0")
	after := parseTicks("cpu  150 0 75 900 50 0 0 25 0 0")
	stolen, busy := after.since(before)
	if stolen != 0.125 || busy != 0.5 {
		t.Errorf("stolen %v and busy %v, want an eighth and a half", stolen, busy)
	}
	if stolen, busy := parseTicks("").since(ticks{}); stolen != 0 || busy != 1 {
		t.Errorf("of nothing: %v, %v", stolen, busy)
	}
}

func TestDescribeMachine(t *testing.T) {
	m, err := describeMachine(t.TempDir())
	if err != nil || m.Cores == 0 || m.Memory == 0 || m.Kernel == "" || m.Fsync <= 0 || m.P99 < m.Fsync {
		t.Errorf("got %+v, %v", m, err)
	}
	if text := loadAverage(); len(strings.Fields(text)) != 3 {
		t.Errorf("the load average is %q", text)
	}
}
