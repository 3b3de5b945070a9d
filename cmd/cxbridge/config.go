package main

import (
	"log/slog"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/apiurl"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
	"github.com/cxbridge/cxbridge/internal/webhook"
)

// Config is what the settings mean, checked. It can be printed and logged: secrets show as "set".
type Config struct {
	Addr             string    // host:port; port 0 is any free one
	TLS              *TLSFiles // nil: no TLS
	TrustedProxies   access.Proxies
	ShutdownDelay    time.Duration
	ShutdownTimeout  time.Duration
	MaxInFlightBytes int64

	WebhookSecrets []Secret // at least one; the first is the one CXone is told to send
	AdminToken     Secret
	ViewerToken    Secret // "" lets nobody in as viewer

	Database      Database
	SpoolDir      string // used with PostgreSQL only
	SpoolMaxBytes int64

	SenderIDPolicy   ingest.Policy
	SenderIDRules    *sms.SenderRules
	DefaultRegion    string // ISO 3166-1 alpha-2, in capitals
	ReceiptTimeZones sms.Zones

	ThreadIDs thread.IDFormat
	CRM       *CRM // nil: threads are kept and wait

	CXone     *CXone // nil: no calls to CXone
	ServerURL string // without a slash at its end; "" when it is not set

	Analytics Analytics
	Retention map[store.Expirable]time.Duration // data that is not in it is kept for ever

	Simulator bool

	OTLPEndpoint string  // base URL; "" for no traces
	TraceRatio   float64 // 0 to 1

	LogLevel  slog.Level
	LogFormat string // "json" or "text"

	// Warnings are about settings that are valid but unwise, each fit to be shown.
	Warnings []string

	settings []Setting
}

// CXone says where CXone is and who we are there.
type CXone struct {
	BaseURL      string // with its scheme
	ClientID     string
	ClientSecret Secret
	AuthStyle    cxone.AuthStyle
	Scopes       []string
}

// CRM says where the CRM is and how it is used.
type CRM struct {
	BaseURL string // with its scheme
	Token   Secret
	Timeout time.Duration
	Workers int
	Schema  *crm.Schema
}

// Secret is a text that must not be shown. Printing and logging it show only whether it is set.
type Secret string

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return "unset"
	}
	return "set"
}

// GoString implements fmt.GoStringer, for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the text out of JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Resolve checks every setting and returns what they mean together. If there are mistakes, its own
// findings or those already found in the sources, it returns a *SettingsError with all of them; the
// fields of the Config whose settings are right are set even then.
func (s *Settings) Resolve(found *problems) (Config, error) {
	p := &resolver{problems: found}
	cfg := Config{
		Addr:             p.addr(s.Addr, s.Port),
		TLS:              p.tls(&s.TLSSettings),
		TrustedProxies:   p.proxies(s.TrustedProxies),
		ShutdownDelay:    p.duration(s.ShutdownDelay, 0, 10*time.Minute),
		ShutdownTimeout:  p.duration(s.ShutdownTimeout, time.Millisecond, 10*time.Minute),
		MaxInFlightBytes: p.size(s.MaxInFlightBytes, webhook.MinBytes),

		WebhookSecrets: p.webhookSecrets(s.WebhookSecret),
		AdminToken:     p.token(s.AdminToken),
		ViewerToken:    p.token(s.ViewerToken),

		Database:      p.database(s.DatabaseURL),
		SpoolDir:      s.SpoolDir.text,
		SpoolMaxBytes: p.size(s.SpoolMaxBytes, minSpool),

		SenderIDPolicy:   choice(p, s.SenderIDPolicy, ingest.Flag, ingest.Quarantine),
		SenderIDRules:    p.senderRules(s.SenderIDRules),
		DefaultRegion:    p.region(s.DefaultRegion),
		ReceiptTimeZones: p.zones(s.ReceiptTimeZones),

		ThreadIDs: choice(p, s.ThreadIDFormat, thread.AnyID, thread.UUIDs),
		CRM:       p.crm(&s.CRMSettings),

		CXone:     p.cxone(&s.CXoneSettings),
		ServerURL: p.baseURL(s.ServerURL, apiurl.Parse, "https://cxbridge.example.com"),

		Analytics: p.analytics(&s.AnalyticsSettings),
		Retention: p.retention(s.Retention),

		OTLPEndpoint: p.baseURL(s.OTLPEndpoint, apiurl.Parse, "http://localhost:4318"),
		TraceRatio:   p.share(s.TraceRatio, 0, 1),

		Simulator: p.boolean(s.Simulator),

		LogLevel:  p.level(s.LogLevel),
		LogFormat: choice(p, s.LogFormat, "json", "text"),
	}
	p.required(s.WebhookSecret)
	p.required(s.AdminToken)
	p.compareSecrets(s, &cfg)
	cfg.Warnings = p.warnings
	cfg.settings = s.show(&cfg)
	return cfg, p.err()
}

// minSpool is the least SPOOL_MAX_BYTES that makes sense.
const minSpool = 1 << 20

// resolver turns the texts of settings into what they mean. Its methods return the zero value for
// a text that they reject.
type resolver struct {
	*problems
	warnings []string
}

func (p *resolver) warn(text string) { p.warnings = append(p.warnings, text) }

func (p *resolver) required(v Value) {
	if v.isMissing() {
		p.wrong(v, "is not set, and is required", "give it a long random text, such as `openssl rand -hex 32` prints")
	}
}

// compareSecrets checks the secrets against each other.
func (p *resolver) compareSecrets(s *Settings, cfg *Config) {
	if cfg.ViewerToken != "" && cfg.ViewerToken == cfg.AdminToken {
		p.wrong(s.ViewerToken, "is the same as ADMIN_TOKEN, so every viewer would be an operator", "give each a text of its own")
	}
	for _, warning := range cfg.secretWarnings() {
		p.warn(warning)
	}
	for _, v := range s.all() {
		if v.isExposed(cfg) {
			p.warn(v.name + " is given as a flag, which every user of this machine can see in the list of processes: use the environment, or " + v.name + fileSuffix)
		}
	}
}
