// Package filecheck reports everything that is wrong with a file that a person has written, all at once,
// each problem with its line.
//
//	filecheck.go  problems
//	yaml.go       reading YAML, and the problems with it
package filecheck

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error says what is wrong with a file: all of it, in the order of the file.
type Error struct {
	Problems []Problem // at least one
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line   int    // from 1; 0 for the file as a whole
	Field  string // such as regions.GB.alphanumeric.use; "" for the line, or the file, as a whole
	Reason string
}

func (p Problem) String() string {
	text := p.Reason
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	if p.Line > 0 {
		text = "line " + strconv.Itoa(p.Line) + ": " + text
	}
	return text
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Problems collects what is wrong with a file, for a reader that continues after a problem. The zero
// value holds none.
type Problems struct {
	list []Problem
}

// Add adds a problem at a line.
func (p *Problems) Add(line int, field, format string, args ...any) {
	p.list = append(p.list, Problem{line, field, fmt.Sprintf(format, args...)})
}

// Len returns the number of problems so far.
func (p *Problems) Len() int { return len(p.list) }

// Err returns the problems as an *Error; nil when there are none.
func (p *Problems) Err() error {
	if len(p.list) == 0 {
		return nil
	}
	sorted := slices.Clone(p.list)
	slices.SortStableFunc(sorted, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &Error{sorted}
}
