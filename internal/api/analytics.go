package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
)

// Delivery answers questions about delivery with all that was acknowledged before they were asked. See
// answers.Delivery for its errors.
type Delivery interface {
	Report(ctx context.Context, q answers.Question) (*analytics.Report, error)
}

// The media types in which analytics answers.
const (
	jsonType = "application/json"
	csvType  = "text/csv"
)

type deliveryInput struct {
	Window  string `query:"window" default:"24h" maxLength:"32" doc:"Length of the window, which ends now: a Go duration that may begin with days, from 1m to 90d" example:"7d"`
	Step    string `query:"step" maxLength:"32" doc:"Time between the points of a series; without it there is no series. It must be a whole number of seconds, from a minute on of minutes, from an hour on of hours, from a day on of days. A series has at most 1500 points, counted as window / step, rounded up, and one more." example:"1h"`
	Carrier string `query:"carrier" maxLength:"256" doc:"Only messages of this carrier, in any case" example:"VODAFONE"`
	Region  string `query:"region" maxLength:"32" doc:"Only messages of this region: ISO 3166-1 alpha-2" example:"GB"`
	Format  string `query:"format" enum:"json,csv" doc:"csv: the rows of the carriers. Without this, the format is csv if the Accept header names text/csv, else json."`
	Series  string `query:"series" enum:"csv" doc:"csv: the points of the series; needs a step"`
}

// deliveryOutput is JSON or CSV, already encoded.
type deliveryOutput struct {
	ContentType string `header:"Content-Type"`
	Vary        string `header:"Vary"`
	Body        []byte
}

// deliveryTimeout is how long a question may take: up to 6 s for the commit before it, 10 s for an answer to
// others that has to end first, and 10 s for its own.
const deliveryTimeout = 30 * time.Second

func (c *Handler) analyticsRoutes() {
	report := c.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[analytics.Report](), true, "Report")
	registerWithin(c, access.Viewer, deliveryTimeout, huma.Operation{
		OperationID: "get-delivery", Method: http.MethodGet, Path: "/analytics/delivery",
		Summary: "Delivery, its speed and its cost, by carrier and region", Tags: []string{"analytics"},
		Description: "A message belongs to the window of its first receipt. Counts are exact, over all messages; " +
			"quantiles are within 2 %. The answer includes every event that was acknowledged before the question was " +
			"asked, with these exceptions. Events in a spool are counted once they are in the database. The processing " +
			"figures (receipts, throughput, latencies and slaCompliance) may lack receipts that another replica took in the " +
			"last second. While the database accepts no writes, or takes more than 3 s for one, they may lack the last " +
			"receipts before; those follow within 30 s once it accepts writes again. If a replica is killed, they lose " +
			"its last second, and what waited for the database. 503: the database does not answer, or takes too long.",
		Middlewares: huma.Middlewares{acceptCSV},
		Responses: map[string]*huma.Response{"200": {
			Description: "OK",
			Content: map[string]*huma.MediaType{
				jsonType: {Schema: report, Example: exampleReport()},
				csvType: {
					Schema:  &huma.Schema{Type: huma.TypeString, Description: "With a header line, which has the names of the JSON members"},
					Example: exampleCSV(),
				},
			},
		}},
	}, c.getDelivery)
}

// wantsCSV is the context key of whether the client prefers CSV.
type wantsCSV struct{}

// acceptCSV notes whether a client asks for CSV by its Accept header.
func acceptCSV(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	next(huma.WithValue(ctx, wantsCSV{}, strings.Contains(strings.ToLower(r.Header.Get("Accept")), csvType)))
}

func (c *Handler) getDelivery(ctx context.Context, in *deliveryInput) (*deliveryOutput, error) {
	q, err := in.question()
	if err != nil {
		return nil, err
	}
	report, err := c.Delivery.Report(ctx, q)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	accepts, _ := ctx.Value(wantsCSV{}).(bool)
	switch isCSV := in.Format == "csv" || in.Format == "" && accepts; {
	case in.Series != "":
		err = report.WriteSeriesCSV(&b)
	case isCSV:
		err = report.WriteCSV(&b)
	default:
		err = json.NewEncoder(&b).Encode(report)
		return &deliveryOutput{ContentType: jsonType, Vary: "Accept", Body: b.Bytes()}, err
	}
	return &deliveryOutput{ContentType: csvType + "; charset=utf-8", Vary: "Accept", Body: b.Bytes()}, err
}

