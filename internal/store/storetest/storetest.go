// Package storetest is the conformance suite of store.Store. Every implementation passes it, and a
// change of the contract begins here.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Open opens a store on a database, which may hold data and may be open already.
type Open func() (store.Store, error)

// Run tests an implementation. Each call of create makes a new database, with nothing in it, not
// even a schema; it is removed when the test ends, after the stores on it were closed.
func Run(t *testing.T, create func(t *testing.T) Open) {
	for name, test := range map[string]func(t *testing.T, create func(t *testing.T) Open){
		"Schema":      testSchema,
		"Commit":      testCommit,
		"Versions":    testVersions,
		"Columns":     testColumns,
		"Refusal":     testRefusal,
		"Message":     testMessage,
		"Tally":       testTally,
		"DeadLetters": testDeadLetters,
		"Resolves":    testResolves,
		"AnyOrder":    testAnyOrder,
		"Cancel":      testCancel,
		"Close":       testClose,
		"Concurrency": func(t *testing.T, create func(t *testing.T) Open) { testConcurrency(t, create, 1) },

		"ThreadCommit":   testThreadCommit,
		"ThreadColumns":  testThreadColumns,
		"ThreadRefusal":  testThreadRefusal,
		"ThreadAnyOrder": testThreadAnyOrder,
		"Threads":        testThreads,
		"Items":          testItems,
		"Timeline":       testTimeline,
		"Links":          testLinks,
		"Claim":          testClaim,
		"ClaimLinks":     testClaimLinks,
		"Leases":         testLeases,
		"Record":         testRecord,
		"RecordItems":    testRecordItems,
		"RecordLetters":  testRecordLetters,
		"Wake":           testWake,
		"Trace":          testTrace,
		"Pause":          testPause,
		"ClockSetBack":   testClockSetBack,
		"QueueModel":     testQueueModel,
		"Audit":          testAudit,
		"AuditChains":    testAuditChains,
		"AuditSubjects":  testAuditSubjects,
		"Unavailable":    testUnavailable,
		"Workers":        func(t *testing.T, create func(t *testing.T) Open) { testWorkers(t, create, 1) },

		"FindMessages":    testFindMessages,
		"MessagePages":    testMessagePages,
		"FindDeadLetters": testFindDeadLetters,
		"Events":          testEvents,
		"EventBodies":     testEventBodies,
		"Backlog":         testBacklog,
		"Describe":        testDescribe,
		"ReplicaList":     testReplicas,
		"Alarms":          testAlarms,
		"Counts":          func(t *testing.T, create func(t *testing.T) Open) { testCounts(t, create, 1) },
		"Compact":         func(t *testing.T, create func(t *testing.T) Open) { testCompact(t, create, 1) },
		"CompactKeys":     testCompactKeys,
		"ManyCarriers":    testManyCarriers,
		"Prune":           testPrune,
		"Clock":           testClock,
		"AlarmRace":       func(t *testing.T, create func(t *testing.T) Open) { testAlarmRace(t, create, 1) },

		"ExpireMessages":    testExpireMessages,
		"ExpireJournal":     testExpireJournal,
		"ExpireDeadLetters": testExpireDeadLetters,
		"ExpireThreads":     testExpireThreads,
		"ExpireUnknown":     testExpireUnknown,
		"ExpireModel":       testExpireModel,
		"EraseRecipient":    testEraseRecipient,
		"ErasePhone":        testErasePhone,
		"EraseForms":        testEraseForms,
		"EraseParticipant":  testEraseParticipant,
		"EraseLeased":       testEraseLeased,
		"EraseNobody":       testEraseNobody,
		"Traces":            testTraces,
		"ExpireAndWrite":    func(t *testing.T, create func(t *testing.T) Open) { testExpireWhileWriting(t, create, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, create)
		})
	}
}

// RunReplicas tests what only an implementation for several replicas promises: that stores on one
// database commit at the same time, and share the threads that are due.
func RunReplicas(t *testing.T, create func(t *testing.T) Open) {
	t.Run("Concurrency", func(t *testing.T) { testConcurrency(t, create, 3) })
	t.Run("Workers", func(t *testing.T) { testWorkers(t, create, 3) })
	t.Run("ExpireAndWrite", func(t *testing.T) { testExpireWhileWriting(t, create, 3) })
	t.Run("Counts", func(t *testing.T) { testCounts(t, create, 3) })
	t.Run("Compact", func(t *testing.T) { testCompact(t, create, 3) })
	t.Run("AlarmRace", func(t *testing.T) { testAlarmRace(t, create, 3) })
	t.Run("Beats", func(t *testing.T) { testBeats(t, create, 3) })
}

// migrated opens a store on a new database.
func migrated(t *testing.T, create func(t *testing.T) Open) store.Store {
	t.Helper()
	s := openStore(t, create(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	return s
}

func openStore(t *testing.T, open Open) store.Store {
	t.Helper()
	s, err := open()
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

var (
	base  = time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)
	judge = &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "FR"}
)

// at is a time some seconds after the beginning of the test's world.
func at(seconds int) time.Time { return base.Add(time.Duration(seconds) * time.Second) }

func receipt(id string, status sms.Status, eventTime, received time.Time) *sms.Receipt {
	return &sms.Receipt{
		MessageID: id, Status: status, RawStatus: status.String(), At: eventTime, Received: received,
		Raw: []byte(`{"messageId":"` + id + `","status":"` + status.String() + `"}`),
	}
}

func receipts(all ...*sms.Receipt) []store.Entry {
	entries := make([]store.Entry, len(all))
	for i, r := range all {
		entries[i].Receipt = r
	}
	return entries
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func batchOf(entries []store.Entry) store.Batch {
	return store.Batch{Entries: entries, Now: at(3600), Judge: judge}
}

// commit commits one batch and returns which entries were duplicates.
func commit(t failer, s store.Store, entries ...store.Entry) []bool {
	t.Helper()
	outcomes, err := s.Commit(context.Background(), batchOf(entries))
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if len(outcomes) != len(entries) {
		t.Fatalf("Commit returns %d outcomes for %d entries", len(outcomes), len(entries))
	}
	duplicates := make([]bool, len(outcomes))
	for i, o := range outcomes {
		duplicates[i] = o.Duplicate
	}
	return duplicates
}

func read(t failer, s store.Store, id string) (*sms.Message, []sms.PastReceipt) {
	t.Helper()
	m, history, err := s.Message(context.Background(), id)
	if err != nil {
		t.Fatalf("Message(%q): %v", id, err)
	}
	return m, history
}

// folded is what a message is by definition: the join of its receipts, settled.
func folded(all ...*sms.Receipt) *sms.Message {
	m := &sms.Message{}
	for _, r := range all {
		m.Fold(r)
	}
	judge.Settle(m)
	m.Updated = at(3600)
	return m
}

// bytesAsText compares bodies as a whole, and shows them as text. No body and an empty one are equal.
var bytesAsText = cmp.FilterValues(
	func(a, b []byte) bool { return len(a)+len(b) > 0 },
	cmp.Transformer("text", func(b []byte) string { return string(b) }),
)

func requireEqual(t failer, what string, got, want any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, append(options, cmpopts.EquateEmpty(), bytesAsText)...); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}
