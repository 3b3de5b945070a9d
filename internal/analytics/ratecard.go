package analytics

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// RateCard says what a segment costs, by carrier, region and day. It is safe for concurrent use. A
// nil RateCard has no prices.
//
// The price of a message is the first of these that is there:
//
//  1. its carrier and its region
//  2. its carrier and any region
//  3. any carrier and its region
//  4. any carrier and any region
//
// Each is a list of prices by the day from which they hold, at 00:00 UTC; of those, the latest that
// is not after the day of the message's first_seen_at. Where all of a list are later, the next of the
// four decides. A message without a price is counted as unpriced. The names of carriers match in any
// case.
type RateCard struct {
	currency string
	prices   map[route][]price // by day, ascending
}

// route is a carrier and a region. In a rate card "" is any, and the carrier is in capitals.
type route struct{ carrier, region string }

type price struct {
	day      int64 // since 1970-01-01, from which it holds
	segment  Money
	currency string
}

// always is the day of a price that has always held.
const always = math.MinInt64

// Currency returns the currency of costs that receipts name without one: that of the card, or
// NoCurrency.
func (c *RateCard) Currency() string {
	if c == nil || c.currency == "" {
		return NoCurrency
	}
	return c.currency
}

// Price returns what a segment costs on the day that a second, in Unix time, lies in.
func (c *RateCard) Price(carrier, region string, second int64) (segment Money, currency string, priced bool) {
	if c == nil {
		return 0, "", false
	}
	day := floor(second, Day.Width()) / Day.Width()
	carrier = strings.ToUpper(carrier)
	for _, r := range [...]route{{carrier, region}, {carrier, ""}, {"", region}, {"", ""}} {
		prices := c.prices[r]
		for i := len(prices) - 1; i >= 0; i-- {
			if prices[i].day <= day {
				return prices[i].segment, prices[i].currency, true
			}
		}
	}
	return 0, "", false
}

// sortPrices puts the prices of each route in the order of their days.
func (c *RateCard) sortPrices() {
	for _, prices := range c.prices {
		slices.SortFunc(prices, func(a, b price) int { return cmp.Compare(a.day, b.day) })
	}
}
