package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Differences returns how the CRM differs from what CXone has: one line for each difference, none
// when they are equal. Messages and participants are compared as sets by id, times as instants. The
// CRM's versions may be higher, because its other writers raise them. What those did must be there as
// they left it, in place of what CXone has. No line repeats a text.
func (c *CRM) Differences(cxone []Conversation) []string {
	c.mu.Lock()
	got := make([]Conversation, 0, len(c.threads))
	foreign := make(map[string]Foreign)
	for id, t := range c.threads {
		got = append(got, t.conversation(id))
		foreign[id] = t.foreign.clone()
	}
	c.mu.Unlock()
	return Differences(cxone, got, foreign)
}

// Differences compares conversations as they should be with those that are found. Foreign is by
// thread id. See CRM.Differences.
func Differences(want, got []Conversation, foreign map[string]Foreign) (lines []string) {
	found := make(map[string]Conversation, len(got))
	for _, c := range got {
		found[c.ThreadID] = c
	}
	for _, c := range want {
		other, isThere := found[c.ThreadID]
		if !isThere {
			lines = append(lines, fmt.Sprintf("thread %q is missing", c.ThreadID))
			continue
		}
		for _, line := range foreign[c.ThreadID].over(c).unlike(other) {
			lines = append(lines, fmt.Sprintf("thread %q %s", c.ThreadID, line))
		}
		delete(found, c.ThreadID)
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		lines = append(lines, fmt.Sprintf("thread %q should not be there", id))
	}
	return lines
}

// unlike returns how another conversation differs.
func (c Conversation) unlike(other Conversation) (lines []string) {
	if other.Version < c.Version {
		lines = append(lines, fmt.Sprintf("has version %d, not %d", other.Version, c.Version))
	}
	if exact := time.Microsecond; !other.UpdatedAt.Truncate(exact).Equal(c.UpdatedAt.Truncate(exact)) {
		lines = append(lines, fmt.Sprintf("was updated at %s, not at %s", other.UpdatedAt.UTC(), c.UpdatedAt.UTC()))
	}
	if is, want := other.parent(), c.parent(); is != want {
		lines = append(lines, fmt.Sprintf("is linked to %q, not to %q", is, want))
	}
	return slices.Concat(lines,
		unlikeSets("message", c.Messages, other.Messages, Message.id, Message.unlike),
		unlikeSets("participant", c.Participants, other.Participants, Participant.id, Participant.unlike))
}

func (c Conversation) parent() string {
	if c.ParentThreadID == nil {
		return ""
	}
	return *c.ParentThreadID
}

func unlikeSets[T any](kind string, want, got []T, id func(T) string, unlike func(T, T) []string) (lines []string) {
	wanted := make(map[string]T, len(want))
	for _, item := range want {
		wanted[id(item)] = item
	}
	seen := make(map[string]bool, len(got))
	for _, item := range got {
		key := id(item)
		wants, isWanted := wanted[key]
		switch {
		case seen[key]:
			lines = append(lines, fmt.Sprintf("has %s %q twice", kind, key))
		case !isWanted:
			lines = append(lines, fmt.Sprintf("has %s %q, and should not", kind, key))
		default:
			if fields := unlike(wants, item); len(fields) > 0 {
				lines = append(lines, fmt.Sprintf("has %s %q with another %s", kind, key, strings.Join(fields, ", ")))
			}
		}
		seen[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if !seen[key] {
			lines = append(lines, fmt.Sprintf("lacks %s %q", kind, key))
		}
	}
	return lines
}

// unlike names the fields in which another message differs.
func (m Message) unlike(other Message) []string {
	return unlikeFields(
		[3]string{"text", m.Text, other.Text},
		[3]string{"authorId", m.AuthorID, other.AuthorID},
		[3]string{"direction", m.Direction, other.Direction},
		[3]string{"timestamp", canonicalTime(m.Timestamp), canonicalTime(other.Timestamp)})
}

// unlike names the fields in which another participant differs.
func (p Participant) unlike(other Participant) []string {
	return unlikeFields(
		[3]string{"role", p.Role, other.Role},
		[3]string{"name", p.Name, other.Name},
		[3]string{"platformId", p.PlatformID, other.PlatformID})
}

// unlikeFields returns the names of fields, given as name and two values, whose values differ.
func unlikeFields(fields ...[3]string) (names []string) {
	for _, f := range fields {
		if f[1] != f[2] {
			names = append(names, f[0])
		}
	}
	return names
}

// over puts what other writers did in place of what CXone has.
func (f Foreign) over(c Conversation) Conversation {
	if f.Parent != nil {
		c.ParentThreadID = f.Parent
	}
	c.Messages = replace(c.Messages, f.Messages, Message.id)
	c.Participants = replace(c.Participants, f.Participants, Participant.id)
	return c
}

func replace[T any](items []T, by map[string]*T, id func(T) string) []T {
	kept := make([]T, 0, len(items)+len(by))
	for _, item := range items {
		if _, isForeign := by[id(item)]; !isForeign {
			kept = append(kept, item)
		}
	}
	for _, item := range by {
		if item != nil {
			kept = append(kept, *item)
		}
	}
	return kept
}

// canonicalTime writes a time in UTC, to the microsecond, because databases keep it no more exactly. It
// reads RFC 3339, and an offset without its colon; a text that cannot be read stays as it is.
func canonicalTime(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05Z0700", text)
	}
	if err != nil {
		return text
	}
	return at.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}
