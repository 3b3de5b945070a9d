package crmtest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func testCreate(t *testing.T, sink crm.Sink, far CRM) {
	if ack := mustCreate(t, sink, "t1"); ack.Version != 3 || ack.ETag != "" || ack.Status == 0 {
		t.Errorf("the answer is %+v", ack)
	}
	wantConversation(t, far, conversation("t1", 3, "", simMessage("m1", "hello")))
}

func testCreateTwice(t *testing.T, sink crm.Sink, far CRM) {
	mustCreate(t, sink, "t1")
	_, err := sink.Create(t.Context(), request("t1", 4, "", message("t1", "m2", "again")))
	wantClass(t, err, crm.ClassConflict, false)
	wantConversation(t, far, conversation("t1", 3, "", simMessage("m1", "hello")))
}

func testPatch(t *testing.T, sink crm.Sink, far CRM) {
	mustCreate(t, sink, "t1")
	changes := []struct {
		request crm.Request
		want    sim.Conversation
	}{
		{
			request("t1", 4, "t0", message("t1", "m2", "two"), message("t1", "m3", "three")),
			conversation("t1", 4, "t0", simMessage("m1", "hello"), simMessage("m2", "two"), simMessage("m3", "three")),
		},
		{
			request("t1", 9, "", had(message("t1", "m1", "hello!")), taken(message("t1", "m2", "two"))),
			conversation("t1", 9, "", simMessage("m1", "hello!"), simMessage("m3", "three")),
		},
		{
			request("t1", 10, ""), // a higher version alone
			conversation("t1", 10, "", simMessage("m1", "hello!"), simMessage("m3", "three")),
		},
	}
	for _, c := range changes {
		ack, err := sink.Patch(t.Context(), c.request)
		if err != nil {
			t.Fatalf("Patch: %v", err)
		}
		if ack.Version != c.request.Version {
			t.Errorf("version %d is acknowledged, not %d", ack.Version, c.request.Version)
		}
		wantConversation(t, far, c.want)
	}
	renamed := request("t1", 11, "", had(participant("t1", "c1", "Anne")), participant("t1", "c2", "Bob"))
	if _, err := sink.Patch(t.Context(), renamed); err != nil {
		t.Fatalf("Patch: %v", err)
	}
	want := conversation("t1", 11, "", simMessage("m1", "hello!"), simMessage("m3", "three"))
	want.Participants = []sim.Participant{{ID: "c1", Role: "CUSTOMER", Name: "Anne"}, {ID: "c2", Role: "CUSTOMER", Name: "Bob"}}
	wantConversation(t, far, want)
}

func testPatchGone(t *testing.T, sink crm.Sink, far CRM) {
	_, err := sink.Patch(t.Context(), request("t1", 4, "", message("t1", "m2", "two")))
	wantClass(t, err, crm.ClassGone, false)
	mustCreate(t, sink, "t1")
	far.DeleteThread("t1")
	_, err = sink.Patch(t.Context(), request("t1", 4, "", message("t1", "m2", "two")))
	wantClass(t, err, crm.ClassGone, false)
}

// copyOf is the CRM's copy of the thread of first.
func copyOf(version int64) *thread.Remote {
	return &thread.Remote{
		Version: version, UpdatedAt: updatedAt, NamesParent: true,
		Messages: map[string]thread.Fields{"m1": {
			"text": "hello", "timestamp": thread.FormatTime(updatedAt), "authorId": "c1", "direction": "INBOUND",
		}},
		Participants: map[string]thread.Fields{"c1": {"role": "CUSTOMER", "name": "Ann"}},
	}
}

func wantCopy(t *testing.T, sink crm.Sink, want *thread.Remote) {
	t.Helper()
	got, err := sink.Get(t.Context(), "t1")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the CRM's copy (-want +got):\n%s", diff)
	}
}

