package main

import (
	"errors"

	"github.com/alecthomas/kong"
)

// Settings is every setting of `serve`. It is the one table that the flags, the environment
// variables, the keys of the settings file, the help and docs/configuration.md are made from.
//
// The flag --database-url, the variable DATABASE_URL and the key database_url are one setting. Its
// tags say:
//
//	help     what it does
//	default  its text when no source gives one
//	secret   it is never shown, and may be in a file that NAME_FILE names
//	needed   serve does not start without it
//	list     the separator of its items; in the settings file they may be a YAML list
//	bare     its text when its flag is given without a value
//
// Resolve checks the texts and makes a Config of them.
type Settings struct {
	FileSettings
	HTTPSettings      `group:"HTTP"`
	AccessSettings    `group:"Secrets and tokens"`
	DatabaseSettings  `group:"Database"`
	SpoolSettings     `group:"Spool"`
	ReceiptSettings   `group:"Receipts"`
	ThreadSettings    `group:"Threads"`
	CRMSettings       `group:"CRM"`
	CXoneSettings     `group:"CXone"`
	AnalyticsSettings `group:"Analytics"`
	RetentionSettings `group:"Retention"`
	SimulatorSettings `group:"Simulator"`
	TraceSettings     `group:"Traces"`
	LogSettings       `group:"Log"`
}

// FileSettings says where more settings are.
type FileSettings struct {
	Config Value `placeholder:"FILE" help:"YAML file with settings. A flag or a variable wins over the file."`
}

// HTTPSettings say how the service is reached.
type HTTPSettings struct {
	ListenSettings
	TrustedProxies   Value `placeholder:"NETWORKS" list:"," help:"Addresses and networks of the reverse proxies in front, such as 10.0.0.0/8. X-Forwarded-For and X-Forwarded-Proto are believed only from them."`
	ShutdownDelay    Value `placeholder:"TIME" default:"0s" help:"How long to go on serving after the signal to stop, with /readyz at 503, so that a load balancer looks elsewhere first."`
	ShutdownTimeout  Value `placeholder:"TIME" default:"15s" help:"How long to wait, when stopping, for requests in flight."`
	MaxInFlightBytes Value `placeholder:"SIZE" default:"64MiB" help:"Most memory for requests in flight: their bodies, and 1 KiB for each item of an array. Above it the answer is 503 with Retry-After."`
}

// ListenSettings say where the service listens.
type ListenSettings struct {
	Port Value `placeholder:"PORT" default:"3000" help:"TCP port to listen on, at every address of the machine. 0 takes any free port; the log says which."`
	Addr Value `placeholder:"HOST:PORT" help:"Address to listen on, such as 127.0.0.1:3000. Wins over PORT."`
	TLSSettings
}

// TLSSettings say whether the service speaks TLS by itself.
type TLSSettings struct {
	TLSCertFile Value `name:"tls-cert-file" placeholder:"FILE" help:"Certificate of the service, followed by its intermediate certificates, in PEM. With TLS_KEY_FILE the service speaks only TLS, 1.2 or later. Unset: no TLS."`
	TLSKeyFile  Value `name:"tls-key-file" placeholder:"FILE" help:"Private key of the certificate, in PEM. Both files are read again when they change."`
}

// AccessSettings say who may write and who may read.
type AccessSettings struct {
	WebhookSecret Value `placeholder:"TEXT" secret:"" needed:"" list:"," help:"What CXone proves itself with. Several, separated by commas, are valid at once; the first is given to CXone."`
	OperatorSettings
	ViewerToken Value `placeholder:"TEXT" secret:"" help:"Bearer token of the viewer, who may only read. Unset: only the operator may read."`
}

// OperatorSettings say how an operator proves to the API who they are.
type OperatorSettings struct {
	AdminToken Value `placeholder:"TEXT" secret:"" needed:"" help:"Bearer token of the operator, who may replay and delete dead letters, and reconcile threads."`
}

// DatabaseSettings say where the truth is kept.
type DatabaseSettings struct {
	DatabaseURL Value `placeholder:"URL" default:"sqlite:cxbridge.db" secret:"" help:"sqlite:PATH for the embedded database, or postgres://USER:PASSWORD@HOST/DATABASE."`
}

// SpoolSettings say where events wait while PostgreSQL is away, and how many.
type SpoolSettings struct {
	SpoolDir      Value `placeholder:"DIR" default:"cxbridge-spool" help:"Folder where events wait while PostgreSQL is away; it must survive a restart. Not used with SQLite."`
	SpoolMaxBytes Value `placeholder:"SIZE" default:"1GiB" help:"Most bytes of events waiting in the spool; its file is somewhat larger. When it is full the answer is 503."`
}

// ReceiptSettings say how receipts are read and judged.
type ReceiptSettings struct {
	SenderIDPolicy   Value `placeholder:"POLICY" default:"flag" help:"What happens to a receipt whose sender ID breaks the rules: flag stores and marks it, quarantine keeps it as a dead letter."`
	SenderIDRules    Value `placeholder:"RULES" default:"default" help:"Rules for sender IDs: default, seed, or the path of a YAML file."`
	DefaultRegion    Value `placeholder:"REGION" default:"US" help:"Region of a message when neither its payload nor its recipient names one, and in which recipients without a calling code are dialled; ISO 3166-1 alpha-2."`
	ReceiptTimeZones Value `placeholder:"ZONES" default:"UTC" list:"," help:"Time zone of dates and times that name none, as those in receipt texts: one zone, or one for each carrier, as in VODAFONE=Europe/Madrid,*=UTC."`
}

// ThreadSettings say how events of social threads are read.
type ThreadSettings struct {
	ThreadIDFormat Value `name:"thread-id-format" placeholder:"FORMAT" default:"any" help:"Which thread ids are taken: any text of 1 to 256 printable characters, or uuid."`
}

