package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// rawShown is how much of a body is shown, in bytes.
	rawShown = 128 << 10

	// rawDepth is how deep JSON may be nested and still be indented. Each level makes all lines in it
	// longer.
	rawDepth = 32
)

// raw writes a body: JSON indented, and anything else as it is.
func raw(body []byte) string { return rawOf(body, int64(len(body)), rawShown) }

// rawOf is raw for the beginning of a body whose whole size is known. It shows no more than most bytes of it.
// Indented JSON may become four times as long.
func rawOf(start []byte, size int64, most int) string {
	if size <= int64(most) && isShallow(start) {
		var b bytes.Buffer
		if json.Indent(&b, start, "", "  ") == nil && b.Len() <= 4*most {
			return directions.Replace(b.String())
		}
	}
	return directions.Replace(plainOf(start, size, most))
}

// directions writes the characters that change the direction of a text as JSON escapes. Unescaped, each of
// them would show the text behind it in another order.
var directions = strings.NewReplacer(
	"\u061c", `\u061c`, "\u200e", `\u200e`, "\u200f", `\u200f`,
	"\u202a", `\u202a`, "\u202b", `\u202b`, "\u202c", `\u202c`, "\u202d", `\u202d`, "\u202e", `\u202e`,
	"\u2066", `\u2066`, "\u2067", `\u2067`, "\u2068", `\u2068`, "\u2069", `\u2069`,
)

// plain writes a body as it is.
func plain(body []byte) string { return plainOf(body, int64(len(body)), rawShown) }

func plainOf(start []byte, size int64, most int) string {
	if size <= int64(most) {
		return string(start)
	}
	// Only the bytes that cutText needs are converted.
	shown, _ := cutText(string(start[:min(len(start), most+1)]), most)
	return fmt.Sprintf("%s\n… %s in all", shown, humanize.IBytes(uint64(size)))
}

// isShallow reports whether a text is JSON that is nested no deeper than rawDepth.
func isShallow(body []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for d.StackDepth() <= rawDepth {
		if _, err := d.ReadToken(); err != nil {
			return err == io.EOF
		}
	}
	return false
}
