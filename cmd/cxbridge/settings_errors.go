package main

import (
	"fmt"
	"strings"
)

// SettingsError lists everything that is wrong with the settings. It shows no secret.
type SettingsError struct {
	Problems []Problem // at least one
}

// Problem is one thing that is wrong with a setting.
type Problem struct {
	Setting string // name of the setting, as an environment variable
	Source  string // where it was found; "" when it was not
	Wrong   string // what is wrong with it
	Right   string // what would be right
}

func (p Problem) String() string {
	subject := p.Setting
	if p.Source != "" {
		subject += " (" + p.Source + ")"
	}
	return subject + " " + p.Wrong + ": " + p.Right
}

func (e *SettingsError) Error() string {
	var b strings.Builder
	if len(e.Problems) == 1 {
		b.WriteString("1 error in the settings:")
	} else {
		fmt.Fprintf(&b, "%d errors in the settings:", len(e.Problems))
	}
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// problems gathers what is wrong, so that all of it is reported at once.
type problems struct {
	list []Problem
}

// wrong notes a problem with a value. The text of a secret must not be in it.
func (p *problems) wrong(v Value, what, right string) {
	p.list = append(p.list, Problem{Setting: v.name, Source: v.source, Wrong: what, Right: right})
}

// reject notes that the text of a value is not what it should be.
func (p *problems) reject(v Value, kind, right string) {
	if v.secret {
		p.wrong(v, "is not "+kind, right)
		return
	}
	p.wrong(v, fmt.Sprintf("is %q, which is not %s", v.text, kind), right)
}

// err returns a *SettingsError, or nil when nothing is wrong.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &SettingsError{Problems: p.list}
}

// oneLine returns the text of an error that lists several things, without the line breaks.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
