package analytics

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"time"
)

// The encoding of a Delta, version 1. Numbers are varints, signed ones in zigzag, as encoding/binary
// has them.
//
//	version
//	texts    count, then length and bytes of each: what the keys name, each text once
//	counts   of messages, and then of final receipts: number of keys, then of each: second less that
//	         of the key before, the places of carrier, region and currency among the texts, a mask of
//	         the fields that follow, fields
//	latency  number of seconds, then of each: second less the one before, mask, fields
//
// Fields of 0 are left out. The last field, the histogram, is a number of bins, and of each its
// index less the one before and its count.
const encodingVersion = 1

// ErrEncoding says that bytes are not an encoded Delta of a version that this program knows.
var ErrEncoding = errors.New("analytics: not an encoded delta")

// Encode returns the Delta as bytes. Equal Deltas have equal bytes.
func (d *Delta) Encode() []byte {
	entries, seconds := d.entries(), d.seconds()
	places := make(map[string]uint64)
	var texts []byte
	place := func(text string) uint64 {
		p, known := places[text]
		if !known {
			p = uint64(len(places))
			places[text] = p
			texts = binary.AppendUvarint(texts, uint64(len(text)))
			texts = append(texts, text...)
		}
		return p
	}
	body := make([]byte, 0, 32*len(entries)+64*len(seconds)+8)
	messages, _ := slices.BinarySearchFunc(entries, true, func(e *entry, _ bool) int {
		if e.key.Final {
			return 0
		}
		return -1
	})
	for _, part := range [][]*entry{entries[:messages], entries[messages:]} {
		body = binary.AppendUvarint(body, uint64(len(part)))
		before := int64(0)
		for _, e := range part {
			body = binary.AppendVarint(body, e.key.Second-before)
			before = e.key.Second
			body = binary.AppendUvarint(body, place(e.key.Carrier))
			body = binary.AppendUvarint(body, place(e.key.Region))
			body = binary.AppendUvarint(body, place(e.key.Currency))
			fields := e.fields()
			body = appendFields(body, fields[:], &e.Times)
		}
	}
	body = binary.AppendUvarint(body, uint64(len(seconds)))
	before := int64(0)
	for _, second := range seconds {
		body = binary.AppendVarint(body, second-before)
		before = second
		l := d.latency[second]
		fields := [latencyFields]int64{l.Receipts, l.Within, int64(l.Sum)}
		body = appendFields(body, fields[:], &l.Times)
	}
	out := make([]byte, 0, 4+len(texts)+len(body))
	out = binary.AppendUvarint(out, encodingVersion)
	out = binary.AppendUvarint(out, uint64(len(places)))
	out = append(out, texts...)
	return append(out, body...)
}

// fields are the numbers of the counts, in the order in which they are written.
func (c *Counts) fields() (f [countFields]int64) {
	n := copy(f[:], c.byStatus[:])
	f[n], f[n+1], f[n+2], f[n+3] = c.Flagged, c.Segments, int64(c.Cost), c.TimeSum
	return f
}

func (c *Counts) setFields(f []int64) {
	copy(c.byStatus[:], f)
	f = f[statuses:]
	c.Flagged, c.Segments, c.Cost, c.TimeSum = f[0], f[1], Money(f[2]), f[3]
}

const (
	countFields   = statuses + 4
	latencyFields = 3
)

func appendFields(b []byte, fields []int64, times *Histogram) []byte {
	mask := uint64(0)
	for i, n := range fields {
		if n != 0 {
			mask |= 1 << i
		}
	}
	if len(times.bins) > 0 {
		mask |= 1 << len(fields)
	}
	b = binary.AppendUvarint(b, mask)
	for _, n := range fields {
		if n != 0 {
			b = binary.AppendVarint(b, n)
		}
	}
	if len(times.bins) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(times.bins)))
	before := uint16(0)
	for _, t := range times.bins {
		b = binary.AppendUvarint(b, uint64(t.index-before))
		b = binary.AppendVarint(b, t.n)
		before = t.index
	}
	return b
}

// Decode reads back what Encode wrote. The error is ErrEncoding.
func Decode(encoded []byte) (*Delta, error) {
	d := new(Delta)
	if err := d.MergeEncoded(encoded); err != nil {
		return nil, err
	}
	return d, nil
}

