// Command licences writes docs/licences.md: every module that is built into the binaries of cxbridge,
// with its licence. It reads the files of the modules themselves, from the module cache, and calls
// nobody.
//
//	go run ./internal/licences > docs/licences.md
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// binary is the package of the program that is given to others.
const binary = "github.com/cxbridge/cxbridge/cmd/cxbridge"

func main() {
	modules, err := builtIn(binary)
	if err == nil {
		err = write(os.Stdout, modules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// module is one that the binary holds code of.
type module struct {
	Path, Version, Dir string

	licences []string // SPDX identifiers, in the order of the alphabet
}

// builtIn returns the modules that a package is built of, without its own, in the order of the alphabet.
// They are those of Linux, which the images and packages are made for.
func builtIn(pkg string) ([]module, error) {
	list := exec.Command("go", "list", "-deps", "-json=Module", pkg)
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	var complaints bytes.Buffer
	list.Stderr = &complaints
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, complaints.String())
	}
	var modules []module
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if m := p.Module; m != nil && !m.Main {
			modules = append(modules, module{Path: m.Path, Version: m.Version, Dir: m.Dir})
		}
	}
	slices.SortFunc(modules, func(a, b module) int { return cmp.Compare(a.Path, b.Path) })
	modules = slices.CompactFunc(modules, func(a, b module) bool { return a.Path == b.Path })
	for i := range modules {
		if modules[i].licences, err = licencesIn(modules[i].Dir); err != nil {
			return nil, fmt.Errorf("%s: %w", modules[i].Path, err)
		}
	}
	return modules, nil
}

// licencesIn returns the licences that stand at the top of a module.
func licencesIn(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range files {
		if f.IsDir() || !isLicence(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, classify(string(text))...)
	}
	if found == nil {
		return nil, errors.New("no licence is recognized")
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// isLicence passes over lists of the licences of others: what of them is built in is listed by itself.
func isLicence(name string) bool {
	name = strings.ToUpper(name)
	return !strings.Contains(name, "3RD-PARTY") && (strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "LICENCE") || strings.HasPrefix(name, "COPYING"))
}

// marks are the words by which licences are told apart: all of a licence's must be there, and none of
// those that it lacks.
var marks = []struct {
	name  string
	has   []string
	lacks string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0, January 2004"}, ""},
	{"MPL-2.0", []string{"Mozilla Public License", "Version 2.0"}, ""},
	{"MIT", []string{"Permission is hereby granted, free of charge"}, ""},
	{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software for any purpose"}, ""},
	{"BSD-3-Clause", []string{"Redistributions in binary form must reproduce", "Neither the name"}, ""},
	{"BSD-3-Clause", []string{"Redistributions in binary form must reproduce", "may not be used to endorse"}, ""},
	{"BSD-2-Clause", []string{"Redistributions in binary form must reproduce"}, "endorse"},
	{"FTL", []string{"FreeType"}, ""},
	{"GPL", []string{"GNU GENERAL PUBLIC LICENSE"}, ""},
	{"LGPL", []string{"GNU LESSER GENERAL PUBLIC LICENSE"}, ""},
	{"AGPL", []string{"GNU AFFERO GENERAL PUBLIC LICENSE"}, ""},
}

// classify returns the licences that a text is, by their marks.
func classify(text string) (names []string) {
	text = strings.Join(strings.Fields(text), " ")
	for _, m := range marks {
		missing := slices.ContainsFunc(m.has, func(words string) bool { return !strings.Contains(text, words) })
		if !missing && (m.lacks == "" || !strings.Contains(text, m.lacks)) && !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}

const head = `# Licences

cxbridge is under the Apache License 2.0. The binary holds code of the modules below and of Go's standard
library, which is under BSD-3-Clause. Where several licences stand, the files of the module name them all.

This page is made by ` + "`go run ./internal/licences > docs/licences.md`" + ` from the files of the modules. A test wants
it to be up to date, and every licence to be one that lets the binary be given on.

Portions of this software are copyright © The FreeType Project (https://www.freetype.org). All rights reserved.

| module | version | licence |
|---|---|---|
`

func write(w io.Writer, modules []module) error {
	var b strings.Builder
	b.WriteString(head)
	for _, m := range modules {
		fmt.Fprintf(&b, "| [%s](https://pkg.go.dev/%s@%s) | %s | %s |\n", m.Path, m.Path, m.Version, m.Version, strings.Join(m.licences, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
