package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

type eraseCommand struct {
	FileSettings
	DatabaseSettings `group:"Database"`

	Recipient   string `placeholder:"NUMBER" help:"The number that messages were sent to, with its country code. It is found in the forms in which people write it."`
	Participant string `placeholder:"ID" help:"The id of a participant in threads, or the person's id on the platform."`
	Yes         bool   `help:"Do not ask before beginning."`
}

const eraseDetail = `Takes a person out of the whole database: numbers, names, the text of messages, and the bodies of
receipts, events and dead letters that name the person. States, counts and the audit log stay. Then it
reads everything once more and says where the person is still found; exits 1 if there is such a place.
What it did cannot be undone. If it is stopped, run it again.

It works on the database itself, as migrate does, even while the service runs. While a thread of the
person is being pushed to the CRM, it waits for the push to end, for a minute at most. Erase the person in
CXone and the CRM first, or they may come back from there. docs/privacy.md says what is kept where.

Example:
  cxbridge erase --recipient +4915112345678`

// Help returns what the help of the command says besides its settings.
func (eraseCommand) Help() string { return eraseDetail }

// eraseStays says what may still be found at the end.
const eraseStays = `Ids of messages and threads, and the audit log, are not changed, even where they hold the number or the
id. Anything else that is listed came in meanwhile: run it again. docs/privacy.md says what to do about ids.`

// leastDigits is how many digits a number needs so that it is nobody else's, nor a time or a count.
const leastDigits = 6

// Validate is called by kong. Its errors do not repeat who is to be erased.
func (c *eraseCommand) Validate() error {
	digits := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case strings.ContainsRune("+ ()-./", r):
			return -1
		}
		return utf8.RuneError
	}, c.Recipient)
	switch {
	case c.Recipient == "" && c.Participant == "":
		return errors.New("who? Give --recipient or --participant")
	case c.Recipient != "" && (strings.ContainsRune(digits, utf8.RuneError) || len(digits) < leastDigits):
		return fmt.Errorf("--recipient must be a number of at least %d digits, such as +4915112345678", leastDigits)
	case strings.HasPrefix(digits, "0") && !strings.HasPrefix(digits, "00") && !strings.HasPrefix(digits, "011"):
		return errors.New("--recipient must have its country code, such as +4915112345678")
	case c.Participant != "" && strings.TrimSpace(c.Participant) == "":
		return errors.New("--participant must be an id")
	}
	return nil
}

// errTraces says that the person is still found; the output says where.
var errTraces = errors.New("the person is still found in the database")

// eraseStep is how many rows of a table one transaction looks at.
const eraseStep = 1000

// Run needs only the settings of the database.
func (c *eraseCommand) Run(ctx context.Context, p *program, k *kong.Context) (err error) {
	r := &resolver{problems: load(k, p.env)}
	cfg := Config{Database: r.database(c.DatabaseURL)}
	if err := r.err(); err != nil {
		return err
	}
	if path := cfg.Database.SQLite; path != "" && !exists(path) {
		return fmt.Errorf("%v does not exist", cfg.Database) // opening it would create it
	}
	if err := c.confirm(p, cfg.Database); err != nil {
		return err
	}
	st, err := p.openStore(cfg)
	if err != nil {
		return fmt.Errorf("open %v: %w", cfg.Database, err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.Ping(ctx); err != nil {
		return fmt.Errorf("%v: %w", cfg.Database, err)
	}
	person := store.Person{Recipient: c.Recipient, Participant: c.Participant}
	rows, err := erase(ctx, st, person, p.stderr)
	if err != nil {
		return fmt.Errorf("erase from %v: not finished, run it again: %w", cfg.Database, err)
	}
	fmt.Fprintf(p.stdout, "%v: erased: %s\n", cfg.Database, listRows(rows))
	bar := newSpinner(p.stderr, "looking for what is left")
	traces, err := st.Traces(ctx, person)
	bar.clear()
	if err != nil {
		return fmt.Errorf("look for traces in %v: %w", cfg.Database, err)
	}
	if len(traces) > 0 {
		fmt.Fprintf(p.stdout, "%v: still found in: %s\n%s\n", cfg.Database, listRows(traces), eraseStays)
		return errTraces
	}
	fmt.Fprintf(p.stdout, "%v: nothing is left\n", cfg.Database)
	return nil
}

// confirm asks whether to go on.
func (c *eraseCommand) confirm(p *program, db Database) error {
	if c.Yes {
		return nil
	}
	if file, ok := p.stdin.(*os.File); !ok || !isatty.IsTerminal(file.Fd()) {
		return errors.New("the input is not a terminal, so nobody can be asked: give --yes to erase without a question")
	}
	return askYes(p.stdin, p.stderr, fmt.Sprintf("This takes the person out of %v for good. Type yes to go on: ", db))
}

// askYes returns an error unless the answer to a question is yes.
func askYes(in io.Reader, out io.Writer, question string) error {
	fmt.Fprint(out, question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return fmt.Errorf("read the answer: %w", err)
	}
	if !strings.EqualFold(strings.TrimSpace(answer), "yes") {
		return errors.New("nothing was erased")
	}
	return nil
}

// erase takes a person out in steps, and returns how many rows were changed, by table. It notes in the
// audit log, before and after, that somebody is erased, but not who.
func erase(ctx context.Context, st store.Store, person store.Person, terminal io.Writer) (map[string]int, error) {
	note := func(outcome string, detail audit.Detail) error {
		return st.Audit(ctx, audit.Note{Subject: audit.ErasureSubject, Action: audit.ActionErase, Outcome: outcome, Detail: detail},
			time.Now().UTC().Truncate(time.Microsecond))
	}
	if err := note("begun", nil); err != nil {
		return nil, err
	}
	bar := newProgress(terminal, endless, "steps")
	defer bar.clear()
	rows, cursor := make(map[string]int), ""
	for {
		step, err := eraseNext(ctx, st, person, cursor)
		if err != nil {
			return nil, err
		}
		for table, n := range step.Rows {
			rows[table] += n
		}
		bar.step()
		if cursor = step.Cursor; cursor == "" {
			break
		}
	}
	detail := make(audit.Detail, len(rows))
	for table, n := range rows {
		detail[table] = n
	}
	return rows, note("erased", detail)
}

const (
	// leaseLook is how often a step that finds a lease is tried again. A push takes a fraction of a
	// second, and a thread may be pushed again soon.
	leaseLook = 100 * time.Millisecond

	// leasePatience is how long a step is tried. A lease whose worker is gone runs for 15 s.
	leasePatience = time.Minute
)

// eraseNext does one step, as soon as nobody pushes what it has to erase.
func eraseNext(ctx context.Context, st store.Store, person store.Person, cursor string) (store.Erased, error) {
	for begin := time.Now(); ; {
		step, err := st.Erase(ctx, person, cursor, eraseStep)
		if !errors.Is(err, store.ErrLeased) || time.Since(begin) >= leasePatience {
			return step, err
		}
		select {
		case <-ctx.Done():
			return store.Erased{}, context.Cause(ctx)
		case <-time.After(leaseLook):
		}
	}
}

// listRows lists how many rows there are, by table.
func listRows(rows map[string]int) string {
	if len(rows) == 0 {
		return "no row"
	}
	var list []string
	for _, table := range slices.Sorted(maps.Keys(rows)) {
		list = append(list, fmt.Sprintf("%s %d", table, rows[table]))
	}
	return strings.Join(list, ", ")
}
