package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/dustin/go-humanize"
)

// answerAim is what every p95 is to stay below.
const answerAim = 50 * time.Millisecond

func (c *answerCourse) printAnswers(w io.Writer) {
	if len(c.sizes) == 0 {
		return
	}
	s := c.settings
	fmt.Fprintf(w, "- %.0f receipts per second come in, %.0f questions per second are asked, for %s\n", s.Rate, s.Asks, s.Duration)
	c.printQuestions(w)
	c.printMeanwhile(w)
}

// heads are the names of the columns of each size.
func (c *answerCourse) heads(first string) []string {
	row := []string{first}
	for _, one := range c.sizes {
		row = append(row, humanize.Comma(int64(one.messages))+" messages")
	}
	return row
}

func (c *answerCourse) printQuestions(w io.Writer) {
	fmt.Fprint(w, "\n#### Answers: CPU time of server and database, and p50 / p95 / p99 meanwhile, in milliseconds\n\n")
	t := table{c.heads("question")}
	for i, q := range c.sizes[0].asker.questions {
		row := []string{q.name}
		for _, one := range c.sizes {
			row = append(row, fmt.Sprintf("CPU %.1f; %s", one.costs[i].Seconds()*1000, quantiles(one.asker.fresh[i])))
		}
		t = append(t, row)
	}
	row := []string{"any of those with a window, again within the second"}
	for _, one := range c.sizes {
		row = append(row, quantiles(one.asker.again))
	}
	append(t, row).print(w)
	fmt.Fprintln(w)
	for _, one := range c.sizes {
		fmt.Fprintf(w, "- %s messages: %s.\n", humanize.Comma(int64(one.messages)), one.verdict())
	}
}

func quantiles(h *hdrhistogram.Histogram) string {
	at := func(q float64) string { return fmt.Sprintf("%.1f", float64(h.ValueAtPercentile(q))/1000) }
	return at(50) + " / " + at(95) + " / " + at(99)
}

// verdict tells which answers were slower than they are to be.
func (one *sized) verdict() string {
	all, slow := newMicros(), 0
	for _, h := range one.asker.fresh {
		all.Merge(h)
		if time.Duration(h.ValueAtPercentile(95))*time.Microsecond >= answerAim {
			slow++
		}
	}
	text := fmt.Sprintf("each question %d times, all of them %s ms; ", all.TotalCount()/int64(len(one.asker.fresh)), quantiles(all))
	if slow == 0 {
		text += fmt.Sprintf("p95 is below %s for every question", answerAim)
	} else {
		text += fmt.Sprintf("p95 is %s or more for %d of %d questions", answerAim, slow, len(one.asker.fresh))
	}
	for _, what := range slices.Sorted(maps.Keys(one.asker.wrong)) {
		text += fmt.Sprintf("; NOT ANSWERED %s, %d times", what, one.asker.wrong[what])
	}
	return text
}

// printMeanwhile tells how the intake was while questions were asked.
func (c *answerCourse) printMeanwhile(w io.Writer) {
	fmt.Fprint(w, "\n#### Meanwhile\n\n")
	t := table{c.heads("figure")}
	add := func(name string, figure func(*sized) string) {
		row := []string{name}
		for _, one := range c.sizes {
			row = append(row, figure(one))
		}
		t = append(t, row)
	}
	millis := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
	add("receipts per second that came in", func(one *sized) string { return humanize.Comma(int64(one.intake.PerSecond)) })
	add("answer to a receipt, p50", func(one *sized) string { return millis(one.intake.Latency.P50) })
	add("the same, p99", func(one *sized) string { return millis(one.intake.Latency.P99) })
	add("receipts not acknowledged", func(one *sized) string {
		return failures([]run{{Result: one.intake}})
	})
	add("CPU of the server", func(one *sized) string { return one.share(one.server) })
	add("CPU of the database", func(one *sized) string { return one.share(one.database) })
	add("resident memory of the server", func(one *sized) string { return fmt.Sprintf("%d MB", one.memory.Resident>>20) })
	add("size of the database before", func(one *sized) string { return humanize.Bytes(uint64(one.bytes)) })
	add("to fill it took", func(one *sized) string { return one.filled.Round(time.Second).String() })
	t.print(w)
}

// share tells how many cores were busy with it.
func (one *sized) share(cpu time.Duration) string {
	return fmt.Sprintf("%.2f cores", cpu.Seconds()/one.intake.Elapsed.Seconds())
}
