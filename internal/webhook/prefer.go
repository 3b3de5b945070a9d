package webhook

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// mostWait caps what a sender can ask for.
const mostWait = 30 * time.Second

// preferredWait returns how long a sender would wait for more than durability: the preference "wait"
// of RFC 7240, in whole seconds, capped. It is 0 when there is none. The first of several counts, and
// one that cannot be read counts as none.
func preferredWait(h http.Header) time.Duration {
	for _, line := range h["Prefer"] {
		for more := true; more; {
			var item string
			item, line, more = cutUnquoted(line, ',')
			item, _, _ = cutUnquoted(item, ';') // what follows are parameters
			name, value, _ := strings.Cut(item, "=")
			if strings.EqualFold(trimSpace(name), "wait") {
				return parseWait(trimSpace(value))
			}
		}
	}
	return 0
}

func parseWait(value string) time.Duration {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	seconds, err := strconv.ParseUint(value, 10, 32)
	if errors.Is(err, strconv.ErrRange) {
		return mostWait
	}
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, mostWait)
}

// trimSpace drops what HTTP treats as space.
func trimSpace(text string) string { return strings.Trim(text, " \t") }

// cutUnquoted is strings.Cut for a separator outside of quoted strings.
func cutUnquoted(text string, separator byte) (before, after string, found bool) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++ // the next character stands for itself
		case c == separator && !quoted:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}
