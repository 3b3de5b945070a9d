package thread

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Stamp orders the events that name one register of a thread: the value with the highest stamp is
// the register's. The zero Stamp is below every other.
type Stamp struct {
	Version   int64     // of the thread, as CXone counts it; from 0
	UpdatedAt time.Time // UTC, whole microseconds; zero when the event names none
	Hash      Hash      // of the value that the event gives to the register: settles ties
}

// Compare returns -1, 0 or 1, as s is below, equal to or above t.
func (s Stamp) Compare(t Stamp) int {
	if c := cmp.Compare(s.Version, t.Version); c != 0 {
		return c
	}
	if c := s.UpdatedAt.Compare(t.UpdatedAt); c != 0 {
		return c
	}
	return bytes.Compare(s.Hash[:], t.Hash[:])
}

// Hash identifies a value. The zero Hash is that of no value.
type Hash [16]byte

// HashOf returns the hash of a value.
func HashOf(value []byte) Hash {
	sum := sha256.Sum256(value)
	return Hash(sum[:len(Hash{})])
}

// MarshalText writes the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return hex.ErrLength
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// IsZero reports whether there is no value.
func (h Hash) IsZero() bool { return h == Hash{} }
