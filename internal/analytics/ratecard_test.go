package analytics_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/filecheck"
)

const yamlCard = `
currency: usd
prices:
  - {carrier: Verizon, region: US, price: 0.0075, from: 2026-01-01}
  - {carrier: Verizon, region: US, price: 0.0080, from: 2026-07-01}
  - {carrier: VERIZON, price: 0.05}
  - carrier: "*"
    region: UK
    price: "0.04"
    currency: GBP
  - {carrier: LATE, region: US, price: 9, from: 2026-12-01}
  - {region: FR, price: 0}
`

const csvCard = "\ufeffCarrier,Region,Price,Currency,From\r\n" + `Verizon,US,0.0075,USD,2026-01-01
# a comment
"VERIZON", us, 0.0080, USD, 2026-07-01
Verizon,*,0.05,usd,
*,UK,0.04,GBP,
LATE,US,9,USD,2026-12-01
,FR,0,USD,
`

func TestRateCard(t *testing.T) {
	for name, text := range map[string]string{"rates.yaml": yamlCard, "RATES.CSV": csvCard} {
		card, err := analytics.ParseRateCard(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			carrier, region, at string
			want                string // "" for no price
		}{
			{"verizon", "US", "2026-01-01T00:00:00Z", "0.0075 USD"},
			{"VERIZON", "US", "2026-06-30T23:59:59Z", "0.0075 USD"},
			{"VERIZON", "US", "2026-07-01T00:00:00Z", "0.008 USD"},
			{"VERIZON", "US", "2025-12-31T23:59:59Z", "0.05 USD"}, // too early for its own price
			{"VERIZON", "GB", "2026-07-01T00:00:00Z", "0.05 USD"}, // the carrier goes before the region
			{"OTHER", "GB", "2026-07-01T00:00:00Z", "0.04 GBP"},
			{"OTHER", "GB", "1960-07-01T00:00:00Z", "0.04 GBP"},
			{"OTHER", "FR", "2026-07-01T00:00:00Z", "0 USD"},
			{"OTHER", "US", "2026-07-01T00:00:00Z", ""},
			{"UNKNOWN", "DE", "2026-07-01T00:00:00Z", ""},
			{"LATE", "US", "2026-11-30T23:59:59Z", ""},
		} {
			moment, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if price, currency, ok := card.Price(c.carrier, c.region, moment.Unix()); ok {
				got = price.String() + " " + currency
			}
			if got != c.want {
				t.Errorf("%s: %s in %s at %s costs %q, want %q", name, c.carrier, c.region, c.at, got, c.want)
			}
		}
	}
	var none *analytics.RateCard
	if _, _, ok := none.Price("X", "US", 0); ok || none.Currency() != analytics.NoCurrency {
		t.Error("no rate card has a price or a currency")
	}
	for text, want := range map[string]string{"currency: eur\nprices: [{price: 1}]": "EUR", "prices: [{price: 1, currency: EUR}]": analytics.NoCurrency} {
		if card, err := analytics.ParseRateCard("card", []byte(text)); err != nil || card.Currency() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	everywhere, err := analytics.ParseRateCard("x.csv", []byte("price,currency\n1,EUR\n"))
	if err != nil {
		t.Fatal(err)
	}
	if price, _, ok := everywhere.Price("ANY", "", 0); !ok || price.String() != "1" {
		t.Error("a price for any carrier and region is not one")
	}
}

func TestRateCardTellsEveryProblem(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		want             []string
	}{
		{"empty YAML", "a.yaml", "", []string{"the file must hold one YAML document"}},
		{"no YAML", "a.yaml", "prices: [a\n", []string{"line 1: sequence end token ']' not found"}},
		{"a list", "a.yaml", "- price: 1\n", []string{"line 1: must be a mapping"}},
		{"no prices", "a.yaml", "currency: USD\n", []string{"line 1: prices: must be a list of prices"}},
		{"prices of another kind", "a.yaml", "currency: USD\nprices: 7\n", []string{"line 2: prices: must be a list of prices"}},
		{"no keys", "a.yaml", "prices:\n  - {}\n", []string{"line 2: price: is missing", "line 2: currency: is missing"}},
		{"an empty list", "a.yaml", "currency: USD\nprices: []\n", []string{"there is no price in the file"}},
		{"many in YAML", "a.yaml", `
currency: dollars
colour: red
prices:
  - 7
  - {carrier: X, region: England, price: -1, from: July}
  - {carrier: X, price: 0.00000075, prize: 2}
  - {carrier: X, region: GB, currency: USD}
  - {carrier: X, price: [1], currency: USD}
  - carrier: X
    price: 0.00000075
    currency: US
  - {carrier: X, region: UK, price: 1, currency: USD, from: 2026-01-01}
  - {carrier: x, region: GB, price: 2, currency: USD, from: 2026-01-01}
`, []string{
			"line 2: currency: must be an ISO 4217 code of three letters, as USD",
			"line 3: colour: unknown key; known are currency, prices",
			"line 5: must be a mapping",
			"line 6: region: must be an ISO 3166-1 alpha-2 code of two letters, or *",
			"line 6: price: must be a decimal number from 0 to 1000000, as 0.0075",
			"line 6: from: must be a date, as 2026-07-01",
			"line 7: prize: unknown key; known are carrier, region, price, currency, from",
			"line 8: price: is missing",
			"line 9: price: must be text or a number",
			"line 11: price: has more than 6 decimals",
			"line 12: currency: must be an ISO 4217 code of three letters, as USD",
			"line 14: there is another price for this carrier and region from the same day",
		}},
		{"empty CSV", "a.csv", "", []string{"the file must begin with a line of the columns carrier, region, price, currency, from"}},
		{"columns alone", "a.csv", "carrier,price\n", []string{"there is no price in the file"}},
		{"columns", "a.csv", "carrier,carrier,cost\nX,1,2\n", []string{
			"line 1: carrier: is there twice",
			"line 1: cost: is not known; known are carrier, region, price, currency, from",
			"line 1: price: the column is missing",
		}},
		{"many in CSV", "a.csv", "carrier,region,price\nX,US,1\nX,US\nX\",US,1\n\nX,England,free\n", []string{
			"line 2: currency: is missing",
			"line 3: wrong number of fields",
			"line 4: bare \" in non-quoted-field",
			"line 6: region: must be an ISO 3166-1 alpha-2 code of two letters, or *",
			"line 6: price: must be a decimal number from 0 to 1000000, as 0.0075",
			"line 6: currency: is missing",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			card, err := analytics.ParseRateCard(c.file, []byte(c.text))
			var problems *filecheck.Error
			if card != nil || !errors.As(err, &problems) {
				t.Fatalf("got %v, %v", card, err)
			}
			if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseRateCard(f *testing.F) {
	f.Add("a.yaml", []byte(yamlCard))
	f.Add("a.csv", []byte(csvCard))
	f.Add("a.yaml", []byte("prices: &a\n  - *a\n  - <<: *a\n"))
	f.Add("a.csv", []byte("price\n\"\n"))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		card, err := analytics.ParseRateCard(name, text)
		if (card == nil) != (err != nil) || err != nil && err.Error() == "" {
			t.Fatalf("got %v, %v", card, err)
		}
		if price, currency, ok := card.Price("X", "US", base.Unix()); ok && (price < 0 || len(currency) != 3) {
			t.Errorf("a price of %v %q", price, currency)
		}
	})
}
