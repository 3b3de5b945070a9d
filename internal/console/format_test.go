package console

import (
	"strings"
	"testing"
	"time"
)

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 12 * time.Millisecond: "12 ms", 2500 * time.Millisecond: "2.5 s", 42 * time.Second: "42 s",
		5 * time.Minute: "5 min", 200 * time.Second: "3 min 20 s", time.Hour: "1 h", 90 * time.Minute: "1 h 30 min",
		47 * time.Hour: "47 h", 48 * time.Hour: "2 d", 75 * time.Hour: "3 d 3 h",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
}

func TestAmount(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.0079: "0.0079", 0.062687: "0.0627", 0.00001: "0", 0.1: "0.10", 1.005: "1.00", 12.3: "12.30", -3.456: "-3.46", 1234567.891: "1,234,567.89", 99.999: "100.00",
	} {
		if got := amount(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	if got := money(nil, "EUR"); got != unknown {
		t.Errorf("no amount is %q", got)
	}
}

func TestFigures(t *testing.T) {
	for got, want := range map[string]string{
		number(1234567): "1,234,567", atMost(999): "999", atMost(maxCount): "1,000+", plural(1, "thing is", "things are"): "1 thing is",
		plural(1000, "thing is", "things are"): "1,000+ things are", percent(of(12.3)): "12.30 %", percent(nil): unknown,
		millis(0): unknown, millis(3.25): "3.2 ms", millis(250): "250 ms", millis(12_000): "12.0 s",
		trimmed(1.2345): "1.23", trimmed(1234.6): "1,235", sentence("the end"): "The end.", sentence(""): ".",
		age(time.Unix(100, 0), time.Unix(40, 0)): "1 min", age(time.Unix(0, 0), time.Unix(40, 0)): "0 ms", age(time.Now(), time.Time{}): unknown,
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestBadge(t *testing.T) {
	for state, want := range map[string]string{
		"DELIVERED": `<span class="badge ok">DELIVERED</span>`, "REROUTE": `<span class="badge bad">Reroute</span>`,
		"<b>": `<span class="badge neutral">&lt;b&gt;</span>`,
	} {
		if got := string(badge(state)); got != want {
			t.Errorf("%s is %s", state, got)
		}
	}
	if got := string(badgeAs(`"x`, "text")); strings.Contains(got, `""x`) {
		t.Errorf("a level breaks out: %s", got)
	}
}

func TestTime(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 5000, time.FixedZone("", 3600))
	if got := string(timeElement(at)); got != `<time datetime="2026-11-22T08:00:00.000005Z">2026-11-22 08:00:00 UTC</time>` {
		t.Errorf("%s", got)
	}
}
