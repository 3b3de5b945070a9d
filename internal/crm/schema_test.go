package crm_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/thread"
)

var at = time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)

func message(change func(*thread.Message)) *thread.Item {
	m := thread.Message{ID: "m1", Text: "hello", Timestamp: "2026-11-22T01:44:21Z", AuthorID: "c1", Direction: "INBOUND"}
	change(&m)
	return item(thread.KindMessage, m.ID, m.Content())
}

func participant(change func(*thread.Participant)) *thread.Item {
	p := thread.Participant{ID: "c1", Role: "CUSTOMER", Name: "Ann", PlatformID: "fb"}
	change(&p)
	return item(thread.KindParticipant, p.ID, p.Content())
}

func item(kind thread.ItemKind, id string, content []byte) *thread.Item {
	return &thread.Item{
		ItemKey: thread.ItemKey{ThreadID: "t1", Kind: kind, ID: id},
		Stamp:   thread.Stamp{Version: 1, UpdatedAt: at, Hash: thread.HashOf(content)}, Content: content,
	}
}

// had returns an item that the CRM has with another value, or, if it was removed, has at all.
func had(i *thread.Item, removed bool) *thread.Item {
	i.Acked, i.Removed, i.RemovedAt = thread.HashOf([]byte("another value")), removed, at
	return i
}

func delta(items ...*thread.Item) *thread.Delta {
	return &thread.Delta{ThreadID: "t1", Version: 3, UpdatedAt: at, Items: items}
}

func TestDefaultSchemaTakes(t *testing.T) {
	same := func(*thread.Message) {}
	for name, d := range map[string]*thread.Delta{
		"Nothing":     delta(),
		"Parent":      {ThreadID: "t1", Parent: "t0"},
		"Message":     delta(message(same)),
		"Updated":     delta(had(message(same), false)),
		"Removed":     delta(had(message(same), true)),
		"Longest":     delta(message(func(m *thread.Message) { m.Text = strings.Repeat("\U0001f600", 5000) })),
		"NoDirection": delta(message(func(m *thread.Message) { m.Direction = "" })),
		"Direction":   delta(message(func(m *thread.Message) { m.Direction = "sideways" })), // CXone may send others than ours
		"IDs":         delta(message(func(m *thread.Message) { m.ID, m.AuthorID = strings.Repeat("日", 256), "a b/..%\u0301" })),
		"Fraction":    delta(message(func(m *thread.Message) { m.Timestamp = "2026-11-22T01:44:21.123456Z" })),
		"Participants": delta(
			participant(func(p *thread.Participant) { p.Role = "AGENT" }),
			had(participant(func(p *thread.Participant) { p.Role, p.Name, p.PlatformID = "SYSTEM", "Unknown", "" }), false)),
		"Controls": delta(message(func(m *thread.Message) { m.Text = "\x00\x1f\u2028<\"\\" })),
	} {
		if bad, err := crm.DefaultSchema().Check(d, 3); err != nil || len(bad) > 0 {
			t.Errorf("%s: %v, %v", name, bad, err)
		}
	}
}

// What the default schema does not take is set aside, with a reason that repeats nothing.
func TestDefaultSchemaSetsAside(t *testing.T) {
	const private = "PRIVATE"
	for _, tt := range []struct {
		name string
		item *thread.Item
		want string
	}{
		{"TextTooLong", message(func(m *thread.Message) { m.Text = strings.Repeat(private, 715) }), "text has 5005 characters, and at most 5000 are allowed"},
		{"NoText", message(func(m *thread.Message) { m.Text = "" }), "lacks text"},
		{"NoAuthor", message(func(m *thread.Message) { m.AuthorID = "" }), "lacks authorId"},
		{"NoTime", message(func(m *thread.Message) { m.Timestamp = "" }), "lacks timestamp"},
		{"BadTime", message(func(m *thread.Message) { m.Timestamp = private }), "timestamp does not have the format date-time"},
		{"NoDay", message(func(m *thread.Message) { m.Timestamp = "2026-02-30T00:00:00Z" }), "timestamp does not have the format date-time"},
		{"Several", message(func(m *thread.Message) { m.Timestamp, m.AuthorID = private, "" }), "lacks authorId; timestamp does not have the format date-time"},
		{"Updated", had(message(func(m *thread.Message) { m.Text = "" }), false), "lacks text"},
		{"UnknownRole", participant(func(p *thread.Participant) { p.Role = private }), "role is not one of [CUSTOMER AGENT SYSTEM]"},
		{"NoRole", participant(func(p *thread.Participant) { p.Role = "" }), "lacks role"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			good := message(func(m *thread.Message) { m.ID = "good" })
			bad, err := crm.DefaultSchema().Check(delta(good, tt.item), 3)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tt.want}, reasons(bad)); diff != "" || bad[tt.item] == "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(fmt.Sprint(reasons(bad)), private) {
				t.Error("the reason repeats what is private")
			}
		})
	}
}

