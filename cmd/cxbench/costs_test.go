package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/proof"
)

func TestPostgresRole(t *testing.T) {
	for title, want := range map[string]string{
		"postgres: walwriter": ofWALWriter,
		"postgres: postgres grown_10 127.0.0.1(40000) COMMIT":  ofBackends,
		"postgres: checkpointer":                               ofOthers,
		"postgres: autovacuum launcher":                        ofOthers,
		"/usr/lib/postgresql/15/bin/postgres -D /data -p 5432": ofOthers,
		"": ofOthers,
	} {
		if got := postgresRole(title); got != want {
			t.Errorf("%q is of %q, want %q", title, got, want)
		}
	}
}

const straceSummary = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.060000          12      5000       200 read
 40.00    0.040000          20      7000           write
  0.00    0.000000           0        50           fdatasync
------ ----------- ----------- --------- --------- ----------------
100.00    0.100000          14     12050       200 total
`

func TestParseSyscalls(t *testing.T) {
	calls, err := parseSyscalls(straceSummary)
	want := []syscallLine{{"write", 7000}, {"read", 5000}, {"fdatasync", 50}}
	if diff := cmp.Diff(want, calls); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	s := syscallCounts{Receipts: 1000, Calls: calls}
	if all, syncs := s.perReceipt(), s.perReceipt(syncCalls...); all != 12.05 || syncs != 0.05 {
		t.Errorf("of a receipt are %v calls, of which %v syncs", all, syncs)
	}
	for _, wrong := range []string{"", "nothing to see\n", strings.Replace(straceSummary, "5000", "many", 1)} {
		if calls, err := parseSyscalls(wrong); err == nil {
			t.Errorf("%q: got %v", wrong, calls)
		}
	}
}

const sampleTraces = `File: cxbridge
Type: cpu
-----------+-------------------------------------------------------
   30000us   internal/runtime/syscall.Syscall6
             syscall.write
             log/slog.(*commonHandler).handle
             github.com/cxbridge/cxbridge/internal/webhook.(*route).ServeHTTP
-----------+-------------------------------------------------------
   20000us   runtime.mallocgc
             runtime.newobject (inline)
             github.com/go-json-experiment/json/jsontext.(*Decoder).ReadValue
             github.com/cxbridge/cxbridge/internal/sms.Decode
-----------+-------------------------------------------------------
   10000us   runtime.memmove
             github.com/go-json-experiment/json.Unmarshal
-----------+-------------------------------------------------------
    500us    example.com/unknown.Function
