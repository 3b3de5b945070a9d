package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cxbridge/cxbridge/internal/load"
)

// answerAim is what every p95 is to stay below.
const answerAim = 50 * time.Millisecond

// answerReport holds all results about answers.
type answerReport struct {
	Machine   machine         `json:"machine"`
	Databases []string        `json:"databases"`
	Settings  *answerSettings `json:"settings"`
	Sizes     []*sized        `json:"sizes"`
	Intake    []run           `json:"intake"` // of the servers that are compared, under a load that saturates them
}

// sized is what was measured on a database of a size.
type sized struct {
	Messages int            `json:"messages"`
	Filled   time.Duration  `json:"filled_ns"`
	Bytes    int64          `json:"bytes"` // of the database
	Answers  []answerTimes  `json:"answers"`
	All      quantiles      `json:"all"`   // of all questions
	Again    quantiles      `json:"again"` // of those that had just been answered
	Wrong    map[string]int `json:"wrong,omitempty"`
	Intake   load.Result    `json:"intake"`
	Server   time.Duration  `json:"server_cpu_ns"` // of asking and intake
	Database time.Duration  `json:"database_cpu_ns"`
	Memory   memory         `json:"memory"`
}

// answerTimes is how long the answers to a question took.
type answerTimes struct {
	Question string        `json:"question"`
	CPU      time.Duration `json:"cpu_ns"` // of server and database for one answer
	Times    quantiles     `json:"times"`
}

// sum records what was asked.
func (one *sized) sum(a *asker, costs []time.Duration) {
	all := newMicros()
	for i, q := range a.questions {
		all.Merge(a.fresh[i])
		one.Answers = append(one.Answers, answerTimes{Question: q.name, CPU: costs[i], Times: quantilesOf(a.fresh[i])})
	}
	one.All, one.Again, one.Wrong = quantilesOf(all), quantilesOf(a.again), a.wrong
}

// slowest returns the largest p95 of all questions.
func (one *sized) slowest() (p95 time.Duration) {
	for _, a := range one.Answers {
		p95 = max(p95, a.Times.P95)
	}
	return p95
}

func (r *answerReport) databases() []string { return r.Databases }

func (r *answerReport) verdict() error { return verify(r.Intake) }

func (r *answerReport) print(w io.Writer) {
	fmt.Fprintf(w, "- %s\n", r.Machine)
	for _, line := range r.Databases {
		fmt.Fprintf(w, "- %s\n", line)
	}
	if s := r.Settings; len(r.Sizes) > 0 {
		fmt.Fprintf(w, "- %.0f receipts per second come in, %.0f questions per second are asked, for %s\n", s.Rate, s.Asks, s.Duration)
		r.printQuestions(w)
		r.printMeanwhile(w)
	}
	if len(r.Intake) > 0 {
		r.printIntake(w)
	}
}

// heads returns the names of the columns: the first one, and one for each size.
func (r *answerReport) heads(first string) []string {
	row := []string{first}
	for _, one := range r.Sizes {
		row = append(row, humanize.Comma(int64(one.Messages))+" messages")
	}
	return row
}

func (r *answerReport) printQuestions(w io.Writer) {
	fmt.Fprint(w, "\n### Answers: CPU time of server and database, and p50 / p95 / p99 meanwhile, in milliseconds\n\n")
	t := table{r.heads("question")}
	for i, q := range r.Sizes[0].Answers {
		row := []string{q.Question}
		for _, one := range r.Sizes {
			row = append(row, fmt.Sprintf("CPU %.1f; %s", millis(one.Answers[i].CPU), one.Answers[i].Times))
		}
		t = append(t, row)
	}
	row := []string{"any of those with a window, again at once"}
	for _, one := range r.Sizes {
		row = append(row, one.Again.String())
	}
	append(t, row).print(w)
	fmt.Fprintln(w)
	for _, one := range r.Sizes {
		fmt.Fprintf(w, "- %s messages: %s.\n", humanize.Comma(int64(one.Messages)), one.verdict())
	}
}

// verdict says how many answers were slower than the aim.
func (one *sized) verdict() string {
	slow := 0
	for _, a := range one.Answers {
		if a.Times.P95 >= answerAim {
			slow++
		}
	}
	text := fmt.Sprintf("each question %d times, all of them %s ms; ", one.All.Count/int64(max(1, len(one.Answers))), one.All)
	if slow == 0 {
		text += fmt.Sprintf("p95 is below %s for every question", answerAim)
	} else {
		text += fmt.Sprintf("p95 is %s or more for %d of %d questions", answerAim, slow, len(one.Answers))
	}
	for _, what := range slices.Sorted(maps.Keys(one.Wrong)) {
		text += fmt.Sprintf("; NOT ANSWERED %s, %d times", what, one.Wrong[what])
	}
	return text
}

