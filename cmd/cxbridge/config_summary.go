package main

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/cxbridge/cxbridge/internal/console"
)

// Setting is one setting as it may be shown.
type Setting struct {
	Name   string // as an environment variable
	Shown  string // its text; for a secret, whether it is set
	Source string // where it was found; "default" when it was found nowhere
}

// Summary lists every setting in the order of the help, without any secret.
func (c Config) Summary() []Setting { return c.settings }

// shown is the summary for the console.
func (c Config) shown() []console.Setting {
	all := make([]console.Setting, len(c.settings))
	for i, s := range c.settings {
		all[i] = console.Setting{Name: s.Name, Value: s.Shown, Source: s.Source}
	}
	return all
}

// LogValue implements slog.LogValuer: the summary as a group.
func (c Config) LogValue() slog.Value {
	attrs := make([]slog.Attr, len(c.settings))
	for i, s := range c.settings {
		attrs[i] = slog.String(s.Name, s.Shown)
	}
	return slog.GroupValue(attrs...)
}

// show makes the summary of the settings.
func (s *Settings) show(cfg *Config) []Setting {
	var shown []Setting
	for _, v := range s.all() {
		line := Setting{Name: v.name, Shown: v.show(cfg), Source: v.source}
		if line.Source == "" {
			line.Source = "default"
		}
		shown = append(shown, line)
	}
	return shown
}

// all lists every setting in the order of the help.
func (s *Settings) all() []Value {
	var list []Value
	all := reflect.ValueOf(s).Elem()
	for _, field := range reflect.VisibleFields(all.Type()) {
		if v, ok := all.FieldByIndex(field.Index).Interface().(Value); ok {
			list = append(list, v)
		}
	}
	return list
}

// isExposed reports whether a secret is in the command line itself. A DATABASE_URL without a password is
// no secret.
func (v Value) isExposed(cfg *Config) bool {
	if v.name == "DATABASE_URL" && !strings.Contains(cfg.Database.String(), "***") {
		return false
	}
	return v.secret && strings.HasPrefix(v.source, flagSource)
}

// show returns the text of a setting as it may be shown.
func (v Value) show(cfg *Config) string {
	switch {
	case v.broken:
		return "unreadable"
	case v.name == "ADDR":
		return cfg.Addr
	case v.text == "":
		return "unset"
	case v.name == "DATABASE_URL":
		if cfg.Database == (Database{}) {
			return "set"
		}
		return cfg.Database.String()
	case v.name == "SERVER_URL" && cfg.ServerURL == "", v.name == "CXONE_DOMAIN" && cfg.CXone.BaseURL == "",
		v.name == "CRM_API_URL" && cfg.CRM.BaseURL == "", v.name == "OTEL_EXPORTER_OTLP_ENDPOINT" && cfg.OTLPEndpoint == "":
		return "set" // and refused: it may hold a password
	case v.name == "WEBHOOK_SECRET" && len(cfg.WebhookSecrets) > 1:
		return fmt.Sprintf("set (%d values)", len(cfg.WebhookSecrets))
	case v.secret:
		return "set"
	}
	return v.text
}
