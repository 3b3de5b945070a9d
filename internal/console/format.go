package console

import (
	"fmt"
	"html/template"
	"math"
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
	"raw":      raw,
	"atMost":   atMost,
	"amount":   amount,
	"plain":    plain,
	"badge":    badge,
	"badgeAs":  badgeAs,
}

// unknown stands for what is not known.
const unknown = "–"

// number writes an int or int64 with separators, as in 1,234,567.
func number(n any) string {
	switch n := n.(type) {
	case int:
		return humanize.Comma(int64(n))
	case int64:
		return humanize.Comma(n)
	}
	return fmt.Sprint(n)
}

// atMost writes a count that goes no further than maxCount.
func atMost(n int) string {
	if n >= maxCount {
		return number(maxCount) + "+"
	}
	return number(n)
}

// amount writes an amount of money without its currency: rounded to cents, and to four decimals below 0.1.
func amount(v float64) string {
	if v != 0 && math.Abs(v) < 0.1 {
		return humanize.FtoaWithDigits(math.Round(v*10_000)/10_000, 4) // which itself cuts digits off
	}
	whole, cents := math.Modf(math.Round(v*100) / 100)
	return fmt.Sprintf("%s.%02d", humanize.Comma(int64(whole)), int(math.Round(math.Abs(cents)*100)))
}

// percent writes a rate that is in per cent already.
func percent(p *float64) string {
	if p == nil {
		return unknown
	}
	return fmt.Sprintf("%.2f %%", *p)
}

// money writes an amount of a currency.
func money(v *float64, currency string) string {
	if v == nil {
		return unknown
	}
	return amount(*v) + " " + currency
}

// millis writes a number of milliseconds. 0 stands for a mean or quantile of nothing.
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

// seconds writes a number of seconds. 0 is a time like any other: the times in many receipts are whole minutes.
func seconds(s float64) string {
	if s == 0 {
		return "0 s"
	}
	return formatDuration(time.Duration(s * float64(time.Second)))
}

// formatDuration writes a duration with at most two units, as in 3 min 20 s.
func formatDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return twoUnits(int(d/time.Second), 60, "min", "s")
	case d < 48*time.Hour:
		return twoUnits(int(d/time.Minute), 60, "h", "min")
	}
	return twoUnits(int(d/time.Hour), 24, "d", "h")
}

// twoUnits writes a number of small units, of which a large one has perLarge. It leaves out a zero of the
// small unit.
func twoUnits(n, perLarge int, large, small string) string {
	if n%perLarge == 0 {
		return fmt.Sprintf("%d %s", n/perLarge, large)
	}
	return fmt.Sprintf("%d %s %d %s", n/perLarge, large, n%perLarge, small)
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
