package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// tamper changes the audit with SQL, after it has removed the triggers that prevent that.
func (s *storage) tamper(t *testing.T, statements ...string) {
	t.Helper()
	path, isSQLite := strings.CutPrefix(s.settings["DATABASE_URL"], "sqlite:")
	open, guards := s.open, []string{"DROP TRIGGER audit_is_append_only ON audit"}
	if isSQLite {
		open = func() (*sql.DB, error) { return sqlitedb.Open(path, sqlitedb.Options{}) }
		guards = []string{"DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"}
	}
	db, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err == nil {
			t.Errorf("nothing stands against: %s", statement)
		}
	}
	for _, statement := range append(guards, statements...) {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
	}
}

// `cxbridge audit verify` finds what somebody changed or deleted in the audit.
func TestAuditIsTamperedWith(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		_, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM))
		for version := 1; version <= 3; version++ {
			for _, id := range []string{"edited", "gap", "cut", "whole"} {
				p.wantAnswer(t, synced, event(updated, id, version), "Prefer", "wait=30")
			}
		}
		entries := p.audit(t, "whole", "")
		if len(entries) != 6 || entries[0].Action != "push" || entries[1].Action != "event" {
			t.Errorf("entries %+v", entries)
		}
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		wantAuditVerified(t, s.settings)
		s.tamper(t,
			"UPDATE audit SET outcome = 'nothing' WHERE subject = 'edited' AND seq = 2",
			"DELETE FROM audit WHERE subject = 'gap' AND seq = 3",
			"DELETE FROM audit WHERE subject = 'cut' AND seq >= 6",
		)
		code, stdout, stderr := finish(t, s.settings, "audit", "verify")
		for _, line := range []string{"edited, entry 2: ", "gap, entry 4: ", "cut, entry 6: "} {
			if !strings.Contains("\n"+stdout, "\n"+line) {
				t.Errorf("%q is not told", line)
			}
		}
		if lines := strings.Count(stdout, "\n"); code != 1 || lines != 3 || stderr != "" {
			t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
		}
	})
}

// spoken are texts of messages, and a name. Each occurs nowhere else.
var spoken = []string{"axolotl-88a1", "pangolin-88a2", "caracal-88a3", "kinkajou-88a4", "fossa-88a5", "numbat-88a6"}

// newEcho returns the settings of a CRM that refuses one thread, and repeats what it was sent.
func newEcho(t *testing.T, crm http.Handler) settings {
	t.Helper()
	return serveCRM(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path != "/threads/echo" || !bytes.Contains(body, []byte(spoken[0])) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			crm.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		json.NewEncoder(w).Encode(map[string]any{
			"message": "Refused: " + string(body), "errors": []any{map[string]string{"field": "addedMessages", "message": string(body)}},
		})
	}))
}

// What people say is nowhere in the audit, the log, the reasons of dead letters and the errors, at the
// most detailed level of the log, whatever goes wrong.
func TestNothingSaidIsTold(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm := sim.NewCRM(crmToken)
		p := serve(t, s.settings.with(newEcho(t, crm)).with(settings{"LOG_LEVEL": "debug"}))
		said := func(i int) sim.Message { return line(fmt.Sprintf("m-%d", i), spoken[i], i) }
		name := sim.Participant{ID: "c-1", Role: "CUSTOMER", Name: spoken[5]}
		p.wantAnswer(t, synced, event(updated, "echo", 1), "Prefer", "wait=30")
		p.wantAnswer(t, accepted, event(updated, "echo", 2, saying(said(0)), among(name)))
		p.awaitState(t, "echo", "parked")
		long := said(1)
		long.Text += strings.Repeat("x", 5000)
		p.wantAnswer(t, accepted, event(updated, "other", 1, saying(long, said(2)), among(name)), "Prefer", "wait=30")
		if !crm.EditMessage("other", "m-2", "Another word") {
			t.Fatal("the CRM lacks the message")
		}
		changed := said(2)
		changed.Text += " and more"
		p.wantAnswer(t, synced, event(updated, "other", 2, saying(changed)), "Prefer", "wait=30")

		var told []string
		for _, body := range []string{
			`{"event":"THREAD_UPDATED","data":{"threadId":"t","messages":[{"text":"` + spoken[3] + `"}]}}`,
			`{"event":"` + spoken[3] + `","data":{"threadId":"t","version":"` + spoken[3] + `","messages":"` + spoken[3] + `"}}`,
		} {
			told = append(told, fmt.Sprint(p.postThread(t, http.StatusUnprocessableEntity, body)))
		}
		told = append(told, fmt.Sprint(p.postThread(t, http.StatusBadRequest, `{"event":"`+spoken[4]+`" "`+spoken[4]+`"`)))
		for _, letter := range p.deadLetters(t) {
			told = append(told, letter.Reason)
			p.call(t, http.MethodPost, fmt.Sprintf("/api/dead-letters/%d/replay", letter.ID), adminToken, nil)
		}
		p.awaitState(t, "echo", "parked")
		for _, id := range []string{"echo", "other"} {
			told = append(told, p.thread(t, id).Sync.LastError)
		}
		s.query(t, "SELECT subject || ' ' || action || ' ' || outcome || ' ' || detail FROM audit", func(rows *sql.Rows) error {
			var entry string
			err := rows.Scan(&entry)
			told = append(told, entry)
			return err
		})
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		told = append(told, p.log.String())
		for _, text := range told {
			for _, word := range spoken {
				if i := strings.Index(text, word); i >= 0 {
					t.Errorf("%q is told: %.400s", word, text[max(0, i-200):])
				}
			}
		}
		if all := strings.Join(told, "\n"); !strings.Contains(all, "422") || !strings.Contains(all, `"m-1"`) || !strings.Contains(all, "conflict") {
			t.Errorf("something that was to go wrong did not: %.2000s", all)
		}
		wantAuditVerified(t, s.settings)
	})
}
