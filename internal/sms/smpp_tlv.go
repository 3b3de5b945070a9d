package sms

import (
	"strconv"
	"strings"
)

// stateNames are the names of message_state, by its value (SMPP v3.4, 5.2.28; 0 and 9 are of v5.0).
var stateNames = [...]string{
	"SCHEDULED", "ENROUTE", "DELIVERED", "EXPIRED", "DELETED",
	"UNDELIVERABLE", "ACCEPTED", "UNKNOWN", "REJECTED", "SKIPPED",
}

// messageState returns the name of message_state, which is given as a number or by name. A number
// without a name stands for itself.
func (it *item) messageState() string {
	text, v := it.textOf(messageState)
	if text == "" {
		return ""
	}
	state, ok := parseOctet(text, v.isHex())
	switch {
	case !ok:
		return it.checkWord(text, v)
	case state < len(stateNames):
		return stateNames[state]
	}
	return strconv.Itoa(state)
}

// receiptedID returns receipted_message_id, the id of the message that the receipt is about. Where
// the receipt text names the same number in another base, this form is the id.
func (it *item) receiptedID() string {
	text, v := it.octets(receiptedMessageID)
	if text = cString(text); text == "" {
		return ""
	}
	return it.checkID(text, v)
}

// networkError returns the error in network_error_code, in decimal, or "" where it cannot be read.
// In the PDU it is three octets: the type of the network and the error, most significant octet
// first. It comes as
//
//	17         the error; above 65535, the three octets as one number
//	"3:17"     type and error
//	"030011"   the octets
//	"303137"   the same, of gateways that write three ASCII digits instead: "017"
func (it *item) networkError() string {
	v := it.find(networkErrorCode)
	text, _ := v.text()
	text = strings.TrimSpace(text)
	_, code, typed := strings.Cut(text, ":")
	switch {
	case typed:
		return errorNumber(strings.TrimSpace(code), 16)
	case v.isHex():
	case v.isNumber():
		return errorNumber(text, 24)
	case digits(text) && len(text) != 6:
		return errorNumber(text, 16)
	}
	octets, err := parseHex(text)
	switch {
	case err != nil || len(octets) != 3:
		return ""
	case digits(string(octets)):
		return string(octets)
	}
	return strconv.Itoa(int(octets[1])<<8 | int(octets[2]))
}

// errorNumber reads an error of 16 bits, or one of 24 with the network type in front.
func errorNumber(text string, bits int) string {
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return ""
	}
	return strconv.FormatUint(n&0xffff, 10)
}

// parseOctet reads a number from 0 to 255. It is in base 16 when so asked or when it begins
// with 0x.
func parseOctet(text string, hexadecimal bool) (n int, ok bool) {
	text = strings.TrimSpace(text)
	base := 10
	if number := trim0x(text); hexadecimal || number != text {
		text, base = number, 16
	}
	u, err := strconv.ParseUint(text, base, 8)
	return int(u), err == nil
}

// cString returns what stands before the NUL that ends a string in a PDU.
func cString(octets string) string {
	before, _, _ := strings.Cut(octets, "\x00")
	return before
}
