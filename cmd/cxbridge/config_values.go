package main

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nyaruka/phonenumbers"

	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// choice reads one of a few words, in upper or lower case.
func choice[T ~string](p *resolver, v Value, words ...T) T {
	names := make([]string, len(words))
	for i, w := range words {
		if strings.EqualFold(strings.TrimSpace(v.text), string(w)) {
			return w
		}
		names[i] = string(w)
	}
	if !v.broken {
		last := len(names) - 1
		p.reject(v, "known", "use "+strings.Join(names[:last], ", ")+" or "+names[last])
	}
	return ""
}

// boolean reads true or false, in all the ways in which people and their tools write it.
func (p *resolver) boolean(v Value) bool {
	switch strings.ToLower(strings.TrimSpace(v.text)) {
	case "true", "1", "yes", "on":
		return true
	case "false", "0", "no", "off":
		return false
	}
	if !v.broken {
		p.reject(v, "known", "use true or false")
	}
	return false
}

// addr returns the address to listen on. Both settings are checked, even though only one is used.
func (p *resolver) addr(addr, port Value) string {
	number, ok := p.port(port)
	if addr.text == "" {
		if !ok || addr.broken {
			return ""
		}
		return ":" + number
	}
	host, n, err := net.SplitHostPort(strings.TrimSpace(addr.text))
	if err != nil || !isPort(n) {
		p.reject(addr, "an address", "give HOST:PORT or :PORT, such as 127.0.0.1:3000 or [::1]:3000")
		return ""
	}
	return net.JoinHostPort(host, n)
}

func (p *resolver) port(v Value) (number string, ok bool) {
	number = strings.TrimSpace(v.text)
	if ok = isPort(number); !ok && !v.broken {
		p.reject(v, "a port", "give a whole number from 0 to 65535")
	}
	return number, ok
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func (p *resolver) duration(v Value, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(v.text))
	if v.broken {
		return 0
	}
	if err != nil || d < least || d > most {
		p.reject(v, fmt.Sprintf("a time from %v to %v", least, most), "give a number with its unit, such as 15s or 2m")
		return 0
	}
	return d
}

// size reads a number of bytes, with or without a unit.
func (p *resolver) size(v Value, least int64) int64 {
	n, err := humanize.ParseBytes(strings.TrimSpace(v.text))
	if v.broken {
		return 0
	}
	if err != nil || n > math.MaxInt64 {
		p.reject(v, "a size", "give a number of bytes, or one with its unit, such as 512MiB or 2GiB")
		return 0
	}
	if int64(n) < least {
		p.reject(v, "large enough", "give at least "+humanize.IBytes(uint64(least)))
		return 0
	}
	return int64(n)
}

// level reads a level by its name. slog.Level's own parser would accept "info+3" as well.
func (p *resolver) level(v Value) slog.Level {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return levels[choice(p, v, "debug", "info", "warn", "error")]
}

func (p *resolver) region(v Value) string {
	region, ok := sms.ParseRegion(v.text)
	if !ok || !phonenumbers.GetSupportedRegions()[region] {
		if !v.broken {
			p.reject(v, "a region", "give the two letters of ISO 3166-1, such as US, GB or DE")
		}
		return ""
	}
	return region
}

// zones reads one time zone for all carriers, or a list of CARRIER=ZONE where * is every carrier
// that is not named.
func (p *resolver) zones(v Value) sms.Zones {
	zones := make(sms.Zones)
	for item := range strings.SplitSeq(v.text, ",") {
		carrier, zone, named := strings.Cut(item, "=")
		if !named {
			carrier, zone = "*", item
		}
		carrier, zone = strings.ToUpper(strings.TrimSpace(carrier)), strings.TrimSpace(zone)
		key := carrier
		if key == "*" {
			key = ""
		}
		loc, err := time.LoadLocation(zone)
		switch _, twice := zones[key]; {
		case v.broken:
			return nil
		// LoadLocation also accepts "" (UTC) and "Local" (the zone of the machine), which name no zone.
		case err != nil || zone == "" || zone == "Local":
			p.wrong(v, fmt.Sprintf("has no known time zone in %q", strings.TrimSpace(item)), "use names of the IANA database, such as UTC or Europe/Madrid")
			return nil
		case carrier == "":
			p.wrong(v, fmt.Sprintf("names no carrier in %q", strings.TrimSpace(item)), "write CARRIER=ZONE, with * for every other carrier")
			return nil
		case twice:
			p.wrong(v, fmt.Sprintf("gives carrier %s two time zones", carrier), "keep one")
			return nil
		}
		zones[key] = loc
	}
	return zones
}

// baseURL reads a URL that parse accepts; unset is "". The problem does not show the text, which may
// hold a password.
func (p *resolver) baseURL(v Value, parse func(string) (*url.URL, error), example string) string {
	if v.text == "" {
		return ""
	}
	u, err := parse(v.text)
	if err != nil {
		p.wrong(v, err.Error(), "give one such as "+example)
		return ""
	}
	return u.String()
}

// cxone returns nil when no setting of CXone is given, so that CXone is not called.
func (p *resolver) cxone(s *CXoneSettings) *CXone {
	style := choice(p, s.CXoneAuthStyle, cxone.AuthBasic, cxone.AuthBody)
	scopes := strings.Fields(s.CXoneScopes.text)
	needed := []Value{s.CXoneDomain, s.CXoneClientID, s.CXoneClientSecret}
	if !slices.ContainsFunc(needed, func(v Value) bool { return !v.isMissing() }) {
		return nil
	}
	for _, v := range needed {
		if v.isMissing() {
			p.wrong(v, "is not set, while other settings of CXone are", "set CXONE_DOMAIN, CXONE_CLIENT_ID and CXONE_CLIENT_SECRET, or none of them")
		}
	}
	base := p.baseURL(s.CXoneDomain, cxone.ParseDomain, "https://api.cxone.com")
	if s.ServerURL.isMissing() {
		p.warn(noServerURL)
	}
	return &CXone{
		BaseURL: base, ClientID: s.CXoneClientID.text, ClientSecret: Secret(s.CXoneClientSecret.text),
		AuthStyle: style, Scopes: scopes,
	}
}

// noServerURL warns of what is missing when CXone is called without a SERVER_URL.
const noServerURL = "SERVER_URL is not set, so the webhooks are not subscribed in CXone: set it to the address at which CXone reaches this service, or subscribe by hand"

// senderRules reads the name of built-in rules, or the path of a rule file.
func (p *resolver) senderRules(v Value) *sms.SenderRules {
	if rules, ok := sms.BuiltinRules(v.text); ok || v.broken {
		return rules
	}
	right := "use default, seed, or the path of a YAML file"
	data, err := os.ReadFile(v.text)
	if err != nil {
		p.wrong(v, fmt.Sprintf("is %q, which cannot be read, %s", v.text, reason(err)), right)
		return nil
	}
	rules, err := sms.ParseRules(data)
	if err != nil {
		p.wrong(v, fmt.Sprintf("is %q, which is no rule file, %s", v.text, oneLine(err)), "mend the file, or use default or seed")
		return nil
	}
	return rules
}

// items splits a list at its commas. Empty items are left out.
func items(text string) (list []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}
