package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/licences.md anew")

const page = "../../docs/licences.md"

// The page lists what the binary is made of, and every licence allows it to be passed on.
func TestPageIsUpToDate(t *testing.T) {
	modules, err := builtIn(binary)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := write(&b, modules); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	told, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(told) != b.String() {
		t.Error("docs/licences.md is out of date: run go test ./internal/licences -update")
	}
	// None of them asks for more than to be named, except MPL-2.0, which asks for the source of its own files.
	free := []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "FTL", "ISC", "MIT", "MPL-2.0"}
	for _, m := range modules {
		for _, licence := range m.licences {
			if !slices.Contains(free, licence) {
				t.Errorf("%s is under %s", m.Path, licence)
			}
		}
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                                 "Apache-2.0",
		"MIT License\n\nPermission is hereby granted, free\nof charge, to any person":                  "MIT",
		"Redistributions in binary form must reproduce … Neither the name of … may be used to endorse": "BSD-3-Clause",
		"Redistributions in binary form must reproduce the above":                                      "BSD-2-Clause",
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                         "GPL",
		"GNU AFFERO GENERAL PUBLIC LICENSE Version 3":                                                  "AGPL",
		"GNU LESSER GENERAL PUBLIC LICENSE Version 3":                                                  "LGPL",
		"All rights reserved.": "",
		"":                     "",
	} {
		if got := strings.Join(classify(text), ", "); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// A module without a known licence fails: nobody may pass it on.
func TestUnknownLicence(t *testing.T) {
	dir := t.TempDir()
	if got, err := licencesIn(dir); err == nil {
		t.Errorf("none is %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("Do as you are told."), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := licencesIn(dir); err == nil {
		t.Errorf("an unknown one is %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "COPYING.md"), []byte("Permission is hereby granted, free of charge"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := licencesIn(dir); err != nil || !slices.Equal(got, []string{"MIT"}) {
		t.Errorf("MIT is %q, %v", got, err)
	}
}
