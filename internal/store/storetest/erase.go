package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// erase takes a person out in steps, and returns how many rows that changed, by table.
func erase(t failer, s store.Store, p store.Person, limit int) map[string]int {
	t.Helper()
	rows, cursor := make(map[string]int), ""
	for steps := 0; ; steps++ {
		e, err := s.Erase(ctx(), p, cursor, limit)
		if err != nil || steps > 100_000 {
			t.Fatalf("step %d of Erase, at %q: %v", steps, cursor, err)
		}
		for table, n := range e.Rows {
			rows[table] += n
		}
		if cursor = e.Cursor; cursor == "" {
			return rows
		}
	}
}

func traces(t failer, s store.Store, p store.Person) map[string]int {
	t.Helper()
	found, err := s.Traces(ctx(), p)
	if err != nil {
		t.Fatalf("Traces: %v", err)
	}
	return found
}

const (
	number = "+4915112345678"
	bare   = "4915112345678"
	other  = "+4915112345679"
)

// smsTo is a receipt of a message to a number, whose body names it.
func smsTo(id, recipient string, status sms.Status, seconds int) *sms.Receipt {
	r := receipt(id, status, at(seconds), at(seconds))
	r.Recipient, r.SenderID, r.Carrier, r.Segments = recipient, "ACME", "TWILIO", 2
	r.Raw = fmt.Appendf(nil, `{"messageId":%q,"status":%q,"to":%q}`, id, status.String(), recipient)
	return r
}

func testEraseRecipient(t *testing.T, create func(t *testing.T) Open) {
	for _, limit := range []int{1, 3, 1000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) { testEraseNumber(t, migrated(t, create), limit) })
	}
}

// toOthers are messages that are not the person's: to a longer number, and to another one.
func toOthers() []*sms.Receipt {
	return []*sms.Receipt{smsTo("o1", other, sms.Delivered, 7), smsTo("o2", number+"0", sms.Pending, 8), smsTo("o3", "1"+bare, sms.Pending, 9)}
}

// toThePerson are messages that name the number, each somewhere else.
func toThePerson() []*sms.Receipt {
	from := smsTo("m3", other, sms.Delivered, 4)
	from.SenderID = number
	history := smsTo("m4", "", sms.Pending, 5)
	history.Raw = []byte(`{"messageId":"m4","note":"was \u002b` + bare + `"}`)
	return []*sms.Receipt{
		smsTo("m1", number, sms.Pending, 1), smsTo("m1", number, sms.Delivered, 2), smsTo("m2", bare, sms.Failed, 3),
		from, history, smsTo("m4", "", sms.Delivered, 6),
	}
}

func testEraseNumber(t *testing.T, s store.Store, limit int) {
	commit(t, s, receipts(append(toThePerson(), toOthers()...)...)...)
	commit(t, s, letters(letter("x", "bad", `{"to":"`+number+`"}`), letter("x", "not sent to "+bare, "{"), letter("sms-"+bare, "bad", "\xff"+bare+"\x00"), letter("x", "bad", number+"0"))...)
	before, all := make(map[string]*sms.Message), list(t, s, 0, 10)
	kept := all[slices.IndexFunc(all, func(l store.DeadLetter) bool { return string(l.Raw) == number+"0" })]
	for _, id := range []string{"m1", "m2", "m3", "m4", "o1", "o2", "o3"} {
		before[id], _ = read(t, s, id)
	}
	p := store.Person{Recipient: number}
	requireEqual(t, "traces before", traces(t, s, p), map[string]int{"sms_messages": 3, "sms_receipts": 2, "dead_letters": 3})
	counted := ask(t, s, sumOfAll(t))

	requireEqual(t, "rows", erase(t, s, p, limit), map[string]int{"sms_messages": 4, "sms_receipts": 2, "dead_letters": 3})
	requireEqual(t, "traces", traces(t, s, p), map[string]int{})
	requireEqual(t, "rows, once more", erase(t, s, store.Person{Recipient: bare}, limit), map[string]int{})
	for id, want := range before {
		requireErasedMessage(t, s, id, want)
	}
	for _, l := range list(t, s, 0, 10) {
		if l.ID == kept.ID {
			requireEqual(t, "another dead letter", l, kept)
		} else if bytes.Contains(l.Raw, []byte(bare)) || strings.Contains(l.Reason+l.Subject, bare) {
			t.Errorf("a dead letter is left as %+v", l)
		}
	}
	requireEqual(t, "what is counted", ask(t, s, sumOfAll(t)), counted)
	requireNumberStaysErased(t, s, p)
	if now := ask(t, s, sumOfAll(t)); now.Total != counted.Total || now.Delivered != counted.Delivered+1 || now.Failed != counted.Failed-1 {
		t.Errorf("after the late receipt %+v is counted, before %+v", now.Messages, counted.Messages)
	}
}

