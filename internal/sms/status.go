package sms

import (
	"fmt"
	"strings"
)

// Status is the canonical state of a message. The numeric order is the one that decides between
// two receipts of the same finality and the same event time: the greater wins.
type Status uint8

// The canonical statuses. Pending and Unknown may still change; the others are final.
const (
	Pending Status = iota + 1
	Unknown
	Expired
	Rejected
	Failed
	Delivered
)

var statusNames = [...]string{
	Pending: "PENDING", Unknown: "UNKNOWN", Expired: "EXPIRED",
	Rejected: "REJECTED", Failed: "FAILED", Delivered: "DELIVERED",
}

// statusWords maps every word that gateways are known to send, in upper case: the eight `stat`
// values of SMPP v3.4 appendix B, their misspellings in the field, and the words of the JSON APIs of
// carriers.
var statusWords = map[string]Status{
	"PENDING": Pending, "QUEUED": Pending, "SENT": Pending, "SENDING": Pending,
	"SUBMITTED": Pending, "ACCEPTED": Pending, "ACCEPTD": Pending, "ENROUTE": Pending,
	"SCHEDULED": Pending, "DISPATCHED": Pending,
	"BUFFERED": Pending, "BUFFERD": Pending, "BUFFRED": Pending,

	"DELIVERED": Delivered, "DELIVRD": Delivered, "SEEN": Delivered, "READ": Delivered,
	"ACKED": Delivered,

	"FAILED": Failed, "UNDELIV": Failed, "UNDELIVERED": Failed, "UNDELIVERABLE": Failed,
	"DELETED": Failed, "ABORTED": Failed, "CANCELLED": Failed, "ERROR": Failed,

	"REJECTED": Rejected, "REJECTD": Rejected, "SKIPPED": Rejected, "BLOCKED": Rejected,

	"EXPIRED": Expired,
}

// StatusOf maps the word of a gateway, in any case and with spaces around it, to its canonical
// status. A word that is not known is Unknown: the caller keeps the raw text beside it.
func StatusOf(word string) Status {
	if s, ok := statusWords[word]; ok {
		return s
	}
	if s, ok := statusWords[strings.ToUpper(strings.TrimSpace(word))]; ok {
		return s
	}
	return Unknown
}

// ParseStatus reads back what String wrote. It is for stores; StatusOf is for gateways.
func ParseStatus(name string) (Status, error) {
	for s, n := range statusNames {
		if n != "" && n == name {
			return Status(s), nil
		}
	}
	return 0, fmt.Errorf("sms: %q is not a canonical status", name)
}

// Final reports whether no later receipt is expected after this status.
func (s Status) Final() bool { return s >= Expired }

// String returns the canonical name, in capitals, as stored and as shown.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}
