package audit

import "strconv"

// ErasureSubject names the chain that says that people were erased, and never who.
const ErasureSubject = "erasure"

// The names of all other chains begin with one of these prefixes.
const (
	messagePrefix    = "message:"
	deadLetterPrefix = "dead-letter:"
	alarmPrefix      = "alarm:"
)

// ThreadPrefix is what ThreadSubject puts in front of an id.
const ThreadPrefix = "thread:"

// MessageSubject names the chain of an SMS message.
func MessageSubject(id string) string { return messagePrefix + id }

// DeadLetterSubject names the chain of a dead letter.
func DeadLetterSubject(id int64) string { return deadLetterPrefix + strconv.FormatInt(id, 10) }

// AlarmSubject names the chain of an alarm. No name of an alarm has a colon in it.
func AlarmSubject(name, subject string) string { return alarmPrefix + name + ":" + subject }

// ThreadSubject names the chain of a thread: by its id, or by ThreadPrefix and the id where the id alone
// could name another chain. No two threads share a chain, and no thread shares one with anything else.
func ThreadSubject(id string) string {
	for _, s := range escaped {
		if s.First <= id && id < s.End {
			return ThreadPrefix + id
		}
	}
	return id
}

// Span is a range of texts in the order of their bytes: from First on, and before End.
type Span struct{ First, End string }

// escaped are the ids that get the prefix. Whoever adds a chain above adds its name here. Space is the
// first printable character, so the span of ErasureSubject holds that id alone.
var escaped = []Span{
	startingWith(alarmPrefix), startingWith(deadLetterPrefix), {ErasureSubject, ErasureSubject + " "},
	startingWith(messagePrefix), startingWith(ThreadPrefix),
}

// startingWith returns the texts that start with a prefix that ends with a colon: the next character after
// a colon is a semicolon.
func startingWith(prefix string) Span { return Span{prefix, prefix[:len(prefix)-1] + ";"} }

// EscapedThreads returns the ids to which ThreadSubject adds the prefix, as spans in their order that do not
// overlap. It is for the SQL of the stores, in which the bounds can stand as they are: none holds a quote.
func EscapedThreads() []Span { return escaped }
