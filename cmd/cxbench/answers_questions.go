package main

import (
	"fmt"
	"net/url"
	"time"
)

// question is something that is asked again and again.
type question struct {
	name string

	// path returns the path and query of the n-th time that it is asked. No two of them share a cached
	// answer, so what is measured is the work.
	path func(n int) string

	isAnswer bool // it has a window; the console keeps the answer for a second
}

// askedWindows are those of the console, and the shortest there is, with the step of a series.
var askedWindows = []struct {
	name, step string
	length     time.Duration
}{
	{"1m", "1s", time.Minute},
	{"15m", "15s", 15 * time.Minute},
	{"1h", "1m", time.Hour},
	{"24h", "30m", 24 * time.Hour},
	{"7d", "3h", 7 * 24 * time.Hour},
	{"30d", "12h", 30 * 24 * time.Hour},
	{"90d", "1d", 90 * 24 * time.Hour},
}

// lengthFor returns a length of window that was not asked for within the last second and takes the same work.
func lengthFor(length time.Duration, n int) string {
	off := time.Duration(n%5000) * time.Millisecond
	if length == time.Minute { // there is no shorter window
		return (length + off).String()
	}
	return (length - off).String()
}

// questions are those about delivery, and every page of the console.
func questions(s *stock) []question {
	var all []question
	answer := func(path, window, query string, length time.Duration) {
		all = append(all, question{path + "?window=" + window + query, func(n int) string {
			return path + "?window=" + lengthFor(length, n) + query
		}, true})
	}
	page := func(name string, path func(n int) string) { all = append(all, question{name, path, false}) }
	for _, w := range askedWindows {
		answer("/analytics/delivery", w.name, "", w.length)
		answer("/analytics/delivery", w.name, "&step="+w.step, w.length)
		answer("/analytics/delivery", w.name, "&step="+w.step+"&carrier=VODAFONE&region=GB", w.length)
	}
	for _, w := range askedWindows[1:] {
		answer("/", w.name, "", w.length)
		answer("/carriers", w.name, "", w.length)
	}
	pick := func(from []string, n int) string { return url.QueryEscape(from[n*7919%len(from)]) }
	page("/messages", func(int) string { return "/messages" })
	page("/messages?q=ID", func(n int) string { return "/messages?q=" + pick(s.ids, n) })
	page("/messages?q=NUMBER", func(n int) string { return "/messages?q=" + pick(s.numbers, n) })
	page("/messages/ID", func(n int) string { return "/messages/" + pick(s.ids, n) })
	page("/threads", func(int) string { return "/threads" })
	page("/threads?text=ID", func(n int) string { return "/threads?text=" + pick(s.threads, n) })
	page("/threads/ID", func(n int) string { return "/threads/" + pick(s.threads, n) })
	page("/dead-letters", func(int) string { return "/dead-letters" })
	page("/dead-letters?text=NOTHING", func(n int) string { return fmt.Sprintf("/dead-letters?text=nothing-%d", n) })
	page("/dead-letters/ID", func(n int) string { return fmt.Sprintf("/dead-letters/%d", 1+n%s.others) })
	page("/system", func(int) string { return "/system" })
	return all
}
