package filecheck_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/filecheck"
)

func TestProblemsAreInTheOrderOfTheFile(t *testing.T) {
	var p filecheck.Problems
	if err := p.Err(); err != nil || p.Len() != 0 {
		t.Fatalf("%d problems of nothing: %v", p.Len(), err)
	}
	p.Add(3, "b", "must be %d", 7)
	p.Add(2, "", "is odd")
	p.Add(3, "a", "100%% is too much")
	p.Add(0, "", "there is more")
	err := p.Err()
	if want := "there is more\nline 2: is odd\nline 3: b: must be 7\nline 3: a: 100% is too much"; err.Error() != want || p.Len() != 4 {
		t.Errorf("%d problems:\n%v\nwant\n%s", p.Len(), err, want)
	}
	var all *filecheck.Error
	if !errors.As(err, &all) || all.Problems[1] != (filecheck.Problem{Line: 2, Reason: "is odd"}) {
		t.Errorf("%+v", err)
	}
}

func TestDocument(t *testing.T) {
	for text, want := range map[string]string{
		"":              "the file must hold one YAML document",
		"a: 1\n---\nb:": "the file must hold one YAML document",
		"a: 1\nb: [":    "line 2: sequence end token ']' not found",
		"a: 1\na: 2":    `line 2: mapping key "a" already defined at [1:1]`,
		"a: 100%":       "",
		"b: '100%":      "line 1: could not find end character of single-quoted text",
	} {
		var p filecheck.Problems
		root, got := p.Document([]byte(text)), ""
		if err := p.Err(); err != nil {
			got = err.Error()
		}
		if got != want || (root == nil) != (want != "") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMapping(t *testing.T) {
	var p filecheck.Problems
	root := p.Document([]byte("text: x\nnumber: 0.10\nyes: true\nnothing:\nlong: >-\n  two\n  lines\nlist: [1]\n"))
	keys := p.Mapping(root, "", "text", "number", "nothing", "long", "list")
	texts := make(map[string]string)
	for _, e := range keys {
		if text, ok := filecheck.Scalar(e.Value); ok {
			texts[e.Name] = text
		}
	}
	want := map[string]string{"text": "x", "number": "0.10", "yes": "true", "nothing": "", "long": "two lines"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if text, ok := filecheck.Scalar(keys.At("other")); text != "" || !ok {
		t.Errorf("what is not there is %q", text)
	}
	if e, found := keys.Find("list"); !found || filecheck.LineOf(e.Key) != 8 {
		t.Errorf("found %+v", e)
	}
	if p.Mapping(keys.At("list"), filecheck.Join("a", "list")) != nil {
		t.Error("a list is a mapping")
	}
	if empty := p.Mapping(p.Document([]byte("{}")), "", "a"); empty == nil || len(empty) != 0 {
		t.Errorf("an empty mapping is %v", empty)
	}
	wantErr := "line 3: yes: unknown key; known are text, number, nothing, long, list\nline 8: a.list: must be a mapping"
	if err := p.Err(); err == nil || err.Error() != wantErr {
		t.Errorf("got\n%v\nwant\n%s", err, wantErr)
	}
}

// Whatever a file holds, it can be walked through.
func FuzzDocument(f *testing.F) {
	f.Add([]byte("a: &a\n  b: *a\n<<: *a\n"))
	f.Add([]byte("? [x]\n: {y: |\n z}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p filecheck.Problems
		root := p.Document(text)
		if (root == nil) != (p.Len() > 0) {
			t.Fatalf("a document of %d problems", p.Len())
		}
		walk(&p, root, 0)
		if err := p.Err(); err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("an error that says nothing")
		}
	})
}

func walk(p *filecheck.Problems, node ast.Node, depth int) {
	if depth > 20 {
		return
	}
	filecheck.Scalar(node)
	for _, e := range p.Mapping(node, "x") {
		filecheck.LineOf(e.Key)
		walk(p, e.Value, depth+1)
	}
}