func testGet(t *testing.T, sink crm.Sink, far CRM) {
	mustCreate(t, sink, "t1")
	want := copyOf(3)
	wantCopy(t, sink, want)

	far.EditMessage("t1", "m1", "edited")
	want.Version, want.Messages["m1"]["text"] = 4, "edited"
	wantCopy(t, sink, want)

	if _, err := sink.Patch(t.Context(), request("t1", 5, "t0")); err != nil {
		t.Fatalf("Patch: %v", err)
	}
	want.Version, want.Parent = 5, "t0"
	wantCopy(t, sink, want)
}

func testGetGone(t *testing.T, sink crm.Sink, _ CRM) {
	_, err := sink.Get(t.Context(), "t1")
	wantClass(t, err, crm.ClassGone, false)
}

// A copy without fields names its items, and nothing of their values.
func testGetIDs(t *testing.T, sink crm.Sink, far CRM) {
	mustCreate(t, sink, "t1")
	far.SetTells(sim.TellsIDs)
	wantCopy(t, sink, &thread.Remote{
		Version: 3, UpdatedAt: updatedAt, NamesParent: true,
		Messages: map[string]thread.Fields{"m1": {}}, Participants: map[string]thread.Fields{"c1": {}},
	})
}

// A copy without lists has nil ones: an empty list would say that there is nothing. Then the version is
// used, and the link is not taken for another writer's.
func testGetVersionOnly(t *testing.T, sink crm.Sink, far CRM) {
	mustCreate(t, sink, "t1")
	far.SetTells(sim.TellsNoList)
	remote, err := sink.Get(t.Context(), "t1")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if remote.Version != 3 || remote.Messages != nil || remote.Participants != nil {
		t.Errorf("the CRM's copy is %+v", remote)
	}
	row := &thread.Thread{ID: "t1", Version: 3, CRM: thread.Copy{Exists: true, Version: 2, Head: 2, Parent: "before"}}
	r := thread.Resolve(row, thread.NewDelta(row, "now", nil), remote, false)
	want := thread.Copy{Exists: true, Version: 3, Head: 2, Parent: "before"}
	if r.Copy != want || r.Delta.Parent != "now" || r.Kept != 0 || r.Done() {
		t.Errorf("put together with it: %+v, and to be pushed %+v", r, r.Delta)
	}
}

// The same request is applied once, however often it comes.
func testOnce(t *testing.T, sink crm.Sink, far CRM) {
	created := mustCreate(t, sink, "t1")
	if again := mustCreate(t, sink, "t1"); again != created {
		t.Errorf("the answer was %+v, and again %+v", created, again)
	}
	patch := request("t1", 4, "", message("t1", "m2", "two"))
	patched, err := sink.Patch(t.Context(), patch)
	if err != nil {
		t.Fatalf("Patch: %v", err)
	}
	again, err := sink.Patch(t.Context(), patch)
	if err != nil || again != patched {
		t.Errorf("the answer was %+v, and again %+v, %v", patched, again, err)
	}
	wantConversation(t, far, conversation("t1", 4, "", simMessage("m1", "hello"), simMessage("m2", "two")))
}

// Another body under the same version is another request: it is not taken for the one before.
func testOtherBody(t *testing.T, sink crm.Sink, far CRM) {
	mustCreate(t, sink, "t1")
	if _, err := sink.Patch(t.Context(), request("t1", 4, "", message("t1", "m2", "two"))); err != nil {
		t.Fatalf("Patch: %v", err)
	}
	_, err := sink.Patch(t.Context(), request("t1", 4, "", message("t1", "m3", "three")))
	wantClass(t, err, crm.ClassConflict, false)
	wantConversation(t, far, conversation("t1", 4, "", simMessage("m1", "hello"), simMessage("m2", "two")))
}

func testOldVersion(t *testing.T, sink crm.Sink, far CRM) {
	mustCreate(t, sink, "t1")
	for _, version := range []int64{0, 2, 3} {
		_, err := sink.Patch(t.Context(), request("t1", version, "", message("t1", "m2", "two")))
		wantClass(t, err, crm.ClassConflict, false)
	}
	wantConversation(t, far, conversation("t1", 3, "", simMessage("m1", "hello")))
}

