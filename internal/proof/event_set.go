package proof

import "iter"

// threadEvent identifies an event of a thread, as far as its version does.
type threadEvent struct {
	threadID, kind string
	version        int64
}

// eventSet is a set of events of threads. A soak acknowledges millions of them, so each takes 16 bytes in a
// map without pointers, which the garbage collector does not scan. The zero eventSet is empty.
type eventSet struct {
	numbers map[string]uint32 // of threads and kinds, in the order of their arrival
	names   []string          // by their numbers
	events  map[packedEvent]struct{}
}

// packedEvent is a threadEvent with numbers in place of names.
type packedEvent struct {
	version      int64
	thread, kind uint32
}

func (s *eventSet) add(e threadEvent) {
	if s.events == nil {
		s.numbers, s.events = make(map[string]uint32), make(map[packedEvent]struct{})
	}
	s.events[packedEvent{e.version, s.number(e.threadID), s.number(e.kind)}] = struct{}{}
}

// number returns the number of a name; a new name gets the next one.
func (s *eventSet) number(name string) uint32 {
	n, known := s.numbers[name]
	if !known {
		n = uint32(len(s.names))
		s.numbers[name] = n
		s.names = append(s.names, name)
	}
	return n
}

func (s *eventSet) has(e threadEvent) bool {
	thread, knownThread := s.numbers[e.threadID]
	kind, knownKind := s.numbers[e.kind]
	_, ok := s.events[packedEvent{e.version, thread, kind}]
	return ok && knownThread && knownKind
}

// all iterates over the events, in no order.
func (s *eventSet) all() iter.Seq[threadEvent] {
	return func(yield func(threadEvent) bool) {
		for p := range s.events {
			if !yield(threadEvent{s.names[p.thread], s.names[p.kind], p.version}) {
				return
			}
		}
	}
}
