package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/apiurl"
	"github.com/cxbridge/cxbridge/internal/crm"
)

// crm returns nil when no CRM is set.
func (p *resolver) crm(s *CRMSettings) *CRM {
	c := &CRM{
		BaseURL: p.baseURL(s.CRMAPIURL, apiurl.Parse, "https://crm.example.com/api/v1"),
		Token:   p.token(s.CRMAPIToken),
		Timeout: p.duration(s.CRMTimeout, 100*time.Millisecond, 5*time.Minute),
		Workers: p.count(s.CRMWorkers, 1, 1000, 16),
		Schema:  p.crmSchema(s.CRMSchema),
	}
	switch noURL, noToken := s.CRMAPIURL.isMissing(), s.CRMAPIToken.isMissing(); {
	case noURL && noToken:
		return nil
	case noURL:
		p.wrong(s.CRMAPIURL, "is not set, while CRM_API_TOKEN is", "set both, or none")
	case noToken:
		p.wrong(s.CRMAPIToken, "is not set, while CRM_API_URL is", "set both, or none")
	}
	return c
}

// crmSchema returns the built-in schema unless the operator gives one.
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
		p.wrong(v, fmt.Sprintf("is %q, which %s", v.text, oneLine(err)), right)
		return nil
	}
	return schema
}

// count reads a whole number. The example is one for this setting.
func (p *resolver) count(v Value, least, most, example int) int {
	n, err := strconv.Atoi(strings.TrimSpace(v.text))
	if v.broken {
		return 0
	}
	if err != nil || n < least || n > most {
		p.reject(v, fmt.Sprintf("a whole number from %d to %d", least, most), fmt.Sprintf("give one such as %d", example))
		return 0
	}
	return n
}
