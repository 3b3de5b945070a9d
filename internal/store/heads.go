package store

import (
	"fmt"
	"strings"

	"github.com/cxbridge/cxbridge/internal/audit"
)

// HeadsQuery returns the SQL statement of AuditLog.AuditHeads: subject, seq and hash. Its parameters are the
// subject to start after and the limit, which are written as a sign ("$" or "?") and the numbers 1 and 2. The
// database is one that compares the ids of threads and the subjects of chains by their bytes.
//
// Threads whose subject is not their id are read apart from the others, by ranges of ids. So each part is
// in the order of the subjects and comes from an index, which is read no further than to the limit.
func HeadsQuery(sign string) string {
	const (
		others = `SELECT * FROM (SELECT subject, seq, hash FROM audit_heads
			WHERE subject > $1 ORDER BY subject LIMIT $2) AS others`
		plain = `SELECT * FROM (SELECT thread_id, audit_seq, audit_hash FROM threads
			WHERE thread_id > $1 AND audit_seq > 0 AND NOT (%s) ORDER BY thread_id LIMIT $2) AS plain`
		escaped = `SELECT * FROM (SELECT '` + audit.ThreadPrefix + `' || thread_id, audit_seq, audit_hash FROM threads
			WHERE %s AND '` + audit.ThreadPrefix + `' || thread_id > $1 AND audit_seq > 0 ORDER BY thread_id LIMIT $2) AS escaped`
	)
	parts, ranges := []string{others}, []string{}
	for _, s := range audit.EscapedThreads() {
		within := fmt.Sprintf("thread_id >= '%s' AND thread_id < '%s'", s.First, s.End)
		ranges = append(ranges, within)
		parts = append(parts, fmt.Sprintf(escaped, within))
	}
	parts = append(parts, fmt.Sprintf(plain, strings.Join(ranges, " OR ")))
	query := strings.Join(parts, " UNION ALL ") + " ORDER BY subject LIMIT $2"
	return strings.ReplaceAll(query, "$", sign)
}
