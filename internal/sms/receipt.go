package sms

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// Receipt is one delivery receipt, in canonical form. A text field is empty, a number is 0 and a
// time is zero when the receipt does not name it.
type Receipt struct {
	MessageID string    // as given: never read as a number, never changed in case or padding
	Status    Status    // canonical
	RawStatus string    // the gateway's own word
	At        time.Time // event time: UTC, whole microseconds
	Carrier   string
	ErrorCode string // as given; not always a number
	SenderID  string
	Recipient string
	Region    string    // ISO 3166-1 alpha-2, in capitals, when the payload itself names it
	Segments  int       // parts the message was sent in
	Submitted time.Time // when the message was handed to the carrier: UTC, whole microseconds
	Cost      string    // decimal number for the whole message, as given
	Currency  string    // ISO 4217, in capitals

	// RecipientRegion is the region of the recipient's number. Judge sets it, because it takes a
	// table of the world's numbering plans to know.
	RecipientRegion string

	Received time.Time // when it reached us: UTC, whole microseconds
	Raw      []byte    // the JSON text it was read from, in UTF-8: see UTF8
}

// Key identifies a receipt. Receipts with the same key are one receipt, delivered twice.
type Key [16]byte

// Key returns the receipt's identity: message id, canonical status and event time; for a receipt
// without an event time, every field that is read from the payload.
func (r *Receipt) Key() Key {
	h := make([]byte, 0, 256)
	h = appendField(h, r.MessageID)
	h = append(h, byte(r.Status))
	if !r.At.IsZero() {
		h = appendTime(append(h, 't'), r.At)
	} else {
		h = append(h, 'c')
		for _, s := range []string{r.RawStatus, r.Carrier, r.ErrorCode, r.SenderID, r.Recipient, r.Region, r.Cost, r.Currency} {
			h = appendField(h, s)
		}
		h = binary.AppendVarint(h, int64(r.Segments))
		h = appendTime(h, r.Submitted)
	}
	sum := sha256.Sum256(h)
	return Key(sum[:16])
}

// ParseKey reads back the bytes of a Key. It is for stores.
func ParseKey(b []byte) (Key, error) {
	if len(b) != len(Key{}) {
		return Key{}, fmt.Errorf("sms: a receipt key has %d bytes instead of %d", len(b), len(Key{}))
	}
	return Key(b), nil
}

// appendField writes the length before the text, so that ("ab","c") and ("a","bc") differ.
func appendField(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.BigEndian.AppendUint64(append(b, 1), uint64(t.UnixMicro()))
}
