package rest

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// copyJSON is the CRM's copy of a thread as it answers a GET.
type copyJSON struct {
	ThreadID     *string           `json:"threadId"`
	Version      *int64            `json:"version"`
	UpdatedAt    optional          `json:"updatedAt"`
	Parent       optional          `json:"parentThreadId"`
	Messages     []messageJSON     `json:"messages"`
	Participants []participantJSON `json:"participants"`
}

type messageJSON struct {
	ID        string   `json:"id"`
	Text      optional `json:"text"`
	Timestamp optional `json:"timestamp"`
	AuthorID  optional `json:"authorId"`
	Direction optional `json:"direction"`
}

type participantJSON struct {
	ID         string   `json:"id"`
	Role       optional `json:"role"`
	Name       optional `json:"name"`
	PlatformID optional `json:"platformId"`
}

// optional is a field that may be missing.
type optional struct {
	kind jsontext.Kind // 0: missing
	text string        // "" for null
}

func (f *optional) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*f = optional{kind: dec.PeekKind()} // of a name that is written twice, the last one counts
	if f.kind != '"' {
		return dec.SkipValue()
	}
	return json.UnmarshalDecode(dec, &f.text)
}

// isText reports whether the field is a text or null.
func (f *optional) isText() bool { return f.kind == '"' || f.kind == 'n' }

// lenient is for reading what others write.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// badAnswerError says why an answer is not a thread. It repeats nothing of it.
type badAnswerError struct{ reason string }

func (e *badAnswerError) Error() string { return e.reason }

// decodeRemote reads the CRM's copy of a thread, without its ETag. Errors other than badAnswerError
// are those of the reader.
func decodeRemote(r io.Reader, threadID string) (*thread.Remote, error) {
	var c copyJSON
	if err := json.UnmarshalRead(r, &c, lenient); err != nil {
		return nil, badAnswer(err)
	}
	switch {
	case c.Version == nil:
		return nil, &badAnswerError{"it has no version"}
	case c.ThreadID != nil && *c.ThreadID != threadID:
		return nil, &badAnswerError{"it is of another thread"}
	case c.Parent.kind != 0 && !c.Parent.isText():
		return nil, &badAnswerError{"/parentThreadId is neither a text nor null"}
	}
	remote := &thread.Remote{Version: *c.Version, Parent: c.Parent.text, NamesParent: c.Parent.kind != 0}
	// One that cannot be read counts as missing.
	remote.UpdatedAt, _ = thread.ParseTime(c.UpdatedAt.text)
	if c.Messages != nil {
		remote.Messages = make(map[string]thread.Fields, len(c.Messages))
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		if m.ID == "" {
			return nil, &badAnswerError{fmt.Sprintf("/messages/%d has no id", i)}
		}
		remote.Messages[m.ID] = m.fields()
	}
	if c.Participants != nil {
		remote.Participants = make(map[string]thread.Fields, len(c.Participants))
	}
	for i := range c.Participants {
		p := &c.Participants[i]
		if p.ID == "" {
			return nil, &badAnswerError{fmt.Sprintf("/participants/%d has no id", i)}
		}
		remote.Participants[p.ID] = p.fields()
	}
	return remote, nil
}

func (m *messageJSON) fields() thread.Fields {
	f := make(thread.Fields)
	m.Text.into(f, "text")
	m.Timestamp.into(f, "timestamp")
	m.AuthorID.into(f, "authorId")
	m.Direction.into(f, "direction")
	return f
}

func (p *participantJSON) fields() thread.Fields {
	f := make(thread.Fields)
	p.Role.into(f, "role")
	p.Name.into(f, "name")
	p.PlatformID.into(f, "platformId")
	return f
}

// into notes the field where it is a text or null.
func (f *optional) into(fields thread.Fields, name string) {
	if f.isText() {
		fields[name] = f.text
	}
}

// badAnswer sorts an error of reading JSON: one of the reader is returned as it is.
func badAnswer(err error) error {
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntax):
		return &badAnswerError{fmt.Sprintf("it is no JSON at byte %d", syntax.ByteOffset)}
	case errors.As(err, &semantic):
		return &badAnswerError{fmt.Sprintf("it has a value of the wrong kind at byte %d", semantic.ByteOffset)}
	}
	return err
}

// versionIn returns the version that an answer names, if it does.
func versionIn(body []byte) (version int64, ok bool) {
	var answer struct {
		Version *int64 `json:"version"`
	}
	if err := json.Unmarshal(body, &answer, lenient); err != nil || answer.Version == nil {
		return 0, false
	}
	return *answer.Version, *answer.Version >= 0
}