// requireErasedMessage compares a message with what it was. One of the person has lost the number and the
// bodies, and nothing else.
func requireErasedMessage(t failer, s store.Store, id string, want *sms.Message) {
	t.Helper()
	m, history := read(t, s, id)
	if id[0] == 'm' {
		want.Raw = []byte(store.ErasedBody)
		want.Recipient, want.SenderID = strings.TrimPrefix(want.Recipient, number), strings.TrimPrefix(want.SenderID, number)
		want.Recipient = strings.TrimPrefix(want.Recipient, bare)
		for _, h := range history {
			requireEqual(t, "receipts of "+id, string(h.Raw), store.ErasedBody)
		}
	}
	requireEqual(t, id, m, want)
}

// requireNumberStaysErased delivers everything again: it is known, and brings nothing back.
func requireNumberStaysErased(t failer, s store.Store, p store.Person) {
	t.Helper()
	for i, known := range commit(t, s, receipts(append(toThePerson(), toOthers()...)...)...) {
		if !known {
			t.Errorf("receipt %d is not known any more", i)
		}
	}
	again := commit(t, s, letters(letter("x", "bad", `{"to":"`+number+`"}`))...)
	requireEqual(t, "the dead letter is known", again, []bool{true})
	requireEqual(t, "traces after all came again", traces(t, s, p), map[string]int{})
	commit(t, s, receipts(smsTo("m2", bare, sms.Delivered, 100))...)
	requireEqual(t, "traces after a late receipt", traces(t, s, p), map[string]int{})
	if m, past := read(t, s, "m2"); m.Status != sms.Delivered || len(past) != 2 {
		t.Errorf("the late receipt does not count: %+v", m)
	}
}

// testErasePhone is about a number in threads: of a participant on a platform that has numbers for
// ids, and in what somebody wrote.
func testErasePhone(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	e := updated("t", 1, message("m1", 1), message("m2", 2), message("m3", 3))
	e.Participants = []thread.Participant{{ID: "c", Role: "CUSTOMER", Name: "Ann Example", PlatformID: bare}, person("author", "Bob")}
	e.Messages[0].AuthorID, e.Messages[1].Text = "c", "shall I call "+number+"?"
	accept(t, s, sealed(e))
	record(t, s, done(claimOne(t, s)))
	p := store.Person{Recipient: number}
	requireEqual(t, "traces before", traces(t, s, p), map[string]int{"thread_items": 2, "thread_events": 1})
	requireEqual(t, "rows", erase(t, s, p, 2), map[string]int{"thread_items": 3, "thread_events": 1})
	requireEqual(t, "traces", traces(t, s, p), map[string]int{})
	requireEqual(t, "texts", textsOf(t, s, "t"), []string{"", "", "text of m3"})
	requireNoneDue(t, s)
}

func textsOf(t failer, s store.Store, id string) (texts []string) {
	t.Helper()
	for _, item := range itemsOf(t, s, id, thread.KindMessage, 100) {
		var fields map[string]string
		if err := json.Unmarshal(item.Content, &fields); err != nil {
			t.Fatalf("content %q: %v", item.Content, err)
		}
		texts = append(texts, fields["text"])
	}
	return texts
}

// byAnn is a message of the person who is erased.
func byAnn(id string, seconds int) thread.Message {
	m := message(id, seconds)
	m.AuthorID, m.Text = annID, "Ann Example says "+id
	return m
}

const (
	annID       = "ann/7 é" // is written in JSON in several ways
	annPlatform = "fb:99<ann>"
)

func ann() thread.Participant {
	return thread.Participant{ID: annID, Role: "CUSTOMER", Name: "Ann Example", PlatformID: annPlatform}
}

