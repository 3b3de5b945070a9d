package thread_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/refusal"
	"github.com/cxbridge/cxbridge/internal/thread"
)

const wholeEvent = `{"event":"THREAD_MERGED","timestamp":"2026-03-14T15:09:26.535Z","data":{
	"threadId":"fb_1/é","parentThreadId":"fb_2","version":7,"updatedAt":"2026-03-14T16:09:26.5+0100",
	"participants":[{"id":"p1","role":"CUSTOMER","name":"Ada","platformId":"fb:1"},{"id":"p2","role":"AGENT","name":null}],
	"messages":[{"id":"m1","text":"Hello \"you\" \ud83d\ude00","timestamp":"2026-03-14t16:00:00+01:00","authorId":"p1","direction":"OUTBOUND"},
		{"id":"m2"}]}}`

func date(month time.Month, day, hour, minute, sec, µs int) time.Time {
	return time.Date(2026, month, day, hour, minute, sec, µs*1000, time.UTC)
}

func TestDecode(t *testing.T) {
	got, err := thread.Decode([]byte(wholeEvent), thread.AnyID)
	if err != nil {
		t.Fatal(err)
	}
	want := &thread.Event{
		Type: thread.Merged, ThreadID: "fb_1/é", Parent: "fb_2", NamesParent: true,
		Version: 7, UpdatedAt: date(3, 14, 15, 9, 26, 500_000),
		Participants: []thread.Participant{
			{ID: "p1", Role: "CUSTOMER", Name: "Ada", PlatformID: "fb:1"},
			{ID: "p2", Role: "AGENT", Name: "Unknown"},
		},
		Messages: []thread.Message{
			{ID: "m1", Text: "Hello \"you\" 😀", Timestamp: "2026-03-14T15:00:00Z", AuthorID: "p1", Direction: "OUTBOUND"},
			{ID: "m2", Direction: "INBOUND"},
		},
		Key: got.Key,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Key == (thread.Key{}) {
		t.Error("there is no key")
	}
}

// data returns an event about thread t with further members of data.
func data(event, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"event":"` + event + `","data":{"threadId":"t"` + members + `}}`
}

func TestDecodeForgives(t *testing.T) {
	updated := func(members string) string { return data("THREAD_UPDATED", members) }
	message := func(members string) string { return updated(`"messages":[{"id":"m",` + members + `}]`) }
	participant := func(members string) string { return updated(`"participants":[{"id":"p",` + members + `}]`) }
	aMessage := func(m thread.Message) thread.Event {
		m.ID = "m"
		return thread.Event{Messages: []thread.Message{m}}
	}
	aParticipant := func(p thread.Participant) thread.Event {
		p.ID = "p"
		return thread.Event{Participants: []thread.Participant{p}}
	}
	tests := []struct {
		name, raw string
		want      thread.Event // of thread t, THREAD_UPDATED unless it says otherwise
	}{
		{"nothing but an id", updated(``), thread.Event{}},
		{"data before event", `{"data":{"threadId":"t"},"event":"THREAD_UPDATED"}`, thread.Event{}},
		{"null counts as missing", updated(`"version":null,"updatedAt":null,"messages":null,"participants":null`), thread.Event{}},
		{"empty lists", updated(`"messages":[],"participants":[]`), thread.Event{}},
		{"names in escapes", `{"\u0065vent":"THREAD_UPDATED","data":{"thread\u0049d":"t"}}`, thread.Event{}},
		{"unknown names, twice", updated(`"x":{"id":[1]},"x":2,"Version":"v","\ud800":1`), thread.Event{}},
		{"other names that look like ours", `{"threadId":5,"version":"x","event":"THREAD_UPDATED","data":{"threadId":"t"}}`, thread.Event{}},
		{"63 levels below", updated(`"x":` + strings.Repeat("[", 62) + strings.Repeat("]", 62)), thread.Event{}},

		{"parent null", updated(`"parentThreadId":null`), thread.Event{NamesParent: true}},
		{"parent", updated(`"parentThreadId":"u"`), thread.Event{NamesParent: true, Parent: "u"}},
		{"split", data("THREAD_SPLIT", `"parentThreadId":"u"`), thread.Event{Type: thread.Split, NamesParent: true, Parent: "u"}},
		{"split without a parent", data("THREAD_SPLIT", ``), thread.Event{Type: thread.Split, NamesParent: true}},
		{"split from null", data("THREAD_SPLIT", `"parentThreadId":null`), thread.Event{Type: thread.Split, NamesParent: true}},

		{"version 0", updated(`"version":0`), thread.Event{}},
		{"version -0", updated(`"version":-0`), thread.Event{}},
		{"version 3.0", updated(`"version":3.0`), thread.Event{Version: 3}},
		{"version 1e2", updated(`"version":1e2`), thread.Event{Version: 100}},
		{"version of nanoseconds", updated(`"version":1773504566500000000`), thread.Event{Version: 1773504566500000000}},
		{"highest version", updated(`"version":4611686018427387904`), thread.Event{Version: thread.MaxVersion}},

		{"time of the envelope", `{"event":"THREAD_UPDATED","timestamp":"2026-03-14T15:09:26Z","data":{"threadId":"t"}}`,
			thread.Event{UpdatedAt: date(3, 14, 15, 9, 26, 0)}},
		{"unreadable time of the envelope, not used",
			`{"event":"THREAD_UPDATED","timestamp":"soon","data":{"threadId":"t","updatedAt":"2026-03-14T15:09:26Z"}}`,
			thread.Event{UpdatedAt: date(3, 14, 15, 9, 26, 0)}},
		{"time in seconds", updated(`"updatedAt":1773500966`), thread.Event{UpdatedAt: date(3, 14, 15, 9, 26, 0)}},
		{"time in milliseconds", updated(`"updatedAt":1773500966535`), thread.Event{UpdatedAt: date(3, 14, 15, 9, 26, 535_000)}},
		{"time with nanoseconds", updated(`"updatedAt":"2026-03-14T15:09:26.123456789Z"`), thread.Event{UpdatedAt: date(3, 14, 15, 9, 26, 123_456)}},

		{"texts that are no text", message(`"text":5,"timestamp":{},"authorId":[1],"direction":true`), aMessage(thread.Message{})},
		{"texts that are null", message(`"text":null,"timestamp":null,"authorId":null,"direction":null`), aMessage(thread.Message{Direction: "INBOUND"})},
		{"empty texts", message(`"text":"","direction":""`), aMessage(thread.Message{Direction: "INBOUND"})},
		{"unreadable time of a message", message(`"timestamp":" yesterday"`), aMessage(thread.Message{Timestamp: " yesterday", Direction: "INBOUND"})},
		{"time of a message in milliseconds", message(`"timestamp":1773500966535`),
			aMessage(thread.Message{Timestamp: "2026-03-14T15:09:26.535Z", Direction: "INBOUND"})},
		{"time of a message as some number", message(`"timestamp":17.5`), aMessage(thread.Message{Direction: "INBOUND"})},
		{"half a character", message(`"text":"x\ud83d"`), aMessage(thread.Message{Text: "x\uFFFD", Direction: "INBOUND"})},
		{"participant's texts that are no text", participant(`"role":1,"name":2,"platformId":3`), aParticipant(thread.Participant{})},
		{"participant without a name", participant(`"role":"BOSS"`), aParticipant(thread.Participant{Role: "BOSS", Name: "Unknown"})},
		{"participant with an empty name", participant(`"name":""`), aParticipant(thread.Participant{Name: "Unknown"})},
		{"a message twice", updated(`"messages":[{"id":"m","text":"a"},{"id":"m","text":"b"}]`), thread.Event{Messages: []thread.Message{
			{ID: "m", Text: "a", Direction: "INBOUND"}, {ID: "m", Text: "b", Direction: "INBOUND"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := thread.Decode([]byte(tt.raw), thread.AnyID)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			want.ThreadID, want.Key = "t", got.Key
			if want.Type == "" {
				want.Type = thread.Updated
			}
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const notAnID = "must be a text of 1 to 256 printable characters"

func TestDecodeRefuses(t *testing.T) {
	updated := func(members string) string { return data("THREAD_UPDATED", members) }
	tests := []struct {
		name, raw string
		thread    string // the id of the event beside the error; "" for no event
		want      string
	}{
		{"list", `[]`, "", "must be an object"},
		{"text", `"x"`, "", "must be an object"},
		{"null", `null`, "", "must be an object"},
		{"empty object", `{}`, "", "/event: is required; /data: is required"},
		{"data null", `{"event":"THREAD_UPDATED","data":null}`, "", "/data: is required"},
		{"data a list", `{"event":"THREAD_UPDATED","data":[{"threadId":"t"}]}`, "", "/data: must be an object"},
		{"data a text", `{"event":"THREAD_UPDATED","data":"t"}`, "", "/data: must be an object"},
		{"bare thread", `{"threadId":"t"}`, "", "/event: is required; /data: is required"},

		{"no event", `{"data":{"threadId":"t"}}`, "t", "/event: is required"},
		{"unknown event", data("THREAD_CLOSED", ``), "t", "/event: must be THREAD_UPDATED, THREAD_MERGED or THREAD_SPLIT"},
		{"event in small letters", data("thread_updated", ``), "t", "/event: must be THREAD_UPDATED, THREAD_MERGED or THREAD_SPLIT"},
		{"event a number", `{"event":1,"data":{"threadId":"t"}}`, "t", "/event: must be THREAD_UPDATED, THREAD_MERGED or THREAD_SPLIT"},

		{"no id", `{"event":"THREAD_UPDATED","data":{}}`, "", "/data/threadId: is required"},
		{"id null", `{"event":"THREAD_UPDATED","data":{"threadId":null}}`, "", "/data/threadId: is required"},
		{"id a number", `{"event":"THREAD_UPDATED","data":{"threadId":5}}`, "", "/data/threadId: " + notAnID},
		{"id empty", `{"event":"THREAD_UPDATED","data":{"threadId":""}}`, "", "/data/threadId: " + notAnID},
		{"id blank", `{"event":"THREAD_UPDATED","data":{"threadId":"  "}}`, "", "/data/threadId: " + notAnID},
		{"id with a line", `{"event":"THREAD_UPDATED","data":{"threadId":"a\nb"}}`, "", "/data/threadId: " + notAnID},
		{"id with NUL", `{"event":"THREAD_UPDATED","data":{"threadId":"a\u0000"}}`, "", "/data/threadId: " + notAnID},
		{"id with half a character", `{"event":"THREAD_UPDATED","data":{"threadId":"a\ud800"}}`, "", "/data/threadId: " + notAnID},
		{"id too long", `{"event":"THREAD_UPDATED","data":{"threadId":"` + strings.Repeat("é", 257) + `"}}`, "", "/data/threadId: " + notAnID},

		{"version negative", updated(`"version":-1`), "t", "/data/version: must be a whole number from 0"},
		{"version broken", updated(`"version":1.5`), "t", "/data/version: must be a whole number from 0"},
		{"version a text", updated(`"version":"3"`), "t", "/data/version: must be a whole number from 0"},
		{"version an object", updated(`"version":{}`), "t", "/data/version: must be a whole number from 0"},
		{"version above the highest", updated(`"version":4611686018427387905`), "t", "/data/version: must be at most 4611686018427387904"},
		{"version 2^63-1", `{"event":"THREAD_SPLIT","data":{"threadId":"t","version":9223372036854775807}}`, "t", "/data/version: must be at most 4611686018427387904"},
		{"version 2^63", updated(`"version":9223372036854775808`), "t", "/data/version: must be a whole number from 0"},
		{"version 1e400", updated(`"version":1e400`), "t", "/data/version: must be a whole number from 0"},

		{"updatedAt unreadable", updated(`"updatedAt":"soon"`), "t", "/data/updatedAt: must be a time of RFC 3339"},
		{"updatedAt without an offset", updated(`"updatedAt":"2026-03-14T15:09:26"`), "t", "/data/updatedAt: must be a time of RFC 3339"},
		{"updatedAt empty", updated(`"updatedAt":""`), "t", "/data/updatedAt: must be a time of RFC 3339"},
		{"updatedAt an odd number", updated(`"updatedAt":12345`), "t", "/data/updatedAt: must be a time of RFC 3339"},
		{"updatedAt a negative number", updated(`"updatedAt":-123456789`), "t", "/data/updatedAt: must be a time of RFC 3339"},
		{"updatedAt in the year 0", updated(`"updatedAt":"0000-12-31T23:59:59Z"`), "t", "/data/updatedAt: must be a time of RFC 3339"},
		{"timestamp unreadable and used", `{"event":"THREAD_UPDATED","timestamp":"soon","data":{"threadId":"t"}}`, "t",
			"/timestamp: must be a time of RFC 3339"},

		{"messages an object", updated(`"messages":{"id":"m"}`), "t", "/data/messages: must be a list"},
		{"participants a text", updated(`"participants":"p"`), "t", "/data/participants: must be a list"},
		{"messages that are none", updated(`"messages":[{"id":"a"},5,null,[{"id":"b"}]]`), "t",
			"/data/messages/1: must be an object; /data/messages/2: must be an object; /data/messages/3: must be an object"},
		{"messages without ids", updated(`"messages":[{"id":"a"},{"text":"x"},{"id":null},{"id":""},{"id":7}]`), "t",
			"/data/messages/1/id: is required; /data/messages/2/id: is required; /data/messages/3/id: " + notAnID + "; /data/messages/4/id: " + notAnID},
		{"participants without ids", updated(`"participants":["p",{"id":"a"},{"role":"AGENT"}]`), "t",
			"/data/participants/0: must be an object; /data/participants/2/id: is required"},

		{"too many items", updated(`"participants":[{"id":"p"}],"messages":[` + strings.Repeat(`{"id":"m"},`, 49_999) + `{"id":"m"},5]`), "t",
			"/data: has more than 50000 messages and participants"},

		{"merged without a parent", data("THREAD_MERGED", ``), "t", "/data/parentThreadId: is required of THREAD_MERGED"},
		{"merged into null", data("THREAD_MERGED", `"parentThreadId":null`), "t", "/data/parentThreadId: is required of THREAD_MERGED"},
		{"parent empty", updated(`"parentThreadId":""`), "t", "/data/parentThreadId: " + notAnID},
		{"parent a number", data("THREAD_MERGED", `"parentThreadId":5`), "t", "/data/parentThreadId: " + notAnID},
		{"own parent", updated(`"parentThreadId":"t"`), "t", "/data/parentThreadId: is the thread itself"},

		{"event twice", `{"event":"THREAD_UPDATED","event":"THREAD_SPLIT","data":{"threadId":"t"}}`, "t", "/event: is written twice"},
		{"data twice", `{"event":"THREAD_UPDATED","data":{"threadId":"t"},"data":{"threadId":"u"}}`, "t", "/data: is written twice"},
		{"version twice", updated(`"version":1,"version":2`), "t", "/data/version: is written twice"},
		{"messages twice", updated(`"messages":[],"messages":[]`), "t", "/data/messages: is written twice"},
		{"text twice", updated(`"messages":[{"id":"m","text":"a","te\u0078t":"b"}]`), "t", "/data/messages/0/text: is written twice"},

		{"much at once", `{"event":"X","timestamp":1,"data":{"version":-1,"parentThreadId":[],"messages":[{}],"participants":1}}`, "",
			"/data/messages/0/id: is required; /event: must be THREAD_UPDATED, THREAD_MERGED or THREAD_SPLIT; " +
				"/data/participants: must be a list; /data/threadId: is required; /data/parentThreadId: " + notAnID +
				"; /data/version: must be a whole number from 0; /timestamp: must be a time of RFC 3339"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := thread.Decode([]byte(tt.raw), thread.AnyID)
			if _, ok := errors.AsType[*refusal.InvalidError](err); !ok || err.Error() != tt.want {
				t.Errorf("%T %v\nwant %s", err, err, tt.want)
			}
			if e == nil && tt.thread != "" || e != nil && e.ThreadID != tt.thread {
				t.Errorf("event %+v, want one of thread %q", e, tt.thread)
			}
		})
	}
}

func TestDecodeMalformed(t *testing.T) {
	tests := []struct{ name, raw, want string }{
		{"nothing", ``, "there is no value"},
		{"blank", " \n", "there is no value"},
		{"broken", `{"event":`, "unexpected EOF"},
		{"no JSON", `hello`, "invalid character 'h'"},
		{"more than one value", data("THREAD_UPDATED", ``) + `{}`, "there is more than one value"},
		{"garbage behind", data("THREAD_UPDATED", ``) + `}`, "invalid character '}'"},
		{"name that is no text", `{1:2}`, "at byte 1"},
		{"open list", `{"data":{"messages":[{"id":"m"}`, "unexpected EOF"},
		{"not UTF-8", "{\"event\":\"\xff\"}", "not UTF-8"},
		{"too deep", data("THREAD_UPDATED", `"x":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)), "nested deeper than 64 levels"},
		{"too deep in a message", data("THREAD_UPDATED", `"messages":[{"id":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}]`),
			"nested deeper than 64 levels"},
		{"too deep in place of an object", strings.Repeat("[", 70) + strings.Repeat("]", 70), "nested deeper than 64 levels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := thread.Decode([]byte(tt.raw), thread.AnyID)
			malformed, ok := errors.AsType[*refusal.MalformedError](err)
			if !ok || !strings.Contains(malformed.Reason, tt.want) || e != nil {
				t.Errorf("%+v, %T %v, want %s", e, err, err, tt.want)
			}
		})
	}
}

