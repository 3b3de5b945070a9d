package load

import (
	"bytes"
	"fmt"
	"strconv"
)

// The two receipts of a message: the first says PENDING, the second, three seconds later by its
// event time, DELIVERED. JSON allows blanks between tokens, so the shorter word is padded: every
// receipt has the same length, and a request is made by overwriting a few bytes of the last one.
var receiptForms = [2]struct{ status, timestamp string }{
	{`"PENDING"  `, `"2026-03-02T09:30:00.000Z"`},
	{`"DELIVERED"`, `"2026-03-02T09:30:03.000Z"`},
}

// Places in a receipt that are overwritten.
const (
	idMark        = "################"           // 16 hexadecimal digits
	statusMark    = "@@@@@@@@@@@"                // a JSON string and blanks
	timestampMark = "$$$$$$$$$$$$$$$$$$$$$$$$$$" // a JSON string
	areaMark      = "%%%"                        // an area code
	lineMark      = "&&"                         // the end of a number from 555-0100 to 555-0199, which are kept for fiction

	carrierMark = "^^^^^^^^^^^^" // a JSON string and blanks
	regionMark  = "**"           // ISO 3166-1 alpha-2
	milliMark   = "~~~"          // milliseconds
)

var areaCodes = [8]string{"202", "212", "303", "312", "404", "415", "512", "617"}

const receiptTemplate = `{"eventType":"messaging.status.update","payload":{` +
	`"messageId":"PREFIX-` + idMark + `-load-source","status":` + statusMark + `,"errorCode":null,"carrier":"TMOBILE",` +
	`"from":"+12025550142","to":"+1` + areaMark + `55501` + lineMark + `","timestamp":` + timestampMark + `}}`

// mixedTemplate is a receipt of any carrier and region, with a time of submission.
const mixedTemplate = `{"eventType":"messaging.status.update","payload":{` +
	`"messageId":"PREFIX-` + idMark + `-load-source","status":` + statusMark + `,"errorCode":null,"carrier":` + carrierMark + `,` +
	`"from":"+12025550142","to":"+1` + areaMark + `55501` + lineMark + `","region":"` + regionMark + `",` +
	`"submittedAt":"2026-03-02T09:29:59.` + milliMark + `Z","timestamp":` + timestampMark + `}}`

// The carriers and regions of mixed receipts.
var (
	Carriers = [...]string{"ATT", "ORANGE", "TELEFONICA", "TELSTRA", "TIM", "TMOBILE", "VERIZON", "VODAFONE"}
	Regions  = [...]string{"AU", "BR", "CA", "DE", "ES", "FR", "GB", "IN", "IT", "US"}
)

// source makes the requests of one connection. Message ids are as long as a UUID and as unordered, like
// those of a platform: ordered ones would spare the database's index a good part of its work.
type source struct {
	space  uint64 // the connection's number: the upper bits of all its ids
	repeat float64

	firsts uint64  // messages whose first receipt was sent
	debt   float64 // second receipts that are due, by the share

	// acked says which of the last messages had their first receipt acknowledged. A second
	// receipt follows len(acked) messages later, and only to a message of which we know that it
	// is there.
	acked []bool

	wire  []byte
	items []item
}

// item is a receipt in the request.
type item struct {
	id, status, timestamp, area, line []byte // its places in wire
	carrier, region, milli            []byte // nil unless the load is mixed

	message uint64 // which message of the connection it is about
	second  bool
}

// lagMessages is how many messages of one connection lie between the two receipts of one.
const lagMessages = 64

