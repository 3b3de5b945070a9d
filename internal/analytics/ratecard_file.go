package analytics

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// The columns of a rate card.
var columns = []string{"carrier", "region", "price", "currency", "from"}

// ParseRateCard reads a rate card: CSV if the name of the file ends in .csv, else YAML. The error is a
// *RateCardError.
//
// A CSV file has a header that names its columns: price, and any of carrier, region, currency and
// from. A YAML file has the same as a list of mappings under prices, and may have a currency beside
// it: that of the prices that name none, and of the costs that receipts name without one.
//
// A carrier or region that is empty or * is any. The price is that of a segment, in units of the
// currency, as 0.0075. A price without from has always held.
func ParseRateCard(name string, text []byte) (*RateCard, error) {
	r := cardReader{card: &RateCard{prices: make(map[route][]price)}}
	if strings.EqualFold(path.Ext(name), ".csv") {
		r.csv(text)
	} else {
		r.yaml(text)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b RateCardProblem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &RateCardError{Problems: r.problems}
	}
	r.card.sortPrices()
	return r.card, nil
}

// cardReader goes on after a problem, so that all are told at once.
type cardReader struct {
	card     *RateCard
	problems []RateCardProblem
}

func (r *cardReader) problem(line int, field, format string, args ...any) {
	r.problems = append(r.problems, RateCardProblem{line, field, fmt.Sprintf(format, args...)})
}

// field is the text of a column and the line that it is on.
type field struct {
	text string
	line int
}

// entry adds a price.
func (r *cardReader) entry(line int, fields map[string]field) {
	before := len(r.problems)
	at := func(column string) (string, int) {
		f := fields[column]
		return strings.TrimSpace(f.text), cmp.Or(f.line, line)
	}
	var to route
	if carrier, _ := at("carrier"); carrier != "*" {
		to.carrier = strings.ToUpper(carrier)
	}
	if region, line := at("region"); region != "" && region != "*" {
		code, ok := sms.ParseRegion(region)
		if !ok {
			r.problem(line, "region", "must be an ISO 3166-1 alpha-2 code of two letters, or *")
		}
		to.region = code
	}
	p := price{day: always}
	text, priceLine := at("price")
	p.segment = r.price(text, priceLine)
	text, currencyLine := at("currency")
	p.currency = r.currency(text, currencyLine)
	if text == "" {
		if p.currency = r.card.currency; p.currency == "" {
			r.problem(line, "currency", "is missing")
		}
	}
	if from, line := at("from"); from != "" {
		start, err := time.Parse(time.DateOnly, from)
		if err != nil {
			r.problem(line, "from", "must be a date, as 2026-07-01")
		}
		p.day = start.Unix() / Day.Width()
	}
	if len(r.problems) > before {
		return
	}
	if slices.ContainsFunc(r.card.prices[to], func(q price) bool { return q.day == p.day }) {
		r.problem(line, "", "there is another price for this carrier and region from the same day")
		return
	}
	r.card.prices[to] = append(r.card.prices[to], p)
}

func (r *cardReader) price(text string, line int) Money {
	segment, exact, ok := parseMoney(text)
	switch {
	case text == "":
		r.problem(line, "price", "is missing")
	case !ok:
		r.problem(line, "price", "must be a decimal number from 0 to %s, as 0.0075", maxMoney)
	case !exact:
		r.problem(line, "price", "has more than %d decimals", decimals)
	}
	return segment
}

func (r *cardReader) currency(text string, line int) string {
	code := strings.ToUpper(text)
	if code != "" && (len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		r.problem(line, "currency", "must be an ISO 4217 code of three letters, as USD")
	}
	return code
}