// Another writer takes the version that a push was made for.
func testOtherWriter(t *testing.T, sink crm.Sink, far CRM) {
	mustCreate(t, sink, "t1")
	note := simMessage("note", "of another writer")
	far.AddMessage("t1", note)
	patch := request("t1", 4, "", message("t1", "m2", "two"))
	_, err := sink.Patch(t.Context(), patch)
	wantClass(t, err, crm.ClassConflict, false)

	// On the version after theirs both are there.
	if _, err := sink.Patch(t.Context(), request("t1", 5, "", message("t1", "m2", "two"))); err != nil {
		t.Fatalf("Patch: %v", err)
	}
	wantConversation(t, far, conversation("t1", 5, "", simMessage("m1", "hello"), simMessage("m2", "two"), note))
}

// An ETag keeps another writer's work where the version cannot: CXone's is higher than both.
func testIfMatch(t *testing.T, sink crm.Sink, far CRM) {
	far.SetETags(true)
	ack := mustCreate(t, sink, "t1")
	if ack.ETag == "" {
		t.Fatal("the acknowledgement has no ETag")
	}
	far.EditMessage("t1", "m1", "edited")
	patch := request("t1", 100, "", message("t1", "m2", "two"))
	patch.IfMatch = ack.ETag
	_, err := sink.Patch(t.Context(), patch)
	wantClass(t, err, crm.ClassConflict, false)
	wantConversation(t, far, conversation("t1", 4, "", simMessage("m1", "edited")))

	remote, err := sink.Get(t.Context(), "t1")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	patch.IfMatch = remote.ETag
	if ack, err = sink.Patch(t.Context(), patch); err != nil {
		t.Fatalf("Patch: %v", err)
	}
	if ack.ETag == "" || ack.ETag == remote.ETag {
		t.Errorf("the ETag was %q, and is %q", remote.ETag, ack.ETag)
	}
	wantConversation(t, far, conversation("t1", 100, "", simMessage("m1", "edited"), simMessage("m2", "two")))
}

// Ids are opaque, and each names one thread.
func testIDs(t *testing.T, sink crm.Sink, far CRM) {
	ids := []string{
		"..", ".", "a/b", "a", "/", "%2f", "%", "a b", "a+b", "a?b#c", "a;b&c=d", "a.", "-_~.", "\\", "日本語", "né", "\U0001f600",
		strings.Repeat("x", 256), strings.Repeat("日", 256), strings.Repeat("/", 256),
	}
	for _, id := range ids {
		_, err := sink.Get(t.Context(), id)
		wantClass(t, err, crm.ClassGone, false)
		mustCreate(t, sink, id)
		if _, err := sink.Patch(t.Context(), request(id, 4, "", message(id, "m2", "two"))); err != nil {
			t.Errorf("%q: Patch: %v", id, err)
		}
		if remote, err := sink.Get(t.Context(), id); err != nil || remote.Version != 4 || len(remote.Messages) != 2 {
			t.Errorf("%q: the copy is %+v, %v", id, remote, err)
		}
	}
	for _, id := range ids {
		wantConversation(t, far, conversation(id, 4, "", simMessage("m1", "hello"), simMessage("m2", "two")))
	}
}

// Threads do not disturb each other, and of several who change one thread at once one succeeds.
func testConcurrency(t *testing.T, sink crm.Sink, far CRM) {
	const threads, rivals = 8, 4
	var errs [threads][rivals]error
	var wg sync.WaitGroup
	for i := range threads {
		id := fmt.Sprintf("t%d", i)
		mustCreate(t, sink, id)
		for rival := range rivals {
			wg.Go(func() {
				_, errs[i][rival] = sink.Patch(t.Context(), request(id, 4, "", message(id, fmt.Sprintf("r%d", rival), "mine")))
			})
		}
	}
	wg.Wait()
	for i := range threads {
		id, won := fmt.Sprintf("t%d", i), 0
		for _, err := range errs[i] {
			if err == nil {
				won++
			} else {
				wantClass(t, err, crm.ClassConflict, false)
			}
		}
		if got, _ := far.Conversation(id); won != 1 || len(got.Messages) != 2 {
			t.Errorf("%d of %d succeeded, and there are %d messages", won, rivals, len(got.Messages))
		}
	}
}
