package analytics

import (
	"fmt"
	"math"
	"strings"
)

// Money is an amount in millionths of a currency's unit, so that sums are exact. Carriers quote
// prices to four or five decimals.
type Money int64

const decimals = 6

const (
	unit Money = 1_000_000

	// maxMoney bounds the price of a segment and the cost of a message. It is far above what any
	// message costs in any currency, and keeps the sum of millions of them in range.
	maxMoney Money = 1_000_000 * unit
)

// parseMoney reads a decimal number without sign and exponent. A number with more than six decimals
// is rounded, half up, and not exact. It is not ok for what is no such number and for one above
// maxMoney.
func parseMoney(text string) (m Money, exact, ok bool) {
	whole, fraction, point := strings.Cut(text, ".")
	if whole == "" && fraction == "" || point && fraction == "" {
		return 0, false, false
	}
	for i := range len(whole) {
		if m = m*10 + Money(whole[i]-'0'); !isDigit(whole[i]) || m > maxMoney/unit {
			return 0, false, false
		}
	}
	exact = true
	var up Money
	for i := range len(fraction) {
		digit := fraction[i] - '0'
		switch {
		case digit > 9:
			return 0, false, false
		case i < decimals:
			m = m*10 + Money(digit)
		default:
			exact = exact && digit == 0
			if i == decimals && digit >= 5 {
				up = 1
			}
		}
	}
	for range decimals - len(fraction) {
		m *= 10
	}
	m += up
	return m, exact, m <= maxMoney
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// String returns the amount in units as a decimal number, without zeros at its end: "0.0075".
func (m Money) String() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	whole, fraction := n/uint64(unit), n%uint64(unit)
	if fraction == 0 {
		return fmt.Sprintf("%s%d", sign, whole)
	}
	return fmt.Sprintf("%s%d.%s", sign, whole, strings.TrimRight(fmt.Sprintf("%0*d", decimals, fraction), "0"))
}

// Units returns the amount in units. Up to nine billion of them, the shortest decimal that names the
// result is the exact amount.
func (m Money) Units() float64 { return float64(m) / float64(unit) }

// per divides an amount among n, rounded to the nearest millionth.
func (m Money) per(n int64) Money { return Money(math.Round(float64(m) / float64(n))) }
