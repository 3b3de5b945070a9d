package sms

import (
	"strings"
	"time"
)

// receiptText is what the text of an SMPP delivery receipt says (SMPP v3.4, appendix B):
//
//	id:… sub:… dlvrd:… submit date:… done date:… stat:… err:… text:…
//
// A value is "" and a date zero when the text does not give it. The counts sub and dlvrd are about
// distribution lists, and text is the beginning of the message; neither is kept.
type receiptText struct {
	id        string
	stat      string
	err       string // not always a number
	submitted time.Time
	done      time.Time
}

// readable reports whether the text is a delivery receipt at all.
func (t *receiptText) readable() bool { return t.id != "" || t.stat != "" }

// doubtfulID reports whether the id holds something like a label, as in "AB CD:EF" or "123 mnc:15". It
// may be a part of the id or the field of a vendor, and a wrong guess would name another message.
func (t *receiptText) doubtfulID() bool {
	for i := range len(t.id) {
		if t.id[i] == ':' && wordBefore(t.id, i) > 0 {
			return true
		}
	}
	return false
}

// label is a label of a receipt text.
type label uint8

const (
	noLabel label = iota // before the first label, and for labels of vendors that we do not read
	idLabel
	subLabel
	dlvrdLabel
	submitLabel
	doneLabel
	statLabel
	errLabel
	textLabel
	labelCount
)

// parseReceiptText reads the text of a receipt. The bytes need not be UTF-8: the labels are ASCII
// in every encoding but UCS-2, and what stands behind text: is not looked at.
//
// Labels come in any order and case. A label begins the text or follows a space, so that ids and
// words may hold colons. If a label comes twice, the first one with a value counts; a placeholder is
// not a value, whatever follows it.
//
// An id may hold spaces and colons. It ends only at a label that we know: cut at any other, it would
// name another message. A vendor's field right behind an id is therefore part of it, and makes it
// doubtful. What follows text: is the message, in which labels do not count, unless the next label
// that we know follows at once.
//
// Of the other values only the first word counts, because some gateways put the message behind err
// without a label. They end at every label, so that the field of a vendor never fills in for a
// missing value.
//
// Dates without an offset are in the zone.
func parseReceiptText(text string, zone *time.Location) receiptText {
	var values [labelCount]string
	current, begin := noLabel, 0
	keep := func(value string) {
		if current != idLabel {
			value = firstWord(value)
		}
		if values[current] == "" && !placeholder(firstWord(value)) {
			values[current] = value
		}
	}
	for at := 0; ; {
		i := strings.IndexByte(text[at:], ':')
		if i < 0 {
			break
		}
		colon := at + i
		at = colon + 1
		next, start := labelBefore(text, colon)
		if start < 0 || next == noLabel && (current == idLabel || current == textLabel) {
			continue
		}
		value := strings.TrimFunc(text[begin:start], blank)
		if current == textLabel && value != "" {
			break
		}
		keep(value)
		current, begin = next, colon+1
	}
	keep(strings.TrimFunc(text[begin:], blank))
	return receiptText{
		id: values[idLabel], stat: values[statLabel], err: values[errLabel],
		submitted: parseReceiptDate(values[submitLabel], zone),
		done:      parseReceiptDate(values[doneLabel], zone),
	}
}

// labelBefore returns the label whose colon is at an index, and where it starts: -1 when the colon
// does not end a label.
func labelBefore(text string, colon int) (l label, start int) {
	start = wordBefore(text, colon)
	if start < 0 {
		return noLabel, -1
	}
	switch word := text[start:colon]; {
	case strings.EqualFold(word, "date"):
		return dateLabel(text, start)
	case strings.EqualFold(word, "id"):
		return idLabel, start
	case strings.EqualFold(word, "stat"):
		return statLabel, start
	case strings.EqualFold(word, "err"):
		return errLabel, start
	case strings.EqualFold(word, "text"):
		return textLabel, start
	case strings.EqualFold(word, "sub"):
		return subLabel, start
	case strings.EqualFold(word, "dlvrd"):
		return dlvrdLabel, start
	case strings.EqualFold(word, "submitdate"), strings.EqualFold(word, "submit_date"):
		return submitLabel, start
	case strings.EqualFold(word, "donedate"), strings.EqualFold(word, "done_date"):
		return doneLabel, start
	}
	return noLabel, start
}

// dateLabel distinguishes "submit date" from "done date" by the word before the one that starts at an
// index.
func dateLabel(text string, date int) (l label, start int) {
	end := len(strings.TrimRightFunc(text[:date], blank))
	if start = wordBefore(text, end); start >= 0 {
		switch word := text[start:end]; {
		case strings.EqualFold(word, "submit"):
			return submitLabel, start
		case strings.EqualFold(word, "done"):
			return doneLabel, start
		}
	}
	return noLabel, date
}

// wordBefore returns the start of the word that ends before an index, or -1 when there is none. A word
// begins with a letter, at the start of the text or after a space.
func wordBefore(text string, end int) int {
	start := end
	for start > 0 && inWord(text[start-1]) {
		start--
	}
	if start == end || !letter(text[start]) || start > 0 && !blank(rune(text[start-1])) {
		return -1
	}
	return start
}

func inWord(c byte) bool { return letter(c) || c >= '0' && c <= '9' || c == '_' || c == '-' }

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// blank holds for spaces and for the control characters, NUL among them, that pad the fields of a
// PDU.
func blank(r rune) bool { return r <= ' ' }

func firstWord(s string) string {
	if i := strings.IndexFunc(s, blank); i >= 0 {
		return s[:i]
	}
	return s
}

// placeholder holds for a word that gateways write in place of a value that they do not have.
func placeholder(s string) bool {
	return strings.Trim(s, ".") == "" || strings.EqualFold(s, "null")
}
