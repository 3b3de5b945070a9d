package main

import (
	"fmt"
	"net/url"
	"time"
)

// question is something that is asked again and again.
type question struct {
	name string

	// path is where it is asked, for the how manieth time. No two are answered from the same work, so
	// what is measured is the work.
	path func(n int) string

	isAnswer bool // it may be answered by what was found out for the same question within the second
}

// askedWindows are those of the console, and the shortest there is, with the step of a series.
var askedWindows = []struct {
	name         string
	length, step time.Duration
}{
	{"1m", time.Minute, time.Second},
	{"15m", 15 * time.Minute, 15 * time.Second},
	{"1h", time.Hour, time.Minute},
	{"24h", 24 * time.Hour, 30 * time.Minute},
	{"7d", 7 * 24 * time.Hour, 3 * time.Hour},
	{"30d", 30 * 24 * time.Hour, 12 * time.Hour},
	{"90d", 90 * 24 * time.Hour, 24 * time.Hour},
}

// lengthFor returns a length that nobody has asked for within the second, and that takes the same work.
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
	answer := func(name, path string, length time.Duration, query string) {
		all = append(all, question{name, func(n int) string {
			return path + "?window=" + lengthFor(length, n) + query
		}, true})
	}
	page := func(name string, path func(n int) string) { all = append(all, question{name, path, false}) }
	for _, w := range askedWindows {
		answer("/analytics/delivery?window="+w.name, "/analytics/delivery", w.length, "")
		answer("the same, with step="+w.step.String(), "/analytics/delivery", w.length, "&step="+w.step.String())
		answer("the same, of a carrier and region", "/analytics/delivery", w.length, "&carrier=VODAFONE&region=GB&step="+w.step.String())
	}
	for _, w := range askedWindows[1:] {
		answer("/?window="+w.name, "/", w.length, "")
		answer("/carriers?window="+w.name, "/carriers", w.length, "")
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
