package sms_test

import (
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestParseRegion(t *testing.T) {
	for code, want := range map[string]string{
		"US": "US", "de": "DE", " fr\t": "FR", "UK": "GB", "uk": "GB", "GB": "GB", "ZZ": "ZZ",
		"": "", " ": "", "U": "", "USA": "", "U1": "", "Ü": "", "4 4": "", "U S": "",
	} {
		if got, ok := sms.ParseRegion(code); got != want || ok != (want != "") {
			t.Errorf("ParseRegion(%q) = %q, %v, want %q", code, got, ok, want)
		}
	}
}
