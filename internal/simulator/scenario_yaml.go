package simulator

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/cxbridge/cxbridge/internal/filecheck"
)

// scalar returns a scalar as it is written; "" for a node that is not a scalar.
func scalar(node ast.Node) string {
	text, _ := filecheck.Scalar(node)
	return text
}

// text reads a text that is not empty.
func (r *scriptReader) text(node ast.Node, field string) string {
	text := scalar(node)
	if text == "" {
		r.AddAt(node, field, "must be a text")
	}
	return text
}

// number reads a number within bounds.
func (r *scriptReader) number(node ast.Node, field string, least, most float64) float64 {
	n, ok := parseNumber(scalar(node))
	if !ok || n < least || n > most {
		r.AddAt(node, field, "must be a number from %v to %s", least, strconv.FormatFloat(most, 'f', -1, 64))
		return 0
	}
	return n
}

// share reads a part of a whole: 0.3 or 30%.
func (r *scriptReader) share(node ast.Node, field string) float64 {
	text, perCent := strings.CutSuffix(scalar(node), "%")
	n, ok := parseNumber(text)
	if perCent {
		n /= 100
	}
	if !ok || n < 0 || n > 1 {
		r.AddAt(node, field, "must be a share from 0 to 1, such as 0.3 or 30%%")
		return 0
	}
	return n
}

func parseNumber(text string) (n float64, ok bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// duration reads a time within bounds.
func (r *scriptReader) duration(node ast.Node, field string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(scalar(node)))
	if err != nil || d < least || d > most {
		r.AddAt(node, field, "must be a time from %v to %v, such as 30s", least, most)
		return 0
	}
	return d
}

// maxName is how long the name of a carrier may be, in characters.
const maxName = 64

func isName(text string) bool {
	if text == "" || len(text) > maxName || strings.TrimSpace(text) != text {
		return false
	}
	return !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' })
}
