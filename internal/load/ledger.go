package load

import (
	"fmt"
	"maps"
)

// Ledger is the account of what a server promised over a whole run, including the warm-up.
type Ledger struct {
	Requests int64 `json:"requests"` // answered with 2xx and acknowledged
	Receipts int64 `json:"receipts"` // in those requests
	Messages int64 `json:"messages"` // distinct message ids in those receipts
	Final    int64 `json:"final"`    // those of them whose second receipt, DELIVERED, was acknowledged too
	Spooled  int64 `json:"spooled"`  // requests acknowledged with queuedForRetry: rows that may come later

	Refused map[int]int64 `json:"refused,omitempty"` // requests that were not answered with 2xx, by status
	Broken  int64         `json:"broken"`            // requests without an answer: the connection failed
	Unsure  int64         `json:"unsure"`            // receipts in refused and broken requests; a server may have kept them

	Wrong       int64  `json:"wrong"`                  // requests answered with 2xx whose body does not acknowledge every receipt
	WrongSample string `json:"wrong_sample,omitempty"` // the first such body, cut short
}

// Rows counts what the database holds of a run.
type Rows struct {
	Messages int64 `json:"messages"` // rows with an id of the run
	Final    int64 `json:"final"`    // those of them with the status DELIVERED
	Receipts int64 `json:"receipts"` // receipts in the histories of those messages, or NotKept
}

// NotKept stands for a count in a database that keeps no history.
const NotKept = -1

func (l *Ledger) refuse(status, receipts int) {
	if l.Refused == nil {
		l.Refused = make(map[int]int64)
	}
	l.Refused[status]++
	l.Unsure += int64(receipts)
}

func (l *Ledger) wrong(body []byte, receipts int) {
	if l.Wrong == 0 {
		l.WrongSample = fmt.Sprintf("%.200s", body)
	}
	l.Wrong++
	l.Unsure += int64(receipts)
}

// Add joins the ledger of another connection, or of another run. The two must have no message id in common.
func (l *Ledger) Add(other *Ledger) {
	l.Requests += other.Requests
	l.Receipts += other.Receipts
	l.Messages += other.Messages
	l.Final += other.Final
	l.Spooled += other.Spooled
	l.Broken += other.Broken
	l.Unsure += other.Unsure
	l.Wrong += other.Wrong
	if l.WrongSample == "" {
		l.WrongSample = other.WrongSample
	}
	if l.Refused == nil {
		l.Refused = maps.Clone(other.Refused)
		return
	}
	for status, n := range other.Refused {
		l.Refused[status] += n
	}
}

// Failures is the number of requests that were not acknowledged.
func (l *Ledger) Failures() int64 {
	n := l.Broken + l.Wrong
	for _, refused := range l.Refused {
		n += refused
	}
	return n
}

// Verify compares the rows of the database with the account. Every acknowledged message must be
// there, in the state of its last acknowledged receipt, and nothing that was not sent.
//
// When every request was acknowledged, that means equal numbers; and since only ids that were sent
// are counted, equal numbers mean the same ids. A receipt without a 2xx may be there or not: the
// server promised nothing.
func (l *Ledger) Verify(rows Rows) error {
	if err := compare("messages", l.Messages, rows.Messages, l.Unsure); err != nil {
		return err
	}
	if err := compare("messages in state DELIVERED", l.Final, rows.Final, l.Unsure); err != nil {
		return err
	}
	if rows.Receipts != NotKept {
		if err := compare("receipts", l.Receipts, rows.Receipts, l.Unsure); err != nil {
			return err
		}
	}
	if l.Wrong > 0 {
		return fmt.Errorf("%d answers with 2xx do not acknowledge what was sent, such as %q", l.Wrong, l.WrongSample)
	}
	return nil
}

func compare(what string, acknowledged, found, unsure int64) error {
	switch {
	case found < acknowledged:
		return fmt.Errorf("LOST: %d %s acknowledged, %d in the database", acknowledged, what, found)
	case found > acknowledged+unsure:
		return fmt.Errorf("TOO MANY: %d %s acknowledged, %d more may have been kept, %d in the database",
			acknowledged, what, unsure, found)
	}
	return nil
}