// printMeanwhile prints how the intake did while questions were asked.
func (r *answerReport) printMeanwhile(w io.Writer) {
	fmt.Fprint(w, "\n### Meanwhile\n\n")
	t := table{r.heads("figure")}
	add := func(name string, figure func(*sized) string) {
		row := []string{name}
		for _, one := range r.Sizes {
			row = append(row, figure(one))
		}
		t = append(t, row)
	}
	add("receipts per second that came in", func(one *sized) string { return humanize.Comma(int64(one.Intake.PerSecond)) })
	add("answer to a receipt, p50", func(one *sized) string { return inMillis(one.Intake.Latency.P50) })
	add("the same, p99", func(one *sized) string { return inMillis(one.Intake.Latency.P99) })
	add("receipts not acknowledged", func(one *sized) string { return failures([]run{{Result: one.Intake}}) })
	add("CPU of the server", func(one *sized) string { return one.share(one.Server) })
	add("CPU of the database", func(one *sized) string { return one.share(one.Database) })
	add("resident memory of the server", func(one *sized) string { return fmt.Sprintf("%d MB", one.Memory.Resident/1e6) })
	add("size of the database before", func(one *sized) string { return humanize.Bytes(uint64(one.Bytes)) })
	add("to fill it took", func(one *sized) string { return one.Filled.Round(time.Second).String() })
	t.print(w)
}

// share says how many cores a CPU time kept busy.
func (one *sized) share(cpu time.Duration) string {
	return fmt.Sprintf("%.2f cores", cpu.Seconds()/one.Intake.Elapsed.Seconds())
}

func (r *answerReport) printIntake(w io.Writer) {
	fmt.Fprintf(w, "\n### What it costs the intake to count: 64 connections, closed loop, median [least–most] of %d rounds\n\n", r.Settings.Rounds)
	t := table{{"server", "receipts/s", "to the one without counting", "CPU µs of server and database", "to the one without counting"}}
	for _, name := range compared {
		runs := runsOf(r.Intake, name, "intake")
		t = append(t, []string{
			name, spread(runs, perSecond, "count"), spread(runs, r.toUncounting(perSecond), "%.2f"),
			spread(runs, cpuPerReceipt, "%.1f"), spread(runs, r.toUncounting(cpuPerReceipt), "%.2f"),
		})
	}
	t.print(w)
}

// toUncounting returns the ratio of a figure to that of the server that does not count, in the same round, so
// that what slows the machine down for a while slows both sides of a ratio.
func (r *answerReport) toUncounting(figure func(run) float64) func(run) float64 {
	base := runsOf(r.Intake, uncounting, "intake")
	return func(one run) float64 { return figure(one) / figure(base[one.Round-1]) }
}

func perSecond(one run) float64 { return one.Result.PerSecond }

// cpuPerReceipt is in microseconds. It says more than receipts per second where others use the machine.
func cpuPerReceipt(one run) float64 {
	return micros(one.Cost.Server+one.Cost.Database.CPU) / float64(one.Result.Ledger.Receipts)
}

func (r *answerReport) figures() (all []figure) {
	store := "PostgreSQL"
	if r.Settings.Database == "sqlite" {
		store = "SQLite"
	}
	if len(r.Intake) > 0 {
		on := runsOf(r.Intake, counting, "intake")
		all = append(all, overRounds(inRatios, store+", receipts/s with analytics to without", "", on, r.toUncounting(perSecond)).atLeast(0.9),
			overRounds(inRatios, store+", CPU of a receipt with analytics to without", "", on, r.toUncounting(cpuPerReceipt)))
	}
	if n := len(r.Sizes); n > 1 {
		least, most := r.Sizes[0], r.Sizes[n-1]
		all = append(all, measuredOnce(inRatios, fmt.Sprintf("%s, median answer of %s messages to %s", store,
			humanize.Comma(int64(most.Messages)), humanize.Comma(int64(least.Messages))), "", float64(most.All.P50)/float64(least.All.P50)))
	}
	for _, one := range r.Sizes {
		add := func(name, unit string, value float64) figure {
			return measuredOnce(inAnswers, fmt.Sprintf("%s, %s messages, %s", store, humanize.Comma(int64(one.Messages)), name), unit, value)
		}
		all = append(all, add("all answers, p50", "ms", millis(one.All.P50)), add("all answers, p95", "ms", millis(one.All.P95)),
			add("p95 of the slowest question", "ms", millis(one.slowest())).below(millis(answerAim)),
			add(fmt.Sprintf("p99 of %.0f receipts/s meanwhile", r.Settings.Rate), "ms", millis(one.Intake.Latency.P99)),
			add("resident memory of cxbridge", "MB", float64(one.Memory.Resident)/1e6).below(150))
	}
	return all
}
