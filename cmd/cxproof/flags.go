package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// common holds the flags that every command has.
type common struct {
	seed    uint64 // of all that is random
	program string // the cxbridge binary
	dir     string // where the command works
}

func (c *common) flags(flags *flag.FlagSet) {
	flags.Uint64Var(&c.seed, "seed", rand.Uint64(), "of all that is random")
	flags.StringVar(&c.program, "cxbridge", "", "a cxbridge binary to use instead of building one")
	flags.StringVar(&c.dir, "dir", "", "where the databases live while it runs; empty is the system's temporary folder")
}

// within makes a new folder under that of the flags for a command to work in, builds cxbridge there unless a
// binary is named, and prints the seed. Then it calls do, and removes the folder.
func (c *common) within(ctx context.Context, out io.Writer, do func() error) (err error) {
	if c.dir, err = proof.NewFolder(c.dir, "cxproof-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.dir)) }()
	if c.program == "" {
		if c.program, err = proof.Build(ctx, c.dir); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "seed %d\n", c.seed)
	return do()
}

// The stores.
const (
	onSQLite   = "sqlite"
	onPostgres = "postgres"
)

var allStores = []string{onSQLite, onPostgres}

// storeList is a flag of stores, with commas between them.
type storeList []string

func (l *storeList) String() string { return strings.Join(*l, ",") }

func (l *storeList) Set(text string) error {
	*l = strings.Split(text, ",")
	for _, name := range *l {
		if !slices.Contains(allStores, name) {
			return fmt.Errorf("%q is none of %s", name, strings.Join(allStores, ", "))
		}
	}
	return nil
}

// selection is a flag of names, by their beginnings, with commas between them. The empty one is all names.
type selection []string

func (s *selection) String() string { return strings.Join(*s, ",") }

func (s *selection) Set(text string) error {
	*s = nil
	if text != "" {
		*s = strings.Split(text, ",")
	}
	return nil
}

// has reports whether a name is selected.
func (s selection) has(name string) bool {
	return len(s) == 0 || slices.ContainsFunc(s, func(begin string) bool { return strings.HasPrefix(name, begin) })
}

// check returns an error if one of the beginnings selects none of the names: a run in which nothing happens
// would prove nothing.
func (s selection) check(names []string) error {
	for _, begin := range s {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, begin) }) {
			return fmt.Errorf("-only: no name begins with %q, where a comma separates beginnings; the names are %q", begin, names)
		}
	}
	return nil
}

// errBroken says that a promise was broken; the output says which one.
var errBroken = errors.New("a promise was broken")

// maxFaults limits how many faults are printed of one thing.
const maxFaults = 30

// printFaults prints what is wrong, a line each, behind a prefix.
func printFaults(out io.Writer, prefix string, faults []string) {
	for _, line := range faults[:min(len(faults), maxFaults)] {
		fmt.Fprintln(out, prefix, line)
	}
	if more := len(faults) - maxFaults; more > 0 {
		fmt.Fprintln(out, prefix, more, "more faults")
	}
}