// annsWorld has the person in threads, their journal, and dead letters. A participant with a similar name
// stays, and so does a message whose id is that of the person.
func annsWorld(t *testing.T, s store.Store) {
	t.Helper()
	first := updated("t", 1, byAnn("m1", 1), message("m2", 2), message(annID, 3))
	first.Participants = []thread.Participant{ann(), person("author", "Bob")}
	// The participant is in the parent alone, and this event names only who wrote.
	child := split("child", "t", 2, byAnn("m1", 1))
	escaped := updated("t", 3, byAnn("m4", 4))
	bystander := updated("other", 1, message("m5", 5))
	bystander.Participants = []thread.Participant{person("ann", "Ann Other")}
	for _, e := range []*thread.Event{first, child, escaped, bystander} {
		sealed(e)
	}
	ascii := strings.NewReplacer("/", `\/`, "é", `\u00E9`).Replace(string(escaped.Raw))
	escaped.Raw = []byte(ascii)
	accept(t, s, first, child, escaped, bystander)
	for _, w := range claim(t, s, 10, time.Hour) {
		push := done(&w)
		if w.ThreadID == "child" {
			setAside(&push, 0)
			push.SetAside[0].Raw = fmt.Appendf(nil, `{"threadId":"child","kind":"message","item":%s}`, w.Items[0].Content)
		}
		record(t, s, push)
	}
	accept(t, s, updated("t", 4, byAnn("m6", 6)))
	push := parked(claimOne(t, s), 422)
	push.Error = `the CRM says: participant "` + annID + `" is unknown`
	push.Park.Raw = []byte(`{"addedMessages":[{"id":"m6","authorId":"ann\/7 \u00e9"}]}`)
	record(t, s, push)
	refused := letter("t", "/data/version: must be a whole number from 0", `{"data":{"participants":[{"id":"`+annID+`","name":"Ann Example"}]}}`)
	refused.Kind = store.KindThread
	stranger := letter("other", "bad", `{"data":{"participants":[{"id":"ann"}]}}`)
	stranger.Kind = store.KindThread
	commit(t, s, letters(refused, stranger)...)
	note := audit.Note{Subject: "erasure", Action: audit.ActionDelete, Outcome: "begun"}
	if err := s.Audit(ctx(), note, at(1)); err != nil {
		t.Fatal(err)
	}
}

func testEraseParticipant(t *testing.T, create func(t *testing.T) Open) {
	for name, p := range map[string]store.Person{"ByID": {Participant: annID}, "ByPlatform": {Participant: annPlatform}} {
		for _, limit := range []int{1, 2, 1000} {
			t.Run(fmt.Sprint(name, limit), func(t *testing.T) {
				s := migrated(t, create)
				annsWorld(t, s)
				rows := map[string]*store.ThreadRow{"t": readThread(t, s, "t"), "child": readThread(t, s, "child"), "other": readThread(t, s, "other")}
				hashes := hashesOf(t, s)
				entries := requireUnbroken(t, s)

				// One message is in two threads: a split left it behind.
				want := map[string]int{"thread_items": 5, "thread_events": 4, "dead_letters": 3, "threads": 1}
				requireEqual(t, "rows", erase(t, s, p, limit), want)
				requireEqual(t, "traces", traces(t, s, p), map[string]int{})
				requireEqual(t, "rows, once more", erase(t, s, p, limit), map[string]int{})

				requireEqual(t, "texts", textsOf(t, s, "t"), []string{"text of m2", "text of " + annID, "", ""})
				requireEqual(t, "texts of the child", textsOf(t, s, "child"), []string{""})
				requireEqual(t, "texts of another", textsOf(t, s, "other"), []string{"text of m5"})
				requireNoPlace(t, s, "Ann Example")
				if got := hashesOf(t, s); !slices.Equal(got, hashes) {
					t.Errorf("hashes:\n%q\nwant\n%q", got, hashes)
				}
				for id, row := range rows {
					if id == "t" {
						row.Sync.LastError = store.ErasedText
					}
					requireEqual(t, "row of "+id, *readThread(t, s, id), *row)
				}
				if n := requireUnbroken(t, s); n != entries {
					t.Errorf("%d audit entries, want %d", n, entries)
				}
				requireNoneDue(t, s)

				// Events that come again, or are older, do not bring her back.
				again := updated("t", 0, byAnn("m1", 1))
				annsWorldAgain(t, s)
				accept(t, s, again)
				requireEqual(t, "texts", textsOf(t, s, "t"), []string{"text of m2", "text of " + annID, "", ""})
			})
		}
	}
}

