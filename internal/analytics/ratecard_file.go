package analytics

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/cxbridge/cxbridge/internal/filecheck"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// The columns of a rate card.
var columns = []string{"carrier", "region", "price", "currency", "from"}

// ParseRateCard reads a rate card: CSV if the name of the file ends in .csv, else YAML. The error is a
// *filecheck.Error.
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
	if len(r.card.prices) == 0 && r.Len() == 0 {
		r.Add(0, "", "there is no price in the file")
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	r.card.sortPrices()
	return r.card, nil
}

// cardReader goes on after a problem.
type cardReader struct {
	card *RateCard
	filecheck.Problems
}

// field is the text of a column and the line that it is on.
type field struct {
	text string
	line int
}

// entry adds a price.
func (r *cardReader) entry(line int, fields map[string]field) {
	before := r.Len()
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
			r.Add(line, "region", "must be an ISO 3166-1 alpha-2 code of two letters, or *")
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
			r.Add(line, "currency", "is missing")
		}
	}
	if from, line := at("from"); from != "" {
		start, err := time.Parse(time.DateOnly, from)
		if err != nil {
			r.Add(line, "from", "must be a date, as 2026-07-01")
		}
		p.day = start.Unix() / Day.Width()
	}
	if r.Len() > before {
		return
	}
	if slices.ContainsFunc(r.card.prices[to], func(q price) bool { return q.day == p.day }) {
		r.Add(line, "", "there is another price for this carrier and region from the same day")
		return
	}
	r.card.prices[to] = append(r.card.prices[to], p)
}

func (r *cardReader) price(text string, line int) Money {
	segment, exact, ok := parseMoney(text)
	switch {
	case text == "":
		r.Add(line, "price", "is missing")
	case !ok:
		r.Add(line, "price", "must be a decimal number from 0 to %s, as 0.0075", maxMoney)
	case !exact:
		r.Add(line, "price", "has more than %d decimals", decimals)
	}
	return segment
}

func (r *cardReader) currency(text string, line int) string {
	code := strings.ToUpper(text)
	if code != "" && (len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		r.Add(line, "currency", "must be an ISO 4217 code of three letters, as USD")
	}
	return code
}

func (r *cardReader) csv(text []byte) {
	c := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff")))) // as spreadsheets write it
	c.TrimLeadingSpace, c.Comment = true, '#'
	header, err := c.Read()
	if err != nil {
		r.Add(0, "", "the file must begin with a line of the columns %s", strings.Join(columns, ", "))
		return
	}
	line, _ := c.FieldPos(0)
	for i, column := range header {
		header[i] = strings.ToLower(strings.TrimSpace(column))
		r.column(line, header[i], header[:i])
	}
	if !slices.Contains(header, "price") {
		r.Add(line, "price", "the column is missing")
	}
	if r.Len() > 0 {
		return
	}
	for {
		record, err := c.Read()
		var syntax *csv.ParseError
		switch {
		case err == io.EOF:
			return
		case errors.As(err, &syntax):
			r.Add(syntax.Line, "", "%v", syntax.Err)
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
		r.Add(line, name, "is not known; known are %s", strings.Join(columns, ", "))
	case slices.Contains(before, name):
		r.Add(line, name, "is there twice")
	}
}

func (r *cardReader) yaml(text []byte) {
	root := r.Document(text)
	if root == nil {
		return
	}
	keys := r.Mapping(root, "", "currency", "prices")
	if keys == nil {
		return
	}
	currency, prices := keys.At("currency"), keys.At("prices")
	r.card.currency = r.currency(r.scalar(currency, "currency"), filecheck.LineOf(currency))
	list, ok := prices.(*ast.SequenceNode)
	if !ok {
		r.AddAt(cmp.Or(prices, root), "prices", "must be a list of prices")
		return
	}
	for _, item := range list.Values {
		r.item(item)
	}
}

// item reads a price of the list.
func (r *cardReader) item(node ast.Node) {
	before, line := r.Len(), filecheck.LineOf(node)
	fields := make(map[string]field)
	for i, e := range r.Mapping(node, "", columns...) {
		if i == 0 {
			line = filecheck.LineOf(e.Key)
		}
		fields[e.Name] = field{r.scalar(e.Value, e.Name), filecheck.LineOf(e.Value)}
	}
	if r.Len() == before {
		r.entry(line, fields)
	}
}

// scalar returns a scalar as it is written, "" where there is none.
func (r *cardReader) scalar(node ast.Node, field string) string {
	text, ok := filecheck.Scalar(node)
	if !ok {
		r.AddAt(node, field, "must be text or a number")
	}
	return text
}
