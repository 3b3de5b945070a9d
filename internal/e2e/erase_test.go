package e2e_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// What is known of two people. Each text occurs nowhere else.
const (
	numberOfAnn   = "4915112349077"
	idOfBen       = "ben-3f1c77"
	platformOfBen = "fb-77aa31"
	nameOfBen     = "Ben Numbat"
	wordsOfBen    = "my quokka has flown"
)

// A person who was erased is in no table and in no byte of a SQLite file, and does not come back when
// everything is delivered again. Everybody else stays, and so do messages, dead letters and the audit.
func TestErase(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		_, crm := newCRM(t)
		p := serve(t, s.settings.with(crm))
		receipts, events := annsReceipts(), bensEvents()
		deliver := func() {
			for _, body := range receipts {
				p.post(t, http.StatusOK, body)
			}
			p.post(t, http.StatusUnprocessableEntity, `{"messageId":"ann-4","to":"+`+numberOfAnn+`"}`)
			for _, body := range events {
				p.postThread(t, http.StatusOK, body)
			}
			p.postThread(t, http.StatusUnprocessableEntity, `{"event":"THREAD_UPDATED","data":{"threadId":"t1","version":-1,"participants":[{"id":"`+idOfBen+`","name":"`+nameOfBen+`"}]}}`)
		}
		deliver()
		p.awaitSynced(t)
		rows, letters := s.messages(t), s.deadLetterCount(t)
		canaries := []string{numberOfAnn, idOfBen, platformOfBen, nameOfBen, wordsOfBen}
		for _, canary := range canaries {
			if len(s.tablesWith(t, canary)) == 0 {
				t.Fatalf("%q is nowhere before", canary)
			}
		}

		only := settings{"DATABASE_URL": s.settings["DATABASE_URL"]}
		for _, who := range [][]string{{"--recipient", "+" + numberOfAnn}, {"--participant", platformOfBen}, {"--participant", idOfBen}} {
			code, stdout, stderr := finish(t, only, append([]string{"erase", "--yes"}, who...)...)
			if code != 0 || !strings.Contains(stdout, "nothing is left") || stderr != "" {
				t.Fatalf("erase %v: exit code %d: %s%s", who[0], code, stdout, stderr)
			}
			if strings.Contains(stdout, who[1]) {
				t.Errorf("it tells who was erased: %s", stdout)
			}
		}
		nowhere := func(when string) {
			t.Helper()
			for _, canary := range canaries {
				if tables := s.tablesWith(t, canary); len(tables) > 0 {
					t.Errorf("%s: %q is still in %v", when, canary, tables)
				}
				if strings.Contains(p.log.String(), canary) {
					t.Errorf("%s: %q is in the log", when, canary)
				}
			}
		}
		nowhere("after the erasure")
		deliver()
		nowhere("after all was delivered once more")

		after := s.messages(t)
		for id, want := range rows {
			if strings.HasPrefix(id, "ann-") {
				want.recipient = ""
			}
			if after[id] != want {
				t.Errorf("message %s is %+v, want %+v", id, after[id], want)
			}
		}
		if n := s.deadLetterCount(t); n != letters || len(after) != len(rows) {
			t.Errorf("%d dead letters, want %d; %d messages, want %d", n, letters, len(after), len(rows))
		}
		if n := len(p.unsynced(t)); n != 0 {
			t.Errorf("%d threads are not synced: the erasure is no change for the CRM", n)
		}
		if code, stdout, _ := finish(t, only, "audit", "verify"); code != 0 {
			t.Errorf("audit verify: exit code %d: %s", code, stdout)
		}
		if n := s.count(t, "SELECT count(*) FROM audit WHERE subject = 'erasure' AND outcome = 'erased'"); n != 3 {
			t.Errorf("the audit tells of %d erasures, want 3", n)
		}
		if path, isFile := strings.CutPrefix(s.settings["DATABASE_URL"], "sqlite:"); isFile {
			noBytes(t, filepath.Dir(path), canaries)
		}
	})
}

// annsReceipts are of messages to Ann and to others.
func annsReceipts() (bodies []string) {
	for i, status := range []string{"SENT", "DELIVERED", "FAILED"} {
		at := minute(i)
		for n := range 3 {
			bodies = append(bodies, fmt.Sprintf(`{"messageId":"ann-%d","status":%q,"timestamp":%q,"carrier":"TWILIO","from":"ACME","to":"+%s"}`, n, status, at, numberOfAnn))
		}
		bodies = append(bodies, fmt.Sprintf(`{"messageId":"other","status":%q,"timestamp":%q,"carrier":"TWILIO","from":"ACME","to":"+%s0"}`, status, at, numberOfAnn[:12]))
	}
	return bodies
}

// bensEvents are of conversations with Ben, of which one was split.
func bensEvents() []string {
	ben := sim.Participant{ID: idOfBen, Role: "CUSTOMER", Name: nameOfBen, PlatformID: platformOfBen}
	agent := sim.Participant{ID: "agent-1", Role: "AGENT", Name: "Kim", PlatformID: "a-1"}
	by := func(author, id, text string, at int) sim.Message {
		m := line(id, text, at)
		m.AuthorID = author
		return m
	}
	said := by(idOfBen, "m1", wordsOfBen, 1)
	return []string{
		event(updated, "t1", 1, among(ben, agent), saying(said, by("agent-1", "m2", "where to?", 2))),
		event(updated, "t1", 2, saying(by(idOfBen, "m3", wordsOfBen+" away", 3))),
		event(split, "t2", 3, under("t1"), saying(said)),
		event(updated, "t3", 1, among(agent), saying(by("agent-1", "m4", "nobody asked", 4))),
	}
}

// tablesWith returns the tables of which a row holds a text.
func (s *storage) tablesWith(t testing.TB, text string) (with []string) {
	t.Helper()
	list := "SELECT name FROM sqlite_schema WHERE type = 'table'"
	if strings.HasPrefix(s.settings["DATABASE_URL"], "postgres") {
		list = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
	}
	var tables []string
	s.query(t, list, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	for _, table := range tables {
		if s.tableHas(t, table, text) {
			with = append(with, table)
		}
	}
	return with
}

// tableHas looks at every value of a table.
func (s *storage) tableHas(t testing.TB, table, text string) (has bool) {
	t.Helper()
	s.query(t, `SELECT * FROM "`+table+`"`, func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for _, v := range values {
			if raw, isBytes := v.([]byte); isBytes {
				v = string(raw)
			}
			has = has || strings.Contains(fmt.Sprint(v), text)
		}
		return nil
	})
	return has
}

// noBytes looks into every file of a folder.
func noBytes(t testing.TB, dir string, texts []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) {
				t.Errorf("%s holds %q", f.Name(), text)
			}
		}
	}
}