// annsWorldAgain delivers an event of annsWorld once more.
func annsWorldAgain(t *testing.T, s store.Store) {
	t.Helper()
	first := updated("t", 1, byAnn("m1", 1), message("m2", 2), message(annID, 3))
	first.Participants = []thread.Participant{ann(), person("author", "Bob")}
	if got := accept(t, s, sealed(first)); !got[0].Duplicate {
		t.Errorf("the event is not known any more: %+v", got)
	}
}

// hashesOf returns what is known of the values of all items, without their ids.
func hashesOf(t failer, s store.Store) (all []string) {
	t.Helper()
	for _, id := range []string{"t", "child", "other"} {
		for _, kind := range []thread.ItemKind{thread.KindMessage, thread.KindParticipant} {
			for _, i := range itemsOf(t, s, id, kind, 100) {
				all = append(all, fmt.Sprintf("%s %s %x %x %x %t", id, kind, i.View(), i.Acked, i.SetAside, i.Dirty()))
			}
		}
	}
	slices.Sort(all)
	return all
}

// requireNoPlace looks for words in all that can be read of threads and dead letters.
func requireNoPlace(t failer, s store.Store, words string) {
	t.Helper()
	for _, id := range []string{"t", "child", "other"} {
		for _, kind := range []thread.ItemKind{thread.KindMessage, thread.KindParticipant} {
			for _, i := range itemsOf(t, s, id, kind, 100) {
				if bytes.Contains(i.Content, []byte(words)) {
					t.Errorf("%s %q of %s is left as %s", i.Kind, i.ID, id, i.Content)
				}
			}
		}
		events, err := s.Events(ctx(), id, 100, math.MaxInt32)
		if err != nil {
			t.Fatalf("Events: %v", err)
		}
		for _, e := range events {
			if bytes.Contains(e.Raw, []byte(words)) {
				t.Errorf("an event of %s is left as %s", id, e.Raw)
			}
		}
	}
	for _, l := range list(t, s, 0, 100) {
		if bytes.Contains(l.Raw, []byte(words)) {
			t.Errorf("a dead letter is left as %s", l.Raw)
		}
	}
}

func testEraseNobody(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	if _, err := s.Erase(ctx(), store.Person{}, "", 10); err == nil {
		t.Error("nobody can be erased")
	}
	if _, err := s.Erase(ctx(), store.Person{Participant: "x"}, "nonsense 1", 10); err == nil {
		t.Error("a cursor that is none is taken")
	}
	annsWorld(t, s)
	for _, p := range []store.Person{{Participant: "an"}, {Participant: "THREAD_UPDATED "}, {Recipient: "123456789"}} {
		requireEqual(t, fmt.Sprintf("rows of %+v", p), erase(t, s, p, 100), map[string]int{})
	}
}

// testTraces finds a person also where Erase changes nothing: in the audit, in alarms, and in ids of threads.
func testTraces(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	detail := audit.Detail{"item": annID, "reason": "sent to " + bare}
	if err := s.Audit(ctx(), audit.Note{Subject: "x", Action: audit.ActionSetAside, Outcome: "kept", Detail: detail}, at(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Raise(ctx(), store.Alarm{Name: "x", Subject: "y", Raised: at(1), Detail: audit.Detail{"a": number}}); err != nil {
		t.Fatal(err)
	}
	accept(t, s, updated("whatsapp-"+bare, 1, message("m", 1)))
	got := traces(t, s, store.Person{Recipient: number})
	want := map[string]int{"alarms": 1, "audit": 3, "threads": 1, "thread_items": 1, "thread_events": 1}
	if !maps.Equal(got, want) {
		t.Errorf("traces of the number: %v, want %v", got, want)
	}
	requireEqual(t, "traces of the id", traces(t, s, store.Person{Participant: annID}), map[string]int{"audit": 1})
}
