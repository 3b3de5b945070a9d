package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestMessage(t *testing.T) {
	full := &sms.Message{
		ID: "m-1", Status: sms.Delivered, RawStatus: "DELIVRD", StatusAt: at("2026-01-02T03:04:05.678901Z"),
		Carrier: "TMOBILE", ErrorCode: "000", SenderID: "ACME", Recipient: "+4915112345678", Segments: 2,
		Submitted: at("2026-01-02T03:04:00+01:00"), Cost: "0.0750", Currency: "EUR",
		Region: "DE", RegionSource: sms.RegionRecipient, Compliance: sms.Violation, ComplianceReason: "too long",
		FirstSeen: at("2026-01-02T03:04:06Z"), Updated: at("2026-01-02T03:04:07Z"),
	}
	for _, test := range []struct {
		name     string
		message  *sms.Message
		receipts []sms.PastReceipt
		want     string
	}{
		{
			"everything named", full,
			[]sms.PastReceipt{
				{
					Status: sms.Pending, RawStatus: "ENROUTE", Received: at("2026-01-02T03:04:06Z"),
					Raw: []byte(`{ "id": 9007199254740993, "html": "<b>&</b>" }`),
				},
				{
					Status: sms.Delivered, RawStatus: "DELIVRD", At: at("2026-01-02T03:04:05.678901Z"),
					Received: at("2026-01-02T04:04:07+01:00"), Raw: []byte("not JSON \xff"),
				},
			},
			`{
			"messageId":"m-1", "status":"DELIVERED", "rawStatus":"DELIVRD", "statusAt":"2026-01-02T03:04:05.678901Z",
			"carrier":"TMOBILE", "errorCode":"000", "senderId":"ACME", "recipient":"+4915112345678",
			"region":"DE", "regionSource":"recipient", "compliance":"violation", "complianceReason":"too long",
			"segments":2, "submittedAt":"2026-01-02T02:04:00Z", "cost":"0.0750", "currency":"EUR",
			"firstSeenAt":"2026-01-02T03:04:06Z", "updatedAt":"2026-01-02T03:04:07Z",
			"receipts":[
			{"status":"PENDING", "rawStatus":"ENROUTE", "at":null, "receivedAt":"2026-01-02T03:04:06Z",
			"raw":{"id":9007199254740993,"html":"<b>&</b>"}},
			{"status":"DELIVERED", "rawStatus":"DELIVRD", "at":"2026-01-02T03:04:05.678901Z",
			"receivedAt":"2026-01-02T03:04:07Z", "raw":"not JSON \ufffd"}
			]}`,
		},
		{
			"nothing named",
			&sms.Message{
				ID: "m-1", Status: sms.Unknown, Carrier: sms.UnknownCarrier, Compliance: sms.Unchecked,
				FirstSeen: at("2026-01-02T03:04:06Z"), Updated: at("2026-01-02T03:04:07Z"),
			},
			nil,
			`{
			"messageId":"m-1", "status":"UNKNOWN", "rawStatus":"", "statusAt":null, "carrier":"UNKNOWN",
			"errorCode":null, "senderId":null, "recipient":null, "region":null, "regionSource":null,
			"compliance":"unchecked", "complianceReason":null, "segments":null, "submittedAt":null,
			"cost":null, "currency":null, "firstSeenAt":"2026-01-02T03:04:06Z",
			"updatedAt":"2026-01-02T03:04:07Z", "receipts":[]}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench()
			b.store.messages["m-1"], b.store.receipts["m-1"] = test.message, test.receipts
			w := b.ask(t, "GET", "/api/messages/m-1", viewerToken)
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			if diff := cmp.Diff(normal(t, test.want), normal(t, w.Body.String())); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			// Numbers of a body are not rounded on their way, and its text is not escaped anew.
			if test.receipts != nil && !strings.Contains(w.Body.String(), `{"id":9007199254740993,"html":"<b>&</b>"}`) {
				t.Errorf("a raw body was changed: %s", w.Body)
			}
		})
	}
}

// normal makes two JSON texts comparable.
func normal(t *testing.T, text string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// Whatever an id is made of, percent-encoded it is found, also below a ServeMux of the caller.
func TestMessageIDs(t *testing.T) {
	ids := []string{
		"m-1", "a/b", "//", "/a", "a/", "../", "..", ".", "../../metrics", "%2F", "%", "a b", "a+b", "a?b#c", "a;b",
		"ünïcödé-✓-日本", "\u202e", strings.Repeat("x", 256), strings.Repeat("/", 256), "{id}", "<script>", "\n", "'--", "\\",
	}
	b := newBench()
	for _, id := range ids {
		b.store.messages[id] = &sms.Message{ID: id, Status: sms.Pending}
	}
	root := http.NewServeMux()
	root.Handle("/", b.handler(t))
	server := httptest.NewServer(root)
	defer server.Close()
	for _, id := range ids {
		t.Run(id, func(t *testing.T) {
			status, body := get(t, server, "/api/messages/"+encode(id))
			if status != http.StatusOK || body["messageId"] != id {
				t.Errorf("%d %v", status, body)
			}
		})
	}
}

// encode escapes every byte that could be taken for anything but a part of the id. A path segment
// that is a dot or two needs that too, which url.PathEscape does not do.
func encode(id string) string { return strings.ReplaceAll(url.PathEscape(id), ".", "%2E") }

func get(t *testing.T, server *httptest.Server, target string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequest("GET", server.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+viewerToken)
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}

func TestNoSuchMessage(t *testing.T) {
	b := newBench()
	for _, id := range []string{"none", "%00", "a%00b", "%FF", "%C3%28", strings.Repeat("x", 5000)} {
		wantProblem(t, b.ask(t, "GET", "/api/messages/"+id, viewerToken), http.StatusNotFound)
	}
	// Such ids are no question for a database.
	b.store.messages["a\x00b"] = &sms.Message{}
	wantProblem(t, b.ask(t, "GET", "/api/messages/a%00b", viewerToken), http.StatusNotFound)
}

func TestMessageList(t *testing.T) {
	cursor := smsCursor.makePosition(store.ItemPosition{ID: " after m-0"})
	for query, want := range map[string][]string{
		// One more than the limit is read, to learn whether there is a next page.
		"":                                 {"51 of late"},
		"?recipient=&limit=":               {"51 of late"},
		"?recipient=%20&limit=7&cursor=":   {"8 of late"},
		"?recipient=%2B4915112345678":      {"51 to +4915112345678"},
		"?recipient=+4915112345678":        {"51 to 4915112345678"}, // finds the same
		"?recipient=4915&limit=500":        {"501 to 4915"},
		"?recipient=a%00b":                 nil, // no question for a database
		"?recipient=%FF":                   nil,
		"?cursor=" + cursor:                {"51 of late after m-0"},
		"?recipient=4915&cursor=" + cursor: {"51 to 4915 after m-0"},
	} {
		b := stockedBench()
		w := b.ask(t, "GET", "/api/messages"+query, viewerToken)
		list := decode[struct {
			Items []map[string]any
			Next  *string
		}](t, w, http.StatusOK)
		if diff := cmp.Diff(want, b.store.listed); diff != "" || len(list.Items) != len(want) || list.Next != nil {
			t.Errorf("%s: %s (-want +got)\n%s", query, w.Body, diff)
		}
		for _, item := range list.Items {
			if _, hasReceipts := item["receipts"]; hasReceipts || item["messageId"] != "m-1" || item["status"] != "DELIVERED" {
				t.Errorf("item %v", item)
			}
		}
	}
	b := newBench()
	for _, query := range []string{
		"limit=0", "limit=501", "limit=x", "recipient=" + strings.Repeat("9", 257),
		"cursor=none", "recipient=4915&cursor=" + messageCursor.makePosition(store.ItemPosition{ID: "m"}),
	} {
		wantProblem(t, b.ask(t, "GET", "/api/messages?"+query, viewerToken), http.StatusUnprocessableEntity)
	}
}

// All pages together have every message once, and each but the last has a next one, whatever divides them.
func TestMessagePages(t *testing.T) {
	b, in := sqliteBench(t)
	long := strings.Repeat("🦊", 63) // 252 of 256 bytes
	for i := range 5 {
		var together []string
		for j := range 4 {
			to := []string{"+12025550101", "12025550101", "+12025550102"}[(i+j)%3]
			together = append(together, fmt.Sprintf(`{"messageId":"%s%d.%d", "status":"SENT", "from":"+12025550100", "to":%q}`, long, i, j, to))
		}
		submit(t, in, at("2026-03-01T10:00:00Z").Add(time.Duration(i)*time.Second), together...)
	}
	for filter, all := range map[string]int{"": 20, "recipient=12025550101&": 14, "recipient=%2B12025550102&": 6, "recipient=1&": 0} {
		for _, limit := range []int{1, 3, 4, 7, 20, 500} {
			target := fmt.Sprintf("/api/messages?%slimit=%d", filter, limit)
			if got := allMessages(t, b, target, limit); len(got) != all || !slices.IsSortedFunc(got, newestFirst) {
				t.Errorf("%s: %d messages, want %d: %v", target, len(got), all, got)
			}
		}
	}
}

type listedMessage struct {
	MessageID   string
	FirstSeenAt time.Time
}

// newestFirst is the order of the list, in which no message follows itself.
func newestFirst(a, b listedMessage) int {
	if c := b.FirstSeenAt.Compare(a.FirstSeenAt); c != 0 {
		return c
	}
	if a.MessageID >= b.MessageID {
		return -1
	}
	return 1
}

// allMessages reads all pages, and requires each but the last to be full.
func allMessages(t *testing.T, b *bench, target string, limit int) (all []listedMessage) {
	t.Helper()
	for cursor := ""; ; {
		page := decode[struct {
			Items []listedMessage
			Next  *string
		}](t, b.ask(t, "GET", target+cursor, viewerToken), http.StatusOK)
		all = append(all, page.Items...)
		if page.Next == nil {
			return all
		}
		if len(page.Items) != limit || len(all) > 1000 {
			t.Fatalf("%s%s: %d messages, and a next page", target, cursor, len(page.Items))
		}
		cursor = "&cursor=" + *page.Next
	}
}

// FuzzRawJSON shows that no body of a receipt can break the answer that holds it.
func FuzzRawJSON(f *testing.F) {
	f.Add([]byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := json.Marshal(struct{ Raw rawJSON }{raw})
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(text) || !utf8.Valid(text) {
			t.Errorf("%q became %q", raw, text)
		}
	})
}