func TestDecodeUUIDs(t *testing.T) {
	const uuid = "6f1c0a52-6A0E-4f0b-9a57-0d5f3f6f2a11"
	event := func(id, parent string) string {
		return `{"event":"THREAD_MERGED","data":{"threadId":"` + id + `","parentThreadId":"` + parent + `","messages":[{"id":"m"}]}}`
	}
	if _, err := thread.Decode([]byte(event(uuid, strings.Replace(uuid, "6", "7", 1))), thread.UUIDs); err != nil {
		t.Error(err)
	}
	for _, id := range []string{
		"t", uuid[1:], uuid + "0", "{" + uuid + "}", strings.ReplaceAll(uuid, "-", "0"), strings.Replace(uuid, "f", "g", 1),
		strings.Replace(uuid, "0", "-", 1), strings.Replace(uuid, "-", "", 1) + "-",
	} {
		e, err := thread.Decode([]byte(event(id, id+"'")), thread.UUIDs)
		if err == nil || err.Error() != "/data/threadId: must be a UUID; /data/parentThreadId: must be a UUID" {
			t.Errorf("%s: %v", id, err)
		}
		if e == nil || e.ThreadID != id {
			t.Errorf("%s: event %+v", id, e)
		}
	}
}

// A body of 8 MiB can hold millions of problems. They are counted, and the first ones told.
func TestDecodeTellsProblemsUpToALimit(t *testing.T) {
	_, err := thread.Decode([]byte(data("THREAD_UPDATED", `"messages":[`+strings.Repeat(`{},`, 2_344)+`{}]`)), thread.AnyID)
	invalid, ok := errors.AsType[*refusal.InvalidError](err)
	if !ok || len(invalid.Problems) != 101 {
		t.Fatalf("%v", err)
	}
	if got := invalid.Problems[99].String() + "; " + invalid.Problems[100].String(); got != "/data/messages/99/id: is required; and 2245 more" {
		t.Error(got)
	}
}

