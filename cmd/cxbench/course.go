package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// course runs parts one after another, prints what each found out, and ends with the table. If a part fails,
// the others are measured all the same.
func course(ctx context.Context, o *options, chosen []part, out io.Writer) (err error) {
	if o.dir, err = proof.NewFolder(o.dir, "cxbench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	sum := newSummary(ctx)
	if o.results == "" {
		o.results = sum.folder()
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	if o.cxbridge == "" {
		if o.cxbridge, err = proof.Build(ctx, o.dir); err != nil {
			return err
		}
	}
	if sum.Machine, err = describeMachine(o.dir); err != nil {
		return err
	}
	var errs []error
	for _, p := range chosen {
		fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), p.name)
		if err := runPart(ctx, o, p, sum, out); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(append(errs, sum.end(o, out))...)
}

// runPart measures a part, keeps what it found out, and prints it.
func runPart(ctx context.Context, o *options, p part, sum *summary, out io.Writer) error {
	found, err := p.settings.measure(ctx, o)
	if err != nil {
		return err
	}
	sum.add(p.name, found)
	fmt.Fprintf(out, "\n## %s\n\n", p.name)
	found.print(out)
	return errors.Join(found.verdict(), keep(o.results, p.name, found))
}
