package storetest

import (
	"fmt"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// numberForms are ways to write one number of Great Britain, and notNumberForms other numbers.
var (
	numberForms = []string{
		"447700900888", "+447700900888", "00447700900888", "+44 7700 900 888", "+44 (0)7700-900-888",
		"+44\u00a07700\u00a0900888", "07700 900888", "(07700) 900-888",
	}
	notNumberForms = []string{"+44 7700 900889", "4477009008880", "+49 7700 900888", "07700 900889"}
)

// testEraseForms has a number in every form in each place where it can stand: neither the database's
// preselection nor the search at the end may miss one.
func testEraseForms(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	all := append(append([]string(nil), numberForms...), notNumberForms...)
	var batch []store.Entry
	for i, form := range all {
		batch = append(batch, receipts(smsTo(fmt.Sprint("to", i), form, sms.Delivered, i))...)
		quoting := smsTo(fmt.Sprint("quoting", i), "", sms.Delivered, i)
		quoting.Raw = fmt.Appendf(nil, `{"n":%d,"note":%+q}`, i, "call "+form) // NBSP is escaped
		batch = append(batch, receipts(quoting)...)
		batch = append(batch, letters(
			letter(fmt.Sprint("raw", i), "bad", fmt.Sprintf("\xff%d {\"to\":\"%s\"}\x00", i, form)),
			letter(fmt.Sprint("escaped", i), "bad", fmt.Sprintf(`{"n":%d,"to":%+q}`, i, form)),
			letter(fmt.Sprint("reason", i), "not sent to "+form, fmt.Sprint("{", i)))...)
	}
	commit(t, s, batch...)
	for i, form := range all {
		e := updated(fmt.Sprint("t", i), 1, message("m", 1), message("n", 2))
		e.Messages[0].Text = "ring me on " + form + "."
		e.Participants = []thread.Participant{{ID: "p", Role: "CUSTOMER", PlatformID: form}, person("author", "Bob")}
		accept(t, s, sealed(e))
	}

	n, left := len(numberForms), len(notNumberForms)
	for _, p := range []store.Person{{Recipient: "+44 7700 900888"}, {Recipient: "+447700900889"}} {
		found := traces(t, s, p)
		if p.Recipient == "+44 7700 900888" {
			want := map[string]int{"sms_messages": 2 * n, "dead_letters": 3 * n, "thread_items": 2 * n, "thread_events": n}
			requireEqual(t, "traces before", found, want)
		}
		erase(t, s, p, 3)
		requireEqual(t, "traces", traces(t, s, p), map[string]int{})
	}
	for i, form := range all[n : n+left] {
		m, _ := read(t, s, fmt.Sprint("to", n+i))
		if is := m.Recipient == form; is != (i == 1 || i == 2) { // the others are the second person's
			t.Errorf("the message to %s is left to %q", form, m.Recipient)
		}
	}
}
