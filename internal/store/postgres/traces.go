package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
)

// textColumns lists the columns that can hold text, of every table of the schema, so that none is forgotten.
const textColumns = `SELECT c.table_name, array_agg(c.column_name::text ORDER BY c.ordinal_position),
		array_agg(c.data_type = 'bytea' ORDER BY c.ordinal_position)
	FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
	WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.data_type IN
		('text', 'character varying', 'character', 'name', 'json', 'jsonb', 'xml', 'bytea', 'ARRAY', 'USER-DEFINED')
	GROUP BY c.table_name ORDER BY c.table_name`

// textTable is a table with its columns that can hold text.
type textTable struct {
	Name    string
	Columns []string
	IsBytes []bool
}

// Traces implements store.Archive.
func (s *Store) Traces(ctx context.Context, p store.Person) (map[string]int, error) {
	seeker := p.Seeker()
	traces := make(map[string]int)
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.reads, snapshot, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, textColumns)
		if err != nil {
			return err
		}
		tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[textTable])
		if err != nil {
			return err
		}
		for _, t := range tables {
			n, err := tracesIn(ctx, tx, seeker, &t)
			if err != nil {
				return err
			}
			if n > 0 {
				traces[t.Name] = n
			}
		}
		return nil
	})
	if err != nil {
		return nil, failed("look for traces", err)
	}
	return traces, nil
}

// query selects the rows of the table that may name the person, each column as bytes. The needles are
// the parameter.
func (t *textTable) query() string {
	var selected, conditions []string
	for i, name := range t.Columns {
		column := pgx.Identifier{name}.Sanitize()
		if t.IsBytes[i] {
			selected, conditions = append(selected, column), append(conditions, hasNeedleBytes(column, "$1"))
			continue
		}
		selected = append(selected, "convert_to("+column+"::text, 'UTF8')")
		conditions = append(conditions, hasNeedle(column+"::text", "$1"))
	}
	return "SELECT " + strings.Join(selected, ", ") + " FROM " + pgx.Identifier{t.Name}.Sanitize() + " WHERE " + strings.Join(conditions, " OR ")
}

// tracesIn counts the rows of a table that name the person.
func tracesIn(ctx context.Context, tx pgx.Tx, seeker *store.Seeker, t *textTable) (n int, err error) {
	rows, err := tx.Query(ctx, t.query(), seeker.Needles())
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values, into := make([][]byte, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
		found := make(map[string][]byte, len(values))
		for i, v := range values {
			found[t.Columns[i]] = v
		}
		if seeker.InRow(t.Name, found) {
			n++
		}
	}
	return n, rows.Err()
}