func (r *cardReader) csv(text []byte) {
	c := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff")))) // as spreadsheets write it
	c.TrimLeadingSpace, c.Comment = true, '#'
	header, err := c.Read()
	if err != nil {
		r.problem(0, "", "the file must begin with a line of the columns %s", strings.Join(columns, ", "))
		return
	}
	line, _ := c.FieldPos(0)
	for i, column := range header {
		header[i] = strings.ToLower(strings.TrimSpace(column))
		r.column(line, header[i], header[:i])
	}
	if !slices.Contains(header, "price") {
		r.problem(line, "price", "the column is missing")
	}
	if len(r.problems) > 0 {
		return
	}
	for {
		record, err := c.Read()
		var syntax *csv.ParseError
		switch {
		case err == io.EOF:
			return
		case errors.As(err, &syntax):
			r.problem(syntax.Line, "", "%v", syntax.Err)
			continue
		}
		fields := make(map[string]field)
		for i, text := range record {
			at, _ := c.FieldPos(i)
			fields[header[i]] = field{text, at}
		}
		at, _ := c.FieldPos(0)
		r.entry(at, fields)
	}
}

// column reports a column or key that is not known, or that is there twice.
func (r *cardReader) column(line int, name string, before []string) {
	switch {
	case !slices.Contains(columns, name):
		r.problem(line, name, "is not known; known are %s", strings.Join(columns, ", "))
	case slices.Contains(before, name):
		r.problem(line, name, "is there twice")
	}
}

func (r *cardReader) yaml(text []byte) {
	file, err := parser.ParseBytes(text, 0)
	switch {
	case err != nil:
		r.syntax(err)
		return
	case len(file.Docs) != 1 || file.Docs[0].Body == nil:
		r.problem(0, "", "the file must hold one YAML document")
		return
	}
	root, ok := file.Docs[0].Body.(ast.MapNode)
	if !ok {
		r.problem(lineOf(file.Docs[0].Body), "", "must be a mapping with prices and currency")
		return
	}
	var prices ast.Node
	for it := root.MapRange(); it.Next(); {
		switch key := it.Key().GetToken().Value; key {
		case "currency":
			r.card.currency = r.currency(r.scalar(key, it.Value()), lineOf(it.Value()))
		case "prices":
			prices = it.Value()
		default:
			r.problem(lineOf(it.Key()), key, "is not known; known are currency, prices")
		}
	}
	list, ok := prices.(*ast.SequenceNode)
	if !ok {
		r.problem(cmp.Or(lineOf(prices), lineOf(file.Docs[0].Body)), "prices", "must be a list of prices")
		return
	}
	for _, item := range list.Values {
		r.item(item)
	}
}

func (r *cardReader) syntax(err error) {
	p := RateCardProblem{Reason: err.Error()}
	if e := yaml.Error(nil); errors.As(err, &e) {
		p.Reason = e.GetMessage()
		if t := e.GetToken(); t != nil {
			p.Line = t.Position.Line
		}
	}
	r.problems = append(r.problems, p)
}

// item reads a price of the list.
func (r *cardReader) item(node ast.Node) {
	entry, ok := node.(ast.MapNode)
	if !ok {
		r.problem(lineOf(node), "prices", "each must be a mapping of %s", strings.Join(columns, ", "))
		return
	}
	fields, names := make(map[string]field), []string(nil)
	line, before := lineOf(node), len(r.problems)
	for it := entry.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		if len(names) == 0 {
			line = lineOf(it.Key())
		}
		r.column(lineOf(it.Key()), key, names)
		names = append(names, key)
		fields[key] = field{r.scalar(key, it.Value()), lineOf(it.Value())}
	}
	if len(r.problems) == before {
		r.entry(line, fields)
	}
}

// scalar returns a scalar as it is written: a price is not to pass through a floating-point number.
func (r *cardReader) scalar(key string, node ast.Node) string {
	switch n := node.(type) {
	case *ast.NullNode:
		return ""
	case *ast.StringNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value
	}
	r.problem(lineOf(node), key, "must be text or a number")
	return ""
}

func lineOf(node ast.Node) int {
	if node == nil || node.GetToken() == nil {
		return 0
	}
	return node.GetToken().Position.Line
}