`

func TestPiecesOf(t *testing.T) {
	total, pieces, err := piecesOf(sampleTraces)
	want := []piece{
		{Name: "log line", Time: 30 * time.Millisecond, Syscalls: 30 * time.Millisecond},
		{Name: "reading the receipt: JSON and its fields", Time: 30 * time.Millisecond, Allocating: 20 * time.Millisecond},
		{Name: otherPiece, Time: 500 * time.Microsecond},
	}
	if diff := cmp.Diff(want, pieces); err != nil || diff != "" || total != 60500*time.Microsecond {
		t.Errorf("total %s, %v (-want +got):\n%s", total, err, diff)
	}
	if _, _, err := piecesOf("File: cxbridge\n"); err == nil {
		t.Error("a profile without samples is taken")
	}
	if _, _, err := piecesOf("-----------+-----\n  much runtime.memmove\n"); err == nil {
		t.Error("a time that is no number is taken")
	}
}

// The counters of PostgreSQL can be read, and grow with what is done.
func TestDatabaseWork(t *testing.T) {
	ctx := t.Context()
	cluster := pgtest.New(t, countingStatements...)
	d := &postgresDatabase{url: cluster.URL, postmaster: cluster.PID()}
	if err := d.execute(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		t.Fatal(err)
	}
	before, err := d.work(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"CREATE TABLE written (n int)", "INSERT INTO written SELECT generate_series(1, 100)"} {
		if err := d.execute(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	// What a connection did is counted when its process ends, of which nobody is told.
	did := new(databaseWork)
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for did.Inserted < 100 {
		after, err := d.work(limited)
		if err != nil {
			t.Fatalf("%v; it did %+v", err, did)
		}
		did = after.since(before)
	}
	if did.Statements < 2 || did.Commits < 2 || did.Inserted < 100 || did.WALBytes < 100 || did.WALRecords < 100 || did.WALSyncs < 1 {
		t.Errorf("it did %+v", did)
	}
	list, err := d.statementList(ctx)
	if err != nil || !slices.ContainsFunc(list, func(s statement) bool {
		return strings.HasPrefix(s.Text, "INSERT INTO written") && s.Calls == 1 && s.Rows == 100 && s.WALBytes > 0
	}) {
		t.Errorf("the statements are %+v, %v", list, err)
	}
	roles, err := familyCPUTimes(cluster.PID(), postgresRole)
	if _, ok := roles[ofWALWriter]; err != nil || !ok {
		t.Errorf("whose CPU time there is: %v, %v", roles, err)
	}
}

// A short course on the bare server finds out what there is of it, whether or not there is strace.
func TestCosts(t *testing.T) {
	// PostgreSQL, as another user, does not get into the folder of a test.
	o := &options{results: t.TempDir()}
	_, chosen, err := parse([]string{"costs", "-short", "-only", "a"})
	if err != nil {
		t.Fatal(err)
	}
	found, err := chosen[0].settings.measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r := found.(*costReport)
	if len(r.Servers) != 1 || r.Servers[0].Receipts == 0 || len(r.Servers[0].CPU) < 2 {
		t.Errorf("found out %+v", r.Servers)
	}
	if s := r.Servers[0].Syscalls; (s.Missing == "") != (s.perReceipt("read") > 0.5) {
		t.Errorf("system calls: %+v", s)
	}
}

func TestCostReportGolden(t *testing.T) {
	r := &costReport{Machine: sampleReport().Machine, Settings: &costSettings{Duration: time.Second, Traced: time.Second, Connections: 64}}
	_, pieces, err := piecesOf(sampleTraces)
	if err != nil {
		t.Fatal(err)
	}
	calls, err := parseSyscalls(straceSummary)
	if err != nil {
		t.Fatal(err)
	}
	r.Servers = []serverCosts{
		{Target: "a", Receipts: 1000, PerSecond: 30_000, CPU: []cpuShare{{ofServer, proof.CPUTimes{User: 20 * time.Millisecond, System: 5 * time.Millisecond}}},
			Syscalls: syscallCounts{Receipts: 1000, PerSecond: 900, Calls: calls}},
		{Target: "c", Receipts: 1000, PerSecond: 12_000, Database: &databaseWork{Statements: 150, Commits: 50, Inserted: 1050, WALBytes: 600_000, WALSyncs: 49},
			CPU:        []cpuShare{{ofServer, proof.CPUTimes{User: 50 * time.Millisecond, System: 10 * time.Millisecond}}, {ofBackends, proof.CPUTimes{User: 25 * time.Millisecond}}},
			Statements: []statement{{Text: "INSERT INTO t VALUES ($1)", Calls: 50, Rows: 1000, Time: 20 * time.Millisecond, WALBytes: 500_000}},
			Written:    4_000_000, Syscalls: syscallCounts{Receipts: 1000, PerSecond: 700, Calls: calls[1:]},
			Allocations: allocations{Receipts: 1000, Objects: 60_000, Bytes: 9_000_000, GCs: 3},
			Profile:     profile{File: "cpu-c.pb.gz", Top: "cpu-c-top.txt", Total: 60500 * time.Microsecond, Pieces: pieces}},
	}
	var got strings.Builder
	r.print(&got)
	figureTable(r.figures()).print(&got)
	checkGolden(t, "costs.md", got.String())
	r.Servers[1].Syscalls = syscallCounts{Missing: "strace is not installed"}
	got.Reset()
	r.print(&got)
	if !strings.Contains(got.String(), "Not measured: strace is not installed.") {
		t.Error("the report does not tell that there is no strace")
	}
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the report changed (-want +got):\n%s", diff)
	}
}
