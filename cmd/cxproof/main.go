// Command cxproof does harm to a real cxbridge, and holds what it has kept against what it has
// acknowledged:
//
//	cxproof crash     kills it, its PostgreSQL and its disk, and sets its clock, at random moments, under load
//	cxproof chaos     harms replicas, the network between everything, and the CRM
//	cxproof overload  sends more than it can take, floods it, and holds its connections
//	cxproof soak      lets it work for hours, and looks what grows
//
// Each prints a table, and fails when an event that was acknowledged is lost or counts twice.
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

	"github.com/cxbridge/cxbridge/internal/proof"
)

// commands are what can be proved: each takes its flags, and writes its table.
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
	return errors.New("usage: cxproof COMMAND [FLAGS]; the commands are told by `go doc ./cmd/cxproof`")
}

// settle makes a new folder under dir for a command to work in, and builds cxbridge there unless a binary
// is named. It returns both; the folder is the caller's to remove.
func settle(ctx context.Context, dir, binary string) (own, program string, err error) {
	if own, err = os.MkdirTemp(dir, "cxproof-"); err != nil {
		return "", "", err
	}
	err = os.Chmod(own, 0o711) // PostgreSQL runs as another user
	if program = binary; err == nil && program == "" {
		program, err = proof.Build(ctx, own)
	}
	if err != nil {
		return "", "", errors.Join(err, os.RemoveAll(own))
	}
	return own, program, nil
}
