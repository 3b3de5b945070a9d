package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// program is the path of the cxbridge under test.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "cxbridge-e2e-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "cxbridge")
	// The flags are those of `make build`, so that it leaves next to nothing to compile.
	build := exec.Command("go", "build", "-trimpath", "-o", program, "github.com/cxbridge/cxbridge/cmd/cxbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("go build: %v\n%s", err, out)
		return 1
	}
	code := pgtest.Main(m)
	if err := stopBrowser(); err != nil {
		fmt.Println(err)
		return 1
	}
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// patience bounds every wait. It is far beyond what anything here takes, because a slow machine is
// no error.
const patience = 60 * time.Second

// eventually waits until what is said to become true is true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}
