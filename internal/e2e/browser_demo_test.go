package e2e_test

import (
	"net/http"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// What `cxbridge demo` prints of its console.
var (
	demoConsole = regexp.MustCompile(`console +(http://[0-9.:]+)`)
	demoToken   = regexp.MustCompile(`operator token +(\S+)`)
)

// launchDemo starts a demo that goes on until it is told to stop, and returns the operator's token.
func launchDemo(t *testing.T) (p *process, token string) {
	t.Helper()
	cmd := exec.Command(program, "demo", "--duration", "1h", "--rate", "40")
	cmd.Dir, cmd.Env = t.TempDir(), []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p = launchCommand(t, cmd)
	var printed journal
	go printed.record(stdout)
	eventually(t, "the demo says where its console is", func() bool {
		address, drawn := demoConsole.FindStringSubmatch(printed.String()), demoToken.FindStringSubmatch(printed.String())
		if address == nil || drawn == nil {
			return false
		}
		p.address, token = address[1], drawn[1]
		return true
	})
	return p, token
}

// A newcomer who follows the demo replays a dead letter and sees it go. It does not come back.
func TestDemoInTheConsole(t *testing.T) {
	t.Parallel()
	p, token := launchDemo(t)
	// letters lists the dead letters of parked threads.
	letters := func() (items []struct {
		Subject, Reason string
		ReceivedAt      time.Time
	}) {
		var page struct{ Items any }
		page.Items = &items
		if status := p.call(t, http.MethodGet, "/api/dead-letters?kind=thread-push", token, &page); status != http.StatusOK {
			t.Fatalf("dead letters: %d", status)
		}
		return items
	}
	const takes = 5 * time.Second // until the CRM takes what it refused
	eventually(t, "the CRM has mended what made it refuse a thread", func() bool {
		found := letters()
		return len(found) == 1 && time.Since(found[0].ReceivedAt) > takes
	})
	parked := letters()[0]

	b := newTab(t, p)
	b.signIn(token, "/")
	b.shows("1 thread is parked: the CRM refused it.")
	b.picture("demo-overview")
	b.click(`#overview-attention a[href="/dead-letters?kind=thread-push"]`)
	b.isAt("/dead-letters")
	b.until(letterRows + ` === 1`)
	b.shows(parked.Reason)
	b.picture("demo-dead-letter")
	b.click(`#dead-letter-list form[action*="/replay"] button`)
	b.shows("is gone: the thread " + parked.Subject + " is on its way to the CRM again")
	b.shows("No dead letters match.")
	eventually(t, "the CRM has the thread", func() bool {
		var a struct{ Sync struct{ State string } }
		return p.call(t, http.MethodGet, "/api/threads/"+parked.Subject, token, &a) == http.StatusOK && a.Sync.State == "synced"
	})
	if left := letters(); len(left) != 0 {
		t.Errorf("there are dead letters again: %+v", left)
	}
	b.open("/")
	b.until(`!document.querySelector("#overview-attention").innerText.includes("is parked")`)
	b.leave()
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