func TestKey(t *testing.T) {
	key := func(raw string) thread.Key {
		t.Helper()
		e, err := thread.Decode([]byte(raw), thread.AnyID)
		if err != nil {
			t.Fatal(err)
		}
		return e.Key
	}
	same := []string{
		`{"event":"THREAD_UPDATED","data":{"threadId":"t","version":3,"updatedAt":"2026-03-14T15:09:26.5Z","messages":[
			{"id":"m","text":"a/b","timestamp":"2026-03-14T15:00:00Z","direction":"INBOUND"}]}}`,
		`{"data":{"messages":[{"text":"a\/\u0062","id":"m","timestamp":"2026-03-14T16:00:00+0100","x":1}],"participants":[],
			"updatedAt":"2026-03-14T15:09:26.500+00:00","version":3.0,"threadId":"t"},"event":"THREAD_UPDATED","timestamp":"soon"}`,
		`{"event":"THREAD_UPDATED","timestamp":1773500966500,"data":{"threadId":"t","version":3,"messages":[
			{"id":"m","text":"a/b","timestamp":1773500400,"authorId":null}]}}`,
	}
	for i, raw := range same {
		if key(raw) != key(same[0]) {
			t.Errorf("event %d has another key", i)
		}
	}
	others := []string{
		data("THREAD_UPDATED", ``), data("THREAD_SPLIT", ``), data("THREAD_UPDATED", `"parentThreadId":null`),
		data("THREAD_UPDATED", `"parentThreadId":"u"`), data("THREAD_MERGED", `"parentThreadId":"u"`),
		data("THREAD_UPDATED", `"version":1`), data("THREAD_UPDATED", `"updatedAt":"2026-03-14T15:09:26Z"`),
		data("THREAD_UPDATED", `"messages":[{"id":"m"}]`), data("THREAD_UPDATED", `"participants":[{"id":"m"}]`),
		data("THREAD_UPDATED", `"messages":[{"id":"m"},{"id":"n"}]`), data("THREAD_UPDATED", `"messages":[{"id":"m\"},{\"id\":\"n"}]`),
		data("THREAD_UPDATED", `"messages":[{"id":"m","text":"a","authorId":"b"}]`), data("THREAD_UPDATED", `"messages":[{"id":"m","text":"b","authorId":"a"}]`),
		same[0],
	}
	seen := make(map[thread.Key]string)
	for _, raw := range others {
		if other, again := seen[key(raw)]; again {
			t.Errorf("one key: %s and %s", raw, other)
		}
		seen[key(raw)] = raw
	}
}

func TestSnapshot(t *testing.T) {
	fetched := `{"threadId":"t","parentThreadId":null,"version":3,"updatedAt":"2026-03-14T15:09:26Z","messages":[{"id":"m"}]}`
	got, err := thread.Decode(thread.Snapshot([]byte(fetched)), thread.AnyID)
	if err != nil {
		t.Fatal(err)
	}
	want := &thread.Event{
		Type: thread.Updated, ThreadID: "t", NamesParent: true, Version: 3, UpdatedAt: date(3, 14, 15, 9, 26, 0),
		Messages: []thread.Message{{ID: "m", Direction: "INBOUND"}}, Key: got.Key,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, broken := range []string{``, `<html>`, `{"threadId":"t"},"event":"THREAD_SPLIT","x":{}`, `{"threadId":"t"`} {
		_, err := thread.Decode(thread.Snapshot([]byte(broken)), thread.AnyID)
		if _, ok := errors.AsType[*refusal.MalformedError](err); !ok {
			t.Errorf("%s: %v", broken, err)
		}
	}
	if _, err := thread.Decode(thread.Snapshot([]byte(`[]`)), thread.AnyID); err == nil || err.Error() != "/data: must be an object" {
		t.Error(err)
	}
}
