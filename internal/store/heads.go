package store

import (
	"fmt"
	"strings"

	"github.com/cxbridge/cxbridge/internal/audit"
)

// headPart is a part of the threads, by their ids, whose subjects are in the order of the ids: each is the
// prefix and the id. Without an End it has all ids from First on.
type headPart struct {
	audit.Span
	prefix string
}

// headParts are all threads: those that are escaped, and those before, between and after them.
var headParts = func() (parts []headPart) {
	rest := audit.Span{}
	for _, escaped := range audit.EscapedThreads() {
		rest.End = escaped.First
		parts = append(parts, headPart{rest, ""}, headPart{escaped, audit.ThreadPrefix})
		rest = audit.Span{First: escaped.End}
	}
	return append(parts, headPart{rest, ""})
}()

// HeadsQuery returns the SQL statement of AuditLog.AuditHeads: subject, seq and hash. Its parameters are
// HeadsArguments, written as a sign ("$" or "?") and a number from 1 on. The database is one that compares
// the ids of threads and the subjects of chains by their bytes.
//
// Each part of the threads comes from the index of their ids, from an argument of its own on and no further
// than to the limit. The condition on the subject is an expression also where the prefix is empty, so that no
// database begins to read there instead.
func HeadsQuery(sign string) string {
	const others = `SELECT * FROM (SELECT subject, seq, hash FROM audit_heads
		WHERE subject > $1 ORDER BY subject LIMIT $2) AS others`
	parts := []string{others}
	for i, p := range headParts {
		ids := fmt.Sprintf("thread_id >= $%d", i+3)
		if p.End != "" {
			ids += fmt.Sprintf(" AND thread_id < '%s'", p.End)
		}
		parts = append(parts, fmt.Sprintf(`SELECT * FROM (SELECT '%[1]s' || thread_id, audit_seq, audit_hash FROM threads
			WHERE %[2]s AND '%[1]s' || thread_id > $1 AND audit_seq > 0 ORDER BY thread_id LIMIT $2) AS part%[3]d`, p.prefix, ids, i))
	}
	query := strings.Join(parts, " UNION ALL ") + " ORDER BY subject LIMIT $2"
	return strings.ReplaceAll(query, "$", sign)
}

// HeadsArguments returns the arguments of HeadsQuery for the subjects after one. Besides the subject and the
// limit there is for each part the id to read it from, before which there are no later subjects.
func HeadsArguments(after string, limit int) []any {
	args := []any{after, limit}
	for _, p := range headParts {
		args = append(args, p.from(after))
	}
	return args
}

// from returns the id to read the part from: none before it has a subject after that one, and all after it
// have.
func (p headPart) from(after string) string {
	id, hasPrefix := strings.CutPrefix(after, p.prefix)
	if !hasPrefix && after < p.prefix {
		return p.First
	}
	return max(p.First, id) // without the prefix, after is after every subject, and after every id too
}