func newSource(cfg *Config, number int) *source {
	s := &source{space: uint64(number) << 40, repeat: cfg.Repeat}
	s.acked = make([]bool, max(lagMessages, cfg.Batch))
	template := receiptTemplate
	if cfg.Mixed {
		template = mixedTemplate
	}
	receipt := bytes.Replace([]byte(template), []byte("PREFIX"), []byte(cfg.Prefix), 1)
	body := receipt
	if cfg.Batch > 1 {
		body = append([]byte{'['}, bytes.Repeat(append(receipt, ','), cfg.Batch)...)
		body[len(body)-1] = ']'
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n", cfg.Path, cfg.Addr)
	for name, value := range cfg.Header {
		fmt.Fprintf(&head, "%s: %s\r\n", name, value)
	}
	fmt.Fprintf(&head, "Content-Length: %s\r\n\r\n", strconv.Itoa(len(body)))
	s.wire = append(head.Bytes(), body...)
	for rest := s.wire[head.Len():]; len(s.items) < max(1, cfg.Batch); {
		var it item
		it.id, rest = place(rest, idMark)
		it.status, rest = place(rest, statusMark)
		if cfg.Mixed {
			it.carrier, rest = place(rest, carrierMark)
		}
		it.area, rest = place(rest, areaMark)
		it.line, rest = place(rest, lineMark)
		if cfg.Mixed {
			it.region, rest = place(rest, regionMark)
			it.milli, rest = place(rest, milliMark)
		}
		it.timestamp, rest = place(rest, timestampMark)
		s.items = append(s.items, it)
	}
	return s
}

// place finds the next mark and returns it, and what follows it.
func place(b []byte, mark string) (found, rest []byte) {
	at := bytes.Index(b, []byte(mark))
	return b[at : at+len(mark)], b[at+len(mark):]
}

// next returns the bytes of the next request. They are valid until the next call.
func (s *source) next() []byte {
	for i := range s.items {
		it := &s.items[i]
		it.message, it.second = s.choose()
		s.fill(it)
	}
	return s.wire
}

// choose says which message the next receipt is about. The share of second receipts is at most one half, so
// between two of them there is a first one, and no message gets a third. The second receipt of a
// message whose first one was not acknowledged is left out.
func (s *source) choose() (message uint64, second bool) {
	if lag := uint64(len(s.acked)); s.firsts >= lag {
		s.debt += s.repeat
		if s.debt >= 1 {
			s.debt--
			if message := s.firsts - lag; s.acked[message%lag] {
				return message, true
			}
		}
	}
	s.firsts++
	return s.firsts - 1, false
}

func (s *source) fill(it *item) {
	const digits = "0123456789abcdef"
	hash := mix(s.space | it.message)
	for i := range it.id {
		it.id[i] = digits[hash>>(60-4*i)&15]
	}
	form := &receiptForms[0]
	if it.second {
		form = &receiptForms[1]
	}
	copy(it.status, form.status)
	copy(it.timestamp, form.timestamp)
	copy(it.area, areaCodes[hash&7])
	it.line[0], it.line[1] = '0'+byte(hash>>3%10), '0'+byte(hash>>7%10)
	if it.carrier != nil {
		it.mix(hash)
	}
}

// mix writes which carrier brought the message where, and when it was submitted: the same in both receipts
// of a message.
func (it *item) mix(hash uint64) {
	carrier := Carriers[hash>>16%uint64(len(Carriers))]
	it.carrier[0] = '"'
	rest := it.carrier[1+copy(it.carrier[1:], carrier):]
	rest[0] = '"'
	for i := range rest[1:] {
		rest[1+i] = ' '
	}
	copy(it.region, Regions[hash>>24%uint64(len(Regions))])
	it.milli[0], it.milli[1], it.milli[2] = '0'+byte(hash>>32%10), '0'+byte(hash>>36%10), '0'+byte(hash>>40%10)
}

// settle records the outcome of the last request in the ledger.
func (s *source) settle(acknowledged bool, l *Ledger) {
	for i := range s.items {
		it := &s.items[i]
		switch {
		case !it.second:
			s.acked[it.message%uint64(len(s.acked))] = acknowledged
			if acknowledged {
				l.Messages++
			}
		case acknowledged:
			l.Final++
		}
	}
	if acknowledged {
		l.Requests++
		l.Receipts += int64(len(s.items))
	}
}

// mix is the finalizer of splitmix64. It maps 64 bits to 64 bits one to one, so that ids which
// look random are as unique as the numbers they are made from.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
