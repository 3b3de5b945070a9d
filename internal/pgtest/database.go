package pgtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

var shared struct {
	sync.Mutex
	cluster *Cluster
	failed  error
}

var databases atomic.Int64

// Database returns the URL of a new, empty database on a cluster that the tests of one binary
// share. The package's TestMain ends with Main, which removes it. A machine without PostgreSQL
// fails the test.
func Database(t testing.TB) string {
	t.Helper()
	c, err := sharedCluster()
	if err != nil {
		t.Fatal(err)
	}
	address, err := c.CreateDatabase(context.Background(), fmt.Sprintf("test_%d", databases.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func sharedCluster() (*Cluster, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.failed == nil {
		// The tests need no fsync: none of them crashes the machine.
		shared.cluster, shared.failed = Start(context.Background(), "", "fsync=off", "max_connections=200")
	}
	return shared.cluster, shared.failed
}

// Main runs the tests of a package that uses Database and ends the shared cluster. It returns the
// exit code.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		if err := shared.cluster.Close(); err != nil {
			fmt.Println("pgtest:", err)
			return 1
		}
	}
	return code
}

// New starts a cluster for one test alone, which may stop, kill or pause it.
func New(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := Start(context.Background(), "", settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