// MergeEncoded adds an encoded Delta. After an error, which is ErrEncoding, a part of it may have
// been added.
func (d *Delta) MergeEncoded(encoded []byte) error {
	return walk(encoded,
		func(key *Key, c *Counts) { d.at(key).merge(c) },
		func(second int64, l *Latency) { d.latencyAt(second).merge(l) })
}

// walk reads an encoded Delta and visits what is in it. What it passes to a visit is valid until the
// visit returns.
func walk(encoded []byte, counts func(*Key, *Counts), latency func(int64, *Latency)) error {
	r := reader{bytes: encoded, ok: true}
	if r.uvarint() != encodingVersion {
		return ErrEncoding
	}
	texts := make([]string, r.length())
	for i := range texts {
		texts[i] = r.text()
	}
	var fields [countFields]int64
	var key Key
	var c Counts
	for _, final := range [...]bool{false, true} {
		key = Key{Final: final}
		for range r.length() {
			key.Second += r.varint()
			key.Carrier, key.Region, key.Currency = r.textOf(texts), r.textOf(texts), r.textOf(texts)
			c.reset()
			r.fields(fields[:], &c.Times)
			c.setFields(fields[:])
			if !r.ok {
				return ErrEncoding
			}
			counts(&key, &c)
		}
	}
	var l Latency
	second := int64(0)
	for range r.length() {
		second += r.varint()
		l.reset()
		r.fields(fields[:latencyFields], &l.Times)
		l.Receipts, l.Within, l.Sum = fields[0], fields[1], time.Duration(fields[2])
		if !r.ok {
			return ErrEncoding
		}
		latency(second, &l)
	}
	if !r.ok || r.at < len(encoded) {
		return ErrEncoding
	}
	return nil
}

// reader reads the bytes one value after the other. Once something could not be read, it is not ok, and
// all that follows is 0.
type reader struct {
	bytes []byte
	at    int
	ok    bool
}

func (r *reader) fail() { r.at, r.ok = len(r.bytes), false }

func (r *reader) uvarint() uint64 {
	if r.at < len(r.bytes) && r.bytes[r.at] < 0x80 { // most are so small
		r.at++
		return uint64(r.bytes[r.at-1])
	}
	v, n := binary.Uvarint(r.bytes[r.at:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.at += n
	return v
}

func (r *reader) varint() int64 { return signed(r.uvarint()) }

// signed undoes the zigzag.
func signed(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// length reads a number of things that take at least a byte each.
func (r *reader) length() int {
	n := r.uvarint()
	if n > uint64(len(r.bytes)-r.at) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.length()
	r.at += n
	return string(r.bytes[r.at-n : r.at])
}

func (r *reader) textOf(texts []string) string {
	place := r.uvarint()
	if place >= uint64(len(texts)) {
		r.fail()
		return ""
	}
	return texts[place]
}

func (r *reader) fields(fields []int64, times *Histogram) {
	mask := r.uvarint()
	if bits.Len64(mask) > len(fields)+1 {
		r.fail()
		mask = 0
	}
	for i := range fields {
		fields[i] = 0
		if mask&(1<<i) != 0 {
			fields[i] = r.varint()
		}
	}
	if mask&(1<<len(fields)) != 0 {
		r.bins(times)
	}
}

func (r *reader) bins(times *Histogram) {
	n := r.length()
	bins := slices.Grow(times.bins[:0], n)[:n]
	times.bins = bins
	b, at, index := r.bytes, r.at, uint64(0) // locals: there are many bins
	for i := range bins {
		var gap uint64
		var count int64
		if at+1 < len(b) && b[at]|b[at+1] < 0x80 { // as most are
			gap, count = uint64(b[at]), signed(uint64(b[at+1]))
			at += 2
		} else {
			r.at = at
			gap, count = r.uvarint(), r.varint()
			at = r.at
		}
		index += gap
		if gap > maxBucket || index > maxBucket || gap == 0 && i > 0 {
			r.fail()
			return
		}
		bins[i] = bin{index: uint16(index), n: count}
	}
	r.at = at
}