func reasons(bad map[*thread.Item]string) (list []string) {
	for _, reason := range bad {
		list = append(list, reason)
	}
	return list
}

// The order in the lists is not the order of the delta: each fault finds its item.
func TestCheckFindsItems(t *testing.T) {
	var items []*thread.Item
	want := make(map[*thread.Item]string)
	for i := range 60 {
		id := fmt.Sprint("m", i)
		text := "hello"
		if i%7 == 0 {
			text = ""
		}
		m := message(func(m *thread.Message) { m.ID, m.Text = id, text })
		if i%2 == 0 {
			had(m, i%3 == 0)
		}
		if text == "" && !m.View().IsZero() {
			want[m] = "lacks text"
		}
		items = append(items, m, participant(func(p *thread.Participant) { p.ID = id }))
	}
	bad, err := crm.DefaultSchema().Check(delta(items...), 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A fault that is not in an item, or in one that cannot be set aside, is the whole delta's.
func TestCheckFailsElsewhere(t *testing.T) {
	const ids = `{"properties":{"threadId":{"type":"string","format":"uuid"}}}`
	const few = `{"properties":{"addedMessages":{"maxItems":1}}}`
	const removed = `{"properties":{"removedMessages":{"items":{"pattern":"^x"}}}}`
	a, b := message(func(m *thread.Message) { m.ID = "a" }), message(func(m *thread.Message) { m.ID = "b" })
	for _, tt := range []struct {
		name, schema string
		delta        *thread.Delta
		want         string
	}{
		{"ThreadID", ids, delta(a), "threadId does not have the format uuid"},
		{"TooMany", few, delta(a, b), "addedMessages has 2 items, and at most 1 are allowed"},
		{"Removed", removed, delta(had(message(func(*thread.Message) {}), true)), "removedMessages/0 does not match ^x"},
		{"Nothing", "false", delta(a), "is not allowed"},
		{"Both", few, delta(a, b, message(func(m *thread.Message) { m.Text = "" })), "addedMessages has 3 items"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := crm.ParseSchema([]byte(tt.schema))
			if err != nil {
				t.Fatal(err)
			}
			bad, err := s.Check(tt.delta, 3)
			if err == nil || !strings.Contains(err.Error(), tt.want) || bad != nil {
				t.Errorf("%v, %v, want %q", bad, err, tt.want)
			}
		})
	}
}

// The operator's schema decides, in the drafts that are in use, and its reasons are as good.
func TestParseSchemaStricter(t *testing.T) {
	for _, tt := range []struct{ name, schema, want string }{
		{
			"Seed", `{"properties":{"addedMessages":{"items":{"properties":{"id":{"type":"string","format":"uuid"}}}}}}`,
			"id does not have the format uuid",
		},
		{
			"Draft7", `{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"m":{"properties":{"text":{"maxLength":3}}}},
				"properties":{"addedMessages":{"items":{"$ref":"#/definitions/m"}}}}`,
			"text has 5 characters, and at most 3 are allowed",
		},
		{
			"Const", `{"properties":{"addedMessages":{"items":{"properties":{"text":{"const":"bye"}}}}}}`,
			`text fails "const" of the schema`,
		},
		{
			"Unknown", `{"properties":{"addedMessages":{"items":{"properties":{"id":{},"text":{}},"additionalProperties":false}}}}`,
			"has 3 fields that the schema does not know",
		},
		{
			"Type", `{"properties":{"addedMessages":{"items":{"properties":{"text":{"type":["integer","null"]}}}}}}`,
			"text is of type string, not null or integer",
		},
		{
			"AnyOf", `{"properties":{"addedMessages":{"items":{"anyOf":[{"required":["x"]},{"required":["y"]}]}}}}`,
			"lacks x; lacks y",
		},
		{
			"ID", `{"$id":"https://example.com/delta.json","$defs":{"m":{"properties":{"text":{"minLength":9}}}},
				"properties":{"addedMessages":{"items":{"$ref":"delta.json#/$defs/m"}}}}`,
			"text has 5 characters, and at least 9 are needed",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := crm.ParseSchema([]byte(tt.schema))
			if err != nil {
				t.Fatal(err)
			}
			bad, err := s.Check(delta(message(func(*thread.Message) {})), 3)
			if diff := cmp.Diff([]string{tt.want}, reasons(bad)); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}

// A schema that cannot be used says why, and is never fetched from anywhere.
func TestParseSchemaBad(t *testing.T) {
	file := t.TempDir() + "/m.json"
	if err := os.WriteFile(file, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for schema, want := range map[string]string{
		"":                                       "is no JSON",
		"{\n\"type\": \"object\",\n}":            "line 3",
		`{} {}`:                                  "is no JSON",
		`[]`:                                     "is no JSON Schema",
		`"object"`:                               "is no JSON Schema",
		`{"properties":{"text":{"type":"txt"}}}`: "properties/text/type",
		`{"maxLength":"5"}`:                      "maxLength is of type string, not integer",
		`{"pattern":"(?!a)"}`:                    "is no JSON Schema",
		`{"$ref":"#/$defs/none"}`:                "is no JSON Schema",
		`{"$ref":"message.json"}`:                "refers to message.json,",
		`{"$ref":"https://example.com/m"}`:       "refers to https://example.com/m,",
		`{"$ref":"file://` + file + `"}`:         "refers to file://",
		`{"$ref":"` + file + `"}`:                "refers to ",
		`{"$schema":"https://example.com/s"}`:    "refers to https://example.com/s,",
	} {
		_, err := crm.ParseSchema([]byte(schema))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want %q", schema, err, want)
		} else if strings.Contains(err.Error(), "cxbridge:") {
			t.Errorf("%s: the error %q names a URL that nobody gave", schema, err)
		}
	}
}

func FuzzParseSchema(f *testing.F) {
	f.Add([]byte(`{"properties":{"addedMessages":{"items":{"properties":{"text":{"maxLength":3}}}}}}`))
	f.Add([]byte(`{"$ref":"#"}`))
	f.Add([]byte(`{"$id":"urn:x","$dynamicAnchor":"a","items":{"$dynamicRef":"#a"}}`))
	f.Add([]byte(`{"$schema":"http://json-schema.org/draft-04/schema#","exclusiveMinimum":true}`))
	d := delta(message(func(*thread.Message) {}), participant(func(*thread.Participant) {}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := crm.ParseSchema(data)
		if err != nil {
			if s != nil || err.Error() == "" {
				t.Errorf("%v, %v", s, err)
			}
			return
		}
		bad, err := s.Check(d, 3)
		if err != nil && bad != nil {
			t.Errorf("%v, %v", bad, err)
		}
	})
}

// A chunk of 500 messages is checked in a small part of what its push takes.
func BenchmarkCheck(b *testing.B) {
	items := make([]*thread.Item, 500)
	for i := range items {
		items[i] = message(func(m *thread.Message) {
			m.ID, m.AuthorID = fmt.Sprintf("3118d0df-9a51-4a7e-8e93-%012d", i), "364b2a21-f684-4e3c-8e93-cf4d09b60527"
			m.Text = string(bytes.Repeat([]byte("some words "), 20))
		})
	}
	d, s := delta(items...), crm.DefaultSchema()
	b.SetBytes(int64(len(d.JSON(3))))
	b.ReportAllocs()
	for b.Loop() {
		if bad, err := s.Check(d, 3); err != nil || len(bad) > 0 {
			b.Fatal(bad, err)
		}
	}
}
