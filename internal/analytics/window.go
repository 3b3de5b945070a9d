package analytics

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The limits of a question.
const (
	minWindow = time.Minute
	maxWindow = 90 * day
	maxPoints = 1500 // of a series; a day by the minute has up to 1441
)

// Window is the time that a question is about: from a moment until now. A message belongs to the
// window of its first_seen_at.
//
// A window begins at a whole second where it is at most two hours long, at a whole minute up to seven
// days, else at a whole hour: at the last one that is not later than its length before now.
type Window struct {
	From   time.Time
	Now    time.Time
	Length time.Duration
	Step   time.Duration // between the points of the series; 0 for no series
}

// ParseLength reads the length of a window or a step: a Go duration, which may begin with days, as
// in 7d or 1d12h. The error is fit to be shown to a user.
func ParseLength(text string) (time.Duration, error) {
	rest, length := text, time.Duration(0)
	if days, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > uint64(maxWindow/day) {
			return 0, lengthError(text)
		}
		rest, length = after, time.Duration(n)*day
		if rest == "" {
			return length, nil
		}
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || strings.ContainsAny(rest[:1], "+-") {
		return 0, lengthError(text)
	}
	return length + more, nil
}

// formatLength writes a length that ParseLength reads, without the zeros at its end.
func formatLength(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

func lengthError(text string) error {
	return fmt.Errorf("%.40q is no length of time between 1m and 90d, as 15m, 24h or 7d", text)
}

// NewWindow returns the window of a length that ends now, with a series of a step; 0 is none. A step
// is in whole seconds, from a minute on in whole minutes, from an hour on in whole hours, from a day
// on in whole days, and not finer than the start of the window. The error is fit to be shown to a
// user.
func NewWindow(now time.Time, length, step time.Duration) (Window, error) {
	if length < minWindow || length > maxWindow {
		return Window{}, errors.New("the window must be from 1m to 90d long")
	}
	start := Second
	for length > levels[start].window {
		start++
	}
	w := Window{Now: now, Length: length, Step: step}
	w.From = time.Unix(start.bucket(now.Add(-length).Unix()), 0).UTC()
	if step == 0 {
		return w, nil
	}
	whole := start
	for level := start; level <= Day; level++ {
		if level.isUnit() && step >= width(level) {
			whole = level
		}
	}
	switch {
	case step < 0 || step%width(whole) != 0:
		return Window{}, fmt.Errorf("the step must be a whole number of %ss", whole)
	case mostPoints(length, step) > maxPoints:
		return Window{}, fmt.Errorf("the step is too short: a series has at most %d points", maxPoints)
	}
	return w, nil
}

// mostPoints returns how many points a series has at most: the first, and one at each multiple of the step
// that follows in the window. The window has one of these more or less depending on when it ends, and
// whether a question is refused must not.
func mostPoints(length, step time.Duration) int64 { return 1 + int64((length+step-1)/step) }

func width(l Level) time.Duration { return time.Duration(l.Width()) * time.Second }

// points returns where the points of the series begin: at whole multiples of the step since 1970,
// UTC, but the first with the window.
func (w *Window) points() []int64 {
	if w.Step == 0 {
		return nil
	}
	from, step := w.From.Unix(), int64(w.Step/time.Second)
	points := []int64{from}
	for at := floor(from, step) + step; at <= w.Now.Unix(); at += step {
		points = append(points, at)
	}
	return points
}
