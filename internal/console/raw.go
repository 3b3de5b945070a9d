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

	// rawDepth is how deep JSON may be nested to be shown with its lines broken: each level moves all
	// that is in it to the right.
	rawDepth = 32
)

// raw writes a body as it came in: JSON with its lines broken, and anything else as it is.
func raw(body []byte) string { return rawOf(body, int64(len(body)), rawShown) }

// rawOf does so with a body of which the beginning is known, and its whole size. It shows no more than
// so many bytes of it: with its lines broken, JSON may become four times as long.
func rawOf(start []byte, size int64, most int) string {
	if size <= int64(most) && isShallow(start) {
		var b bytes.Buffer
		if json.Indent(&b, start, "", "  ") == nil && b.Len() <= 4*most {
			return directions.Replace(b.String())
		}
	}
	return directions.Replace(plainOf(start, size, most))
}

// directions writes the characters that turn the direction of a text about as JSON escapes them. Each of
// them would otherwise show what stands behind it in another order than it has.
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
	// No more than that is made a text of.
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
