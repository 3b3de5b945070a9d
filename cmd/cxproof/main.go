// Command cxproof does harm to a real cxbridge, and compares what it keeps with what it acknowledged:
//
//	cxproof crash     kills it, its PostgreSQL and its disk, and sets its clock, at random moments, under load
//	cxproof chaos     harms replicas, the network between everything, and the CRM
//	cxproof overload  sends more than it can take, floods it, and holds its connections
//	cxproof soak      lets it work for hours, and looks for what grows
//
// Each prints a table, and fails when an event that was acknowledged is lost or counts twice.
//
// Its files:
//
//	main.go   the command line, and flags.go what the commands have in common
//	stage.go  where a single cxbridge is harmed, and stage_load.go a load on it
//	crash*.go, chaos*.go, overload*.go, soak*.go
//	          the commands
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// commands are the things that can be proved: each takes its flags, and writes its table.
var commands = map[string]func(ctx context.Context, args []string, out io.Writer) error{
	"chaos":    chaos,
	"crash":    crash,
	"overload": overload,
	"soak":     soak,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return
	case ctx.Err() != nil:
		err = errors.New("interrupted; its processes and files are gone")
	}
	fmt.Fprintln(os.Stderr, "cxproof:", err)
	os.Exit(1)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		if command, ok := commands[args[0]]; ok {
			return command(ctx, args[1:], out)
		}
	}
	return errors.New("usage: cxproof COMMAND [FLAGS]; `go doc ./cmd/cxproof` lists the commands")
}
