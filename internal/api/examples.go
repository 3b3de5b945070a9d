package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed examples.json
var examplesFile []byte

// example holds the examples of one operation. A test checks them against the schemas.
type example struct {
	Parameters map[string]json.RawMessage `json:"parameters"` // by name
	Request    json.RawMessage            `json:"request"`
	Answer     json.RawMessage            `json:"answer"`   // 200
	Answers    map[int]json.RawMessage    `json:"answers"`  // other answers of the same type, by status
	Problems   []int                      `json:"problems"` // besides those that follow from role, parameters and body
}

// readExamples returns the examples by the id of the operation.
func readExamples() (map[string]example, error) {
	var all map[string]example
	if err := json.Unmarshal(examplesFile, &all); err != nil {
		return nil, fmt.Errorf("api: examples: %w", err)
	}
	return all, nil
}

// meanings describes the answers of example.Answers.
var meanings = map[int]string{202: "The event waits in the spool, and the dead letter stays", 503: "Events cannot be accepted"}

func (e *example) addTo(op *huma.Operation) {
	for _, p := range op.Parameters {
		if value, ok := e.Parameters[p.Name]; ok {
			p.Example = value
		}
	}
	if e.Request != nil {
		op.RequestBody.Content[jsonType].Example = e.Request
	}
	ok := op.Responses["200"]
	if ok == nil {
		return
	}
	// The content already says the type of an answer, and a 200 has no Retry-After.
	for _, name := range []string{"Content-Type", retryAfterHeader.name} {
		delete(ok.Headers, name)
	}
	if e.Answer != nil {
		ok.Content[jsonType].Example = e.Answer
	}
	for status, answer := range e.Answers {
		r := &huma.Response{
			Description: meanings[status],
			Content:     map[string]*huma.MediaType{jsonType: {Schema: ok.Content[jsonType].Schema, Example: answer}},
		}
		if status == http.StatusServiceUnavailable {
			retryAfterHeader.addTo(r)
		}
		op.Responses[strconv.Itoa(status)] = r
	}
}