// question reads what is asked. Its errors are for the client.
func (in *deliveryInput) question() (answers.Question, error) {
	var q answers.Question
	var err error
	if q.Length, err = analytics.ParseLength(in.Window); err != nil {
		return q, wrongQuery("window", in.Window, err)
	}
	if in.Step != "" {
		if q.Step, err = analytics.ParseLength(in.Step); err == nil && q.Step == 0 {
			err = errNoStep
		}
		if err != nil {
			return q, wrongQuery("step", in.Step, err)
		}
	}
	if in.Series != "" && q.Step == 0 {
		return q, wrongQuery("series", in.Series, errSeriesWithoutStep)
	}
	if q.Filter, err = analytics.NewFilter(in.Carrier, in.Region); err != nil {
		return q, wrongQuery("region", in.Region, err)
	}
	return q, in.checkWindow(q)
}

// checkWindow blames the window if it makes no sense by itself, and else the step if it does not fit. When
// the window ends does not matter.
func (in *deliveryInput) checkWindow(q answers.Question) error {
	if _, err := analytics.NewWindow(time.Time{}, q.Length, 0); err != nil {
		return wrongQuery("window", in.Window, err)
	}
	if _, err := analytics.NewWindow(time.Time{}, q.Length, q.Step); err != nil {
		return wrongQuery("step", in.Step, err)
	}
	return nil
}

var (
	errNoStep            = errors.New("the step must be longer than 0")
	errSeriesWithoutStep = errors.New("a series needs a step")
)

func wrongQuery(name, value string, err error) error {
	return huma.Error422UnprocessableEntity(err.Error(), &huma.ErrorDetail{Location: "query." + name, Message: err.Error(), Value: value})
}

// exampleCSV returns exampleReport as CSV.
func exampleCSV() string {
	var b strings.Builder
	_ = exampleReport().WriteCSV(&b) // a Builder takes everything
	return b.String()
}

// exampleReport returns a report that advises to leave one carrier for another.
func exampleReport() *analytics.Report {
	rate := func(v float64) *float64 { return &v }
	fewer := int64(56)
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	messages := analytics.Messages{
		Total: 200, Delivered: 134, Failed: 62, Pending: 4, Segments: 200, DeliveryRate: rate(67), FailureRate: rate(31),
	}
	times := analytics.DeliveryTime{Messages: 196, Avg: 3.2, P50: 2.1, P95: 8.4, P99: 14.9}
	return &analytics.Report{
		From: at.Add(-24 * time.Hour), To: at, Window: "24h",
		Processing: analytics.Processing{Receipts: 396, AvgLatencyMs: 4.1, P50LatencyMs: 3.2, P95LatencyMs: 9.7, P99LatencyMs: 18, SLACompliance: rate(100)},
		Throughput: 3, Messages: messages, DeliveryTime: times,
		Costs: []analytics.Cost{{Currency: "EUR", Messages: 200, Total: 8.4, Average: 0.042, CostPerDelivered: rate(0.062687)}},
		Carriers: []analytics.Carrier{{
			Carrier: "VODAFONE", Region: "GB", Currency: "EUR", Messages: messages, DeliveryTime: times,
			AverageCost: rate(0.042), TotalCost: rate(8.4), CostPerDelivered: rate(0.062687),
			Recommendation: analytics.Recommendation{
				Action: analytics.Reroute, FailureRateLow: 24.99, FailureRateHigh: 37.71, Confidence: rate(99.99),
				RouteTo: "TELEFONICA", FewerFailures: &fewer, Saving: rate(4.12), SavingPerMonth: rate(123.6),
			},
		}},
	}
}
