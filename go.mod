module github.com/cxbridge/cxbridge

go 1.26.0

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0 // percentiles of make bench that do not lie
	github.com/VictoriaMetrics/metricsql v0.84.8 // tests: reads PromQL, so that alert rules and panels are checked against the metrics
	github.com/alecthomas/kong v1.17.0 // commands, flags and help in one struct
	github.com/anishathalye/porcupine v1.3.1 // make chaos: whether a history is that of one register
	github.com/chromedp/cdproto v0.0.0-20260320225252-cf654f46fc63 // tests: what Chromium reports
	github.com/chromedp/chromedp v0.15.0 // tests: the console in a real Chromium
	github.com/danielgtaylor/huma/v2 v2.37.2 // the API and its OpenAPI document, problem+json
	github.com/dustin/go-humanize v1.1.0 // sizes and numbers for people
	github.com/failsafe-go/failsafe-go v0.9.8 // the circuit breaker of the CRM
	github.com/go-analyze/charts v0.5.20 // charts of the console, as SVG
	github.com/go-json-experiment/json v0.0.0-20260820222146-c27c302e5fc3 // strict JSON by tokens, twice as fast as encoding/json and bound for the standard library
	github.com/goccy/go-yaml v1.19.2 // settings and rule files, with the line of a mistake
	github.com/google/go-cmp v0.7.0 // tests: what differs
	github.com/jackc/pgx/v5 v5.12.0 // PostgreSQL: pool and pipelining
	github.com/mattn/go-isatty v0.0.24 // whether the demo draws on a terminal
	github.com/nyaruka/phonenumbers v1.8.1 // the region of a number (libphonenumber)
	github.com/pressly/goose/v3 v3.29.0 // migrations on both databases, one replica at a time
	github.com/prometheus/client_golang v1.25.0 // metrics
	github.com/prometheus/client_model v0.6.3 // tests: what /metrics says, decoded
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // the JSON Schema that a delta must pass
	github.com/schollz/progressbar/v3 v3.19.1 // progress of long commands
	go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp v0.72.0 // traces of requests in and out
	go.opentelemetry.io/otel v1.47.0 // traces
	go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp v1.47.0 // traces by OTLP
	go.opentelemetry.io/otel/sdk v1.47.0 // traces
	go.opentelemetry.io/otel/trace v1.47.0 // traces
	go.opentelemetry.io/proto/otlp v1.11.0 // tests: a collector that reads what is sent
	go.uber.org/goleak v1.3.0 // tests: no goroutine is left behind
	golang.org/x/oauth2 v0.37.0 // the client credentials of CXone
	golang.org/x/sync v0.24.0 // one token fetch at a time; groups of workers
	golang.org/x/sys v0.49.0 // free space of a disk
	golang.org/x/time v0.16.0 // rates of simulated traffic
	google.golang.org/protobuf v1.36.12 // tests: the same
	modernc.org/sqlite v1.61.1 // SQLite without cgo
	pgregory.net/rapid v1.3.0 // tests: properties
)

require (
	github.com/BurntSushi/toml v1.4.1-0.20240526193622-a339e1f7089c // indirect
	github.com/VictoriaMetrics/metrics v1.35.3 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/bits-and-blooms/bitset v1.24.4 // indirect
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/chromedp/sysutil v1.1.0 // indirect
	github.com/felixge/httpsnoop v1.1.0 // indirect
	github.com/go-analyze/bulk v0.1.0 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
	github.com/gobwas/ws v1.4.0 // indirect
	github.com/golang/freetype v0.0.0-20170609003504-e2365dfdc4a0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.30.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/mfridman/interpolate v0.0.2 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/sethvargo/go-retry v0.5.0 // indirect
	github.com/valyala/fastrand v1.1.0 // indirect
	github.com/valyala/histogram v1.2.0 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel/exporters/otlp/otlptrace v1.47.0 // indirect
	go.opentelemetry.io/otel/log v1.47.0 // indirect
	go.opentelemetry.io/otel/metric v1.47.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/image v0.24.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/term v0.47.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20261005182115-fad411399dd8 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261005182115-fad411399dd8 // indirect
	google.golang.org/grpc v1.84.0 // indirect
	honnef.co/go/tools v0.8.2 // indirect
	modernc.org/libc v1.79.0 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
)

tool honnef.co/go/tools/cmd/staticcheck
