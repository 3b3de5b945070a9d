package console

import (
	"errors"
	"net/http"
	"os"
	"time"
)

const (
	maxForm  = 64 << 10        // bytes of the body of a form
	formTime = 5 * time.Second // for it to arrive
)

// readForm reads the posted form, within limits of size and time, and reports whether it could. If not, it
// has answered.
func (c *Console) readForm(w http.ResponseWriter, r *http.Request) bool {
	// The writers of net/http's server support deadlines. Those of tests need not.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(formTime))
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if err == nil {
		// A deadline left in place would cancel the request while it is worked on.
		_ = control.SetReadDeadline(time.Time{})
		return true
	}
	problem := &visitorError{http.StatusBadRequest, "The form cannot be read, so nothing was done."}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		problem = &visitorError{http.StatusRequestEntityTooLarge, "The form is too large, so nothing was done."}
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		problem = &visitorError{http.StatusRequestTimeout, "The form did not arrive in time, so nothing was done."}
	}
	c.fail(w, r, problem)
	return false
}