// CRMSettings say where threads are kept equal. Without them threads are kept here and wait.
type CRMSettings struct {
	CRMAPIURL   Value `name:"crm-api-url" placeholder:"URL" help:"Base URL of the CRM's API, such as https://crm.example.com/api/v1. Unset: threads are kept and wait."`
	CRMAPIToken Value `name:"crm-api-token" placeholder:"TEXT" secret:"" help:"Bearer token for the CRM. Needed with CRM_API_URL."`
	CRMTimeout  Value `name:"crm-timeout" placeholder:"TIME" default:"10s" help:"How long the CRM may take for one answer."`
	CRMWorkers  Value `name:"crm-workers" placeholder:"N" default:"16" help:"Threads that are pushed to the CRM at a time, by each replica."`
	CRMSchema   Value `name:"crm-schema" placeholder:"FILE" help:"JSON Schema that every delta must pass, in place of the built-in one. A message that fails it is set aside as a dead letter."`
}

// CXoneSettings say how CXone is called. Without them it is not.
type CXoneSettings struct {
	CXoneDomain       Value `name:"cxone-domain" placeholder:"HOST" help:"Host of the CXone API, such as api.cxone.com, or a full URL. Unset: no calls to CXone."`
	CXoneClientID     Value `name:"cxone-client-id" placeholder:"ID" help:"OAuth client id. Needed with CXONE_DOMAIN."`
	CXoneClientSecret Value `name:"cxone-client-secret" placeholder:"TEXT" secret:"" help:"OAuth client secret. Needed with CXONE_DOMAIN."`
	CXoneAuthStyle    Value `name:"cxone-auth-style" placeholder:"STYLE" default:"basic" help:"How the client proves itself at the token endpoint: basic is HTTP Basic, body is form fields."`
	CXoneScopes       Value `name:"cxone-scopes" placeholder:"SCOPES" default:"webhooks:manage webhooks:read social:read interactions:read messaging:read messaging:write" list:" " help:"OAuth scopes to ask for, separated by spaces."`
	ServerURL         Value `placeholder:"URL" help:"Address at which CXone reaches this service, such as https://cxbridge.example.com. With the CXone settings, both webhooks are subscribed at start."`
}

// AnalyticsSettings say how carriers are judged.
type AnalyticsSettings struct {
	RateCard           Value `placeholder:"FILE" help:"What a segment costs, by carrier, region and day: a YAML or CSV file. Unset: only costs that receipts name are counted."`
	SLAMs              Value `name:"sla-ms" placeholder:"MS" default:"500" help:"How long a receipt may take from its arrival until it is durable, in milliseconds."`
	RerouteFailureRate Value `placeholder:"SHARE" default:"15%" help:"Failure rate above which another carrier is recommended."`
	RerouteConfidence  Value `placeholder:"SHARE" default:"95%" help:"How sure it must be that the failure rate is above that."`
	RerouteMinSample   Value `placeholder:"N" default:"50" help:"Number of messages in a final state below which nothing is recommended."`
	SlowCarrierAfter   Value `placeholder:"TIME" default:"5m" help:"How long a message may take from submission to its final receipt; a longer one is slow."`
	SlowCarrierShare   Value `placeholder:"SHARE" default:"20%" help:"Share of slow messages of a carrier above which an alarm is raised. It is cleared below half of that."`
	SlowCarrierWindow  Value `placeholder:"TIME" default:"30m" help:"How far back the alarm looks."`
}

// RetentionSettings say how long data is kept.
type RetentionSettings struct {
	Retention Value `placeholder:"KIND=TIME" list:"," help:"How long to keep what, as in messages=400d,threads=400d,journal=90d,dead-letters=90d. What is not named is kept for ever."`
}

// TraceSettings say where traces go. Their names are those of OpenTelemetry.
type TraceSettings struct {
	OTLPEndpoint Value `name:"otel-exporter-otlp-endpoint" placeholder:"URL" help:"Base URL of an OpenTelemetry collector that takes OTLP over HTTP, such as http://localhost:4318. Unset: no traces."`
	TraceRatio   Value `name:"otel-traces-sampler-arg" placeholder:"SHARE" default:"1" help:"Share of the requests that are traced, unless the caller has decided: 0 to 1."`
}

// SimulatorSettings say whether events can be made up.
type SimulatorSettings struct {
	Simulator Value `placeholder:"BOOL" default:"false" bare:"true" help:"true lets an operator make up receipts and threads, by POST /simulator/sms and /simulator/threads. They are kept, and pushed to the CRM, as real ones are."`
}

// LogSettings say what is logged. The log goes to standard error.
type LogSettings struct {
	LogLevel  Value `placeholder:"LEVEL" default:"info" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat Value `placeholder:"FORMAT" default:"json" help:"json, or text for people."`
}

// Value is the text of one setting and where it was found. Command lines, variables and files hold
// nothing but text, all of which is checked in one place.
type Value struct {
	name   string // as an environment variable
	text   string // "" when it is not set
	source string // fit to be shown; "" when the text is the default
	secret bool
	broken bool // its source could not be read, which is already reported
}

// isMissing reports whether no source gives the setting and it has no default.
func (v *Value) isMissing() bool { return v.text == "" && !v.broken }

// Decode takes the text from the command line.
func (v *Value) Decode(ctx *kong.DecodeContext) error {
	if bare := ctx.Value.Tag.Get("bare"); bare != "" && !ctx.Scan.Peek().IsValue() {
		v.text = bare
		return nil
	}
	if err := ctx.Scan.PopValueInto("its", &v.text); err != nil {
		return errors.New("needs a value")
	}
	return nil
}
