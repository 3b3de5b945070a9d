package store

import (
	"fmt"
	"slices"
	"strings"
)

// Phase is a part of a job that is done in steps.
type Phase struct {
	Name string

	// Step does the step at a position and returns the next one: "" is the first, and the end.
	Step func(position string) (next string, err error)
}

// StepPhases does the step of a job that a cursor points to, and returns the next cursor: "" is the
// start, and the end. The phases follow each other. The error wraps ErrRefused when no phase has the
// cursor.
func StepPhases(phases []Phase, cursor string) (next string, err error) {
	name, position, _ := strings.Cut(cursor, " ")
	if cursor == "" {
		name = phases[0].Name
	}
	i := slices.IndexFunc(phases, func(p Phase) bool { return p.Name == name })
	if i < 0 {
		return "", fmt.Errorf("%w: the cursor is of another job", ErrRefused)
	}
	if position, err = phases[i].Step(position); err != nil {
		return "", err
	}
	switch {
	case position != "":
		return name + " " + position, nil
	case i+1 < len(phases):
		return phases[i+1].Name + " ", nil
	}
	return "", nil
}
