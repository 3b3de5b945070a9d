package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"text/tabwriter"
)

// version and built are set by the release build: -ldflags "-X main.version=v1.2.3 -X main.built=…".
// Without them, the build information that Go itself keeps in the binary is used.
var (
	version string
	built   string // when; RFC 3339
)

type versionCommand struct{}

func (versionCommand) Run(p *program) error { return printVersion(p.stdout, thisBuild()) }

// thisBuild describes this binary.
func thisBuild() build {
	info, _ := debug.ReadBuildInfo()
	return versionOf(version, built, info)
}

// release returns the version of this binary, as `cxbridge version` prints it.
func release() string { return thisBuild().version }

// build says which code a binary was made from.
type build struct {
	version, commit, built string
}

// versionOf describes a binary by what the release build has set, and else by Go's build information,
// which may be nil.
func versionOf(version, built string, info *debug.BuildInfo) build {
	b := build{version: version, commit: "unknown", built: built}
	if info == nil {
		info = &debug.BuildInfo{}
	}
	if b.version == "" {
		b.version = info.Main.Version
	}
	if b.version == "" || b.version == "(devel)" {
		b.version = "development"
	}
	vcs := make(map[string]string)
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	if revision := vcs["vcs.revision"]; revision != "" {
		b.commit = revision
		if at := vcs["vcs.time"]; at != "" {
			b.commit += " of " + at
		}
		if vcs["vcs.modified"] == "true" {
			b.commit += ", with changes"
		}
	}
	if b.built == "" {
		b.built = "unknown"
	}
	return b
}

func printVersion(w io.Writer, b build) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "cxbridge\t%s\n", b.version)
	fmt.Fprintf(table, "commit\t%s\n", b.commit)
	fmt.Fprintf(table, "built\t%s\n", b.built)
	fmt.Fprintf(table, "go\t%s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return table.Flush()
}
