package console

import (
	"fmt"
	"html/template"
	"time"

	"github.com/dustin/go-humanize"
)

// formats are the functions of the templates that write values for people.
var formats = template.FuncMap{
	"number":   number,
	"percent":  percent,
	"money":    money,
	"millis":   millis,
	"seconds":  seconds,
	"bytes":    func(n int64) string { return humanize.IBytes(uint64(max(n, 0))) },
	"time":     timeElement,
	"age":      age,
	"duration": formatDuration,
}

// unknown stands for what is not known.
const unknown = "–"

// number writes a whole number with separators, as 1,234,567.
func number(n any) string {
	switch n := n.(type) {
	case int:
		return humanize.Comma(int64(n))
	case int64:
		return humanize.Comma(n)
	}
	return fmt.Sprint(n)
}

// percent writes a rate that is in per cent already.
func percent(p *float64) string {
	if p == nil {
		return unknown
	}
	return fmt.Sprintf("%.2f %%", *p)
}

// money writes an amount of a currency.
func money(amount *float64, currency string) string {
	if amount == nil {
		return unknown
	}
	return humanize.CommafWithDigits(*amount, 4) + " " + currency
}

// millis writes a number of milliseconds.
func millis(ms float64) string {
	switch {
	case ms == 0:
		return unknown
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// seconds writes a number of seconds.
func seconds(s float64) string {
	if s == 0 {
		return unknown
	}
	return formatDuration(time.Duration(s * float64(time.Second)))
}

// formatDuration writes a duration with two units at most, as 3 min 20 s.
func formatDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// age writes how long ago a time was.
func age(now, then time.Time) string {
	if then.IsZero() {
		return unknown
	}
	return formatDuration(max(0, now.Sub(then)))
}

// timeElement writes a time in UTC. The script of the page shows it in the reader's zone.
func timeElement(t time.Time) template.HTML {
	if t.IsZero() {
		return unknown
	}
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format(time.RFC3339Nano), t.Format("2006-01-02 15:04:05 UTC")))
}
