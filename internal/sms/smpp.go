package sms

import (
	"cmp"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf16"
)

// unwrap fills in what the fields of a deliver_sm or data_sm say and the JSON fields do not.
func (it *item) unwrap(r *Receipt, zone *time.Location) {
	it.checkClass()
	text, source := it.receiptText(zone)
	if r.MessageID == "" {
		r.MessageID = it.receiptedID()
	}
	if r.RawStatus == "" {
		r.RawStatus = it.messageState()
	}
	if source.json != "" && !text.readable() && (r.MessageID == "" || r.RawStatus == "") {
		it.reject(source, "is not a delivery receipt")
	}
	if r.MessageID == "" && text.id != "" {
		if text.doubtfulID() {
			it.reject(source, "has an unknown label right behind the id: where the id ends cannot be told")
		} else {
			r.MessageID = it.checkID(text.id, source)
		}
	}
	if r.RawStatus == "" {
		r.RawStatus = it.checkWord(text.stat, source)
	}
	if r.ErrorCode == "" {
		r.ErrorCode = cmp.Or(it.checkWord(text.err, source), it.networkError())
	}
	if r.At.IsZero() {
		r.At = text.done
	}
	if r.Submitted.IsZero() {
		r.Submitted = text.submitted
	}
	if r.SenderID == "" || r.Recipient == "" {
		from, to := it.addresses()
		r.SenderID, r.Recipient = cmp.Or(r.SenderID, from), cmp.Or(r.Recipient, to)
	}
}

// messageType are the bits of esm_class that distinguish a message of the network, such as a receipt,
// from one of a subscriber. They are intermediateNotification in a message about a delivery that is
// still under way (SMPP v3.4, 5.2.12).
const (
	messageType              = 0b0011_1100
	intermediateNotification = 0b0010_0000
)

// checkClass refuses a message that does not come from the network itself.
func (it *item) checkClass() {
	text, v := it.textOf(esmClass)
	if text == "" {
		return
	}
	class, ok := parseClass(text, v)
	switch {
	case !ok:
		it.reject(v, "must be a number from 0 to 255")
	case class&messageType == 0:
		it.reject(v, "says that this is not a delivery receipt")
	}
}

// parseClass reads the text of esm_class. One with letters in it is hexadecimal.
func parseClass(text string, v value) (class int, ok bool) {
	return parseOctet(text, v.isHex() || !digits(strings.TrimSpace(text)))
}

// isIntermediate reports whether the message is an intermediate notification.
func (it *item) isIntermediate() bool {
	v := it.find(esmClass)
	text, _ := v.text()
	class, ok := parseClass(text, v)
	return ok && class&messageType == intermediateNotification
}

// underWay returns what a status of SMPP fields means in an intermediate notification.
//
// Such a notification says how a delivery is going, and the receipt with its outcome is still to come.
// A final state in it is therefore not final: treated as final it would stand above everything later
// that is not, and could outrank the outcome itself.
func underWay(s Status) Status {
	if s.Final() {
		return Pending
	}
	return s
}

// receiptText reads the receipt text: the short_message, or where that is empty the
// message_payload. It also returns the member it read, which is the zero value when there is no
// text.
func (it *item) receiptText(zone *time.Location) (receiptText, value) {
	for _, f := range [...]field{shortMessage, messagePayload} {
		octets, v := it.octets(f)
		if v.isHex() && it.isUCS2() {
			octets = decodeUCS2(octets)
		}
		if strings.TrimFunc(octets, blank) != "" {
			return parseReceiptText(octets, zone), v
		}
	}
	return receiptText{}, value{}
}

// octets returns the content of a field that is a string in the PDU. What comes in hexadecimal can
// be any bytes.
func (it *item) octets(f field) (octets string, v value) {
	text, v := it.textOf(f)
	if text == "" || !v.isHex() {
		return text, v
	}
	b, err := parseHex(text)
	if err != nil {
		it.reject(v, "must be hexadecimal")
	}
	return string(b), v
}

// parseHex reads hexadecimal digits, with or without 0x before them and spaces between them.
func parseHex(text string) ([]byte, error) {
	text = strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	return hex.DecodeString(trim0x(text))
}

func trim0x(text string) string {
	if len(text) > 2 && (text[:2] == "0x" || text[:2] == "0X") {
		return text[2:]
	}
	return text
}

const ucs2 = 8 // data_coding of UCS-2, most significant octet first

func (it *item) isUCS2() bool {
	v := it.find(dataCoding)
	text, _ := v.text()
	coding, ok := parseOctet(text, v.isHex())
	return ok && coding == ucs2
}

// decodeUCS2 turns UTF-16 into UTF-8. A byte-order mark and an odd octet at the end are dropped.
func decodeUCS2(octets string) string {
	units := make([]uint16, len(octets)/2)
	for i := range units {
		units[i] = uint16(octets[2*i])<<8 | uint16(octets[2*i+1])
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}

// addresses returns the sender and the recipient of the message that the receipt is about.
//
// A receipt travels the other way, so SMPP has its addresses reversed: source_addr is where the
// message went. Some gateways leave them as they were in the message. That shows when the source is a
// name or a short code, and the destination, if any, is a subscriber's number.
func (it *item) addresses() (from, to string) {
	source, destination := it.address(sourceAddr), it.address(destinationAddr)
	if source != "" && !subscriber(source) && (destination == "" || subscriber(destination)) {
		return source, destination
	}
	return destination, source
}

func (it *item) address(f field) string {
	text, v := it.octets(f)
	if text == "" {
		return ""
	}
	return it.checkWord(cString(text), v)
}

// subscriber reports whether an address can be the number of a phone, with its country code: 7 to
// 15 digits (ITU-T E.164).
func subscriber(address string) bool {
	number := strings.TrimPrefix(address, "+")
	return len(number) >= 7 && len(number) <= 15 && digits(number)
}
