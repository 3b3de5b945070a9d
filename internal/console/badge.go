package console

import (
	"html/template"
)

// levels says how good or bad each state in a badge is. A state that is missing is neutral.
var levels = map[string]string{
	// Statuses of messages.
	"DELIVERED": "ok", "FAILED": "bad", "REJECTED": "bad", "EXPIRED": "bad", "PENDING": "info", "UNKNOWN": "warn",
	// Sender IDs.
	"compliant": "ok", "violation": "bad", "unchecked": "neutral",
	// States of threads on their way to the CRM.
	"synced": "ok", "pending": "info", "retrying": "warn", "parked": "bad", "waiting": "neutral",
	// Breakers, and parts of the process.
	"closed": "ok", "open": "bad", "half-open": "warn", "paused": "warn", "failing": "bad",
	"up": "ok", "down": "bad", "ready": "ok", "unready": "bad", "empty": "ok", "off": "neutral",
	// What to do about a carrier.
	"KEEP": "ok", "REROUTE": "bad", "INSUFFICIENT_DATA": "neutral",
}

// words are the texts of states whose own names are not fit for people.
var words = map[string]string{
	"REROUTE": "Reroute", "KEEP": "Keep", "INSUFFICIENT_DATA": "Too little data",
}

// badge writes a state whose level is known.
func badge(state string) template.HTML {
	level, ok := levels[state]
	if !ok {
		level = "neutral"
	}
	text, ok := words[state]
	if !ok {
		text = state
	}
	return badgeAs(level, text)
}

// badgeAs writes a text with a level: ok, warn, bad, info or neutral.
func badgeAs(level, text string) template.HTML {
	return template.HTML(`<span class="badge ` + template.HTMLEscapeString(level) + `">` + template.HTMLEscapeString(text) + `</span>`)
}
