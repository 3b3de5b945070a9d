// Package fault describes a panic without its value: that may quote what the program was working on, and
// texts of messages belong neither in a log nor in an answer.
package fault

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Text says what kind of panic a recovered value is: what the runtime wrote, if it was the runtime that
// panicked, and otherwise only the type of the value.
func Text(recovered any) string {
	if err, ok := recovered.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", recovered)
}

// Error returns a panic as an error for the log, with the stack. It is to be called by the deferred function
// that recovered the value.
func Error(recovered any) error {
	return fmt.Errorf("a fault of the program: %s\n%s", Text(recovered), debug.Stack())
}
