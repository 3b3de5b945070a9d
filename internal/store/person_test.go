package store_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestSeekerFindsIDs(t *testing.T) {
	s := store.Person{Participant: "p/1 é"}.Seeker()
	for text, want := range map[string]bool{
		`{"data":{"participants":[{"id":"p/1 é"}]}}`:          true,
		`{"data":{"participants":[{"id":"p\/1 \u00E9"}]}}`:    true,
		`{"data":{"messages":[{"authorId":"p/1 é"}]}}`:        true,
		`{"anything":[[{"else":"p/1 é"}]]}`:                   true,
		` [ "p/1 é" ]`:                                        true,
		`{"updatedParticipants":[{"platformId":"p/1 é"}]}`:    true,
		`{"item":{"id":"p/1 é"}}`:                             true,
		`{"data":{"messages":[{"id":"p/1 é"}]}}`:              false,
		`{"data":{"threadId":"p/1 é"}}`:                       false,
		`{"parentThreadId":"p/1 é"}`:                          false,
		`{"removedMessages":["p/1 é"]}`:                       false,
		`{"p/1 é":1}`:                                         false,
		`{"text":"says p/1 é"}`:                               false,
		`{"x":"p/1 éa"}`:                                      false,
		`participant "p/1 é" is not sent`:                     true,
		`participant p/1 é: unknown`:                          true,
		`participant xp/1 é`:                                  false,
		`p/1 é`:                                               true,
		`{"broken":"p/1 é"`:                                   true,
		`{"x":1} {"y":"p/1 é"}`:                               true,
		``:                                                    false,
		`{"a":"x","a":"p/1 é","b":"` + "\xff" + `","c":null}`: true,
	} {
		if got := s.In([]byte(text)); got != want {
			t.Errorf("in %s: %v", text, got)
		}
	}
	number := store.Person{Participant: "77"}.Seeker()
	for text, want := range map[string]bool{`{"id":77}`: true, `{"version":77}`: false, `{"id":770}`: false, `[1,77]`: true} {
		if got := number.In([]byte(text)); got != want {
			t.Errorf("77 in %s: %v", text, got)
		}
	}
}

// Whatever is found has one of the needles in it, however the JSON is written.
func TestNeedlesAreInWhatIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringOfN(rapid.RuneFrom([]rune("ab1-_/\"\\é\u2028<🙂 ")), 1, 8, -1).Draw(t, "id")
		p := store.Person{Participant: id, Recipient: rapid.StringMatching(`\+?[0-9 ]{0,4}`).Draw(t, "number")}
		var quoted string
		for _, r := range id {
			one, err := json.Marshal(string(r))
			if err != nil {
				t.Fatal(err)
			}
			plain := strings.Trim(string(one), `"`)
			if r == '"' {
				plain = `\"`
			}
			if r == '/' && rapid.Bool().Draw(t, "slash") {
				plain = `\/`
			}
			quoted += plain
		}
		text := []byte(rapid.SampledFrom([]string{`{"x":"` + quoted + `"}`, "a " + id + " b", "+1234", "12 34"}).Draw(t, "text"))
		s := p.Seeker()
		if !s.In(text) {
			if bytes.HasPrefix(text, []byte("{")) {
				t.Fatalf("%q is not found in %s", id, text)
			}
			return
		}
		requireNeedle(t, s, text)
	})
}

func FuzzSeeker(f *testing.F) {
	f.Add("p/1", "+4915112345678", []byte(`{"data":{"participants":[{"id":"p\/1"}]}}`))
	f.Add("x", "", []byte(`[[{"a":"x"`))
	f.Fuzz(func(t *testing.T, id, number string, text []byte) {
		p := store.Person{Participant: id, Recipient: number}
		s := p.Seeker()
		l := store.DeadLetter{Kind: store.KindThread, Raw: text, Reason: string(text)}
		if named := s.EraseLetter(&l); named != s.In(text) {
			t.Errorf("erased: %v", named)
		}
		store.EraseMessage(text)
		store.EraseParticipant(text, "x")
	})
}

func TestErasedContents(t *testing.T) {
	m := thread.Message{ID: "m", Text: "hello", Timestamp: "2026-03-01T10:00:00Z", AuthorID: "a", Direction: "INBOUND"}
	if got, want := string(store.EraseMessage(m.Content())), `{"id":"m","timestamp":"2026-03-01T10:00:00Z","direction":"INBOUND"}`; got != want {
		t.Errorf("message %s, want %s", got, want)
	}
	p := thread.Participant{ID: "p", Role: "CUSTOMER", Name: "Ann", PlatformID: "fb"}
	if got, want := string(store.EraseParticipant(p.Content(), "q")), `{"id":"q","role":"CUSTOMER"}`; got != want {
		t.Errorf("participant %s, want %s", got, want)
	}
	if store.EraseMessage(nil) != nil || store.EraseParticipant(nil, "q") != nil {
		t.Error("what no event has listed gets a content")
	}
	twice := store.EraseMessage(store.EraseMessage(m.Content()))
	if string(twice) != string(store.EraseMessage(m.Content())) {
		t.Errorf("erased twice: %s", twice)
	}
}

func TestStepPhases(t *testing.T) {
	var done []string
	phase := func(name string, steps ...string) store.Phase {
		next := make(map[string]string)
		at := ""
		for _, s := range steps {
			next[at], at = s, s
		}
		return store.Phase{Name: name, Step: func(position string) (string, error) {
			done = append(done, name+":"+position)
			return next[position], nil
		}}
	}
	phases := []store.Phase{phase("a", "1", `["x y"]`), phase("b"), phase("c", "2")}
	cursor := ""
	for {
		next, err := store.StepPhases(phases, cursor)
		if err != nil {
			t.Fatal(err)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if got, want := strings.Join(done, " "), `a: a:1 a:["x y"] b: c: c:2`; got != want {
		t.Errorf("did %s, want %s", got, want)
	}
	if _, err := store.StepPhases(phases, "d 1"); err == nil {
		t.Error("a cursor of another work is taken")
	}
}
