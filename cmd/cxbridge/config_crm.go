package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/crm"
)

// crm returns nil when no CRM is set.
func (p *resolver) crm(s *CRMSettings) *CRM {
	c := &CRM{
		Token:   p.token(s.CRMAPIToken),
		Timeout: p.duration(s.CRMTimeout, 100*time.Millisecond, 5*time.Minute),
		Workers: p.count(s.CRMWorkers, 1, 1000),
		Schema:  p.crmSchema(s.CRMSchema),
	}
	isMissing := func(v Value) bool { return v.text == "" && !v.broken }
	switch noURL, noToken := isMissing(s.CRMAPIURL), isMissing(s.CRMAPIToken); {
	case noURL && noToken:
		return nil
	case noURL:
		p.wrong(s.CRMAPIURL, "is not set, while CRM_API_TOKEN is", "set both, or none")
	case noToken:
		p.wrong(s.CRMAPIToken, "is not set, while CRM_API_URL is", "set both, or none")
	}
	c.BaseURL = p.baseURL(s.CRMAPIURL, parseCRMURL, "https://crm.example.com/api/v1")
	return c
}

// parseCRMURL takes an http or https URL, without user, query and fragment.
func parseCRMURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(text), "/"))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("is not an http or https URL")
	case u.User != nil:
		return nil, errors.New("holds a user or password: the CRM is given CRM_API_TOKEN alone")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("holds a query or a fragment")
	}
	return u, nil
}

func (p *resolver) crmSchema(v Value) *crm.Schema {
	if v.text == "" {
		return crm.DefaultSchema()
	}
	right := "give the path of a JSON Schema, or unset it to use the built-in one"
	data, err := os.ReadFile(v.text)
	if err != nil {
		p.wrong(v, fmt.Sprintf("is %q, which cannot be read, %s", v.text, reason(err)), right)
		return nil
	}
	schema, err := crm.ParseSchema(data)
	if err != nil {
		p.wrong(v, fmt.Sprintf("is %q, which is no JSON Schema, %s", v.text, oneLine(err)), right)
		return nil
	}
	return schema
}

func (p *resolver) count(v Value, least, most int) int {
	n, err := strconv.Atoi(strings.TrimSpace(v.text))
	if v.broken {
		return 0
	}
	if err != nil || n < least || n > most {
		p.reject(v, fmt.Sprintf("a whole number from %d to %d", least, most), "give one such as "+strconv.Itoa(least))
		return 0
	}
	return n
}
