package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cxbridge/cxbridge/internal/store"
)

// Traces implements store.Archive. The catalogue tells which tables and columns there are, so that none
// is forgotten.
func (s *Store) Traces(ctx context.Context, p store.Person) (map[string]int, error) {
	seeker := p.Seeker()
	tables, err := query(ctx, s.readers, scanColumns, `SELECT m.name, json_group_array(c.name)
		FROM sqlite_schema m CROSS JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND c.type NOT IN ('INTEGER', 'INT', 'REAL')
		GROUP BY m.name ORDER BY m.name`)
	if err != nil {
		return nil, failed("look for traces", err)
	}
	traces := make(map[string]int)
	for _, t := range tables {
		n, err := s.tracesIn(ctx, seeker, t)
		if err != nil {
			return nil, failed("look for traces in "+t.name, err)
		}
		if n > 0 {
			traces[t.name] = n
		}
	}
	return traces, nil
}

// tableColumns are the columns of a table by their names.
type tableColumns struct {
	name    string
	columns []string
}

func scanColumns(r row) (t tableColumns, err error) {
	var list []byte
	if err := r.Scan(&t.name, &list); err != nil {
		return t, err
	}
	err = json.Unmarshal(list, &t.columns)
	return t, err
}

// tracesIn counts the rows of a table that name the person. Any value is looked at as the bytes of its
// text.
func (s *Store) tracesIn(ctx context.Context, seeker *store.Seeker, t tableColumns) (n int, err error) {
	quoted, selected := make([]string, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		quoted[i] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		selected[i] = "CAST(" + quoted[i] + " AS BLOB)"
	}
	rows, err := s.readers.QueryContext(ctx, fmt.Sprintf(`SELECT %s FROM "%s" WHERE %s`,
		strings.Join(selected, ", "), t.name, hasNeedle(quoted...)), jsonList(seeker.Needles()))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values, into := make([]sql.RawBytes, len(t.columns)), make([]any, len(t.columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
		found := make(map[string][]byte, len(values))
		for i, v := range values {
			found[t.columns[i]] = v
		}
		if seeker.InRow(t.name, found) {
			n++
		}
	}
	return n, rows.Err()
}
