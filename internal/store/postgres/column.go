package postgres

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// column is a column of a table that many rows are written to by one statement: its name, its type,
// and its values in the rows, as an array of that type.
type column[Row any] struct {
	name, kind string
	array      func([]Row) array
	cast       string // the type of the column, where it is another; "" where it is not
}

// as casts the values to the type of the column.
func (c column[Row]) as(kind string) column[Row] {
	c.cast = "::" + kind
	return c
}

// columns are the columns of a statement, in the order of its parameters.
type columns[Row any] []column[Row]

// unnest selects the rows from the parameters. In the select list the arrays are unnested side by side, row by
// row. In FROM each of them would first be stored as a table, which costs more than the insert.
func (c columns[Row]) unnest() string {
	selected := make([]string, len(c))
	for i, column := range c {
		selected[i] = fmt.Sprintf("unnest($%d::%s[])%s AS %s", i+1, column.kind, column.cast, column.name)
	}
	return "SELECT " + strings.Join(selected, ", ")
}

// names lists the columns, as INSERT and SELECT do.
func (c columns[Row]) names() string {
	names := make([]string, len(c))
	for i, column := range c {
		names[i] = column.name
	}
	return strings.Join(names, ", ")
}

// assign gives the columns, without some, the values of another row, as UPDATE does.
func (c columns[Row]) assign(from string, without ...string) string {
	var set []string
	for _, column := range c {
		if !slices.Contains(without, column.name) {
			set = append(set, column.name+" = "+from+"."+column.name)
		}
	}
	return strings.Join(set, ", ")
}

// arguments encodes the rows.
func (c columns[Row]) arguments(rows []Row) []any {
	args := make([]any, len(c))
	for i, column := range c {
		args[i] = column.array(rows)
	}
	return args
}

func text[Row any](name string, value func(Row) string) column[Row] {
	return column[Row]{name: name, kind: "text", array: func(rows []Row) array { return someTexts(rows, value) }}
}

// textOrNull writes the empty text as null.
func textOrNull[Row any](name string, value func(Row) string) column[Row] {
	return column[Row]{name: name, kind: "text", array: func(rows []Row) array { return texts(rows, value) }}
}

// timeOrNull writes the zero time as null.
func timeOrNull[Row any](name string, value func(Row) time.Time) column[Row] {
	return column[Row]{name: name, kind: "timestamptz", array: func(rows []Row) array { return times(rows, value) }}
}

func number[Row any](name string, value func(Row) int64) column[Row] {
	return column[Row]{name: name, kind: "bigint", array: func(rows []Row) array { return numbers(rows, value) }}
}

// integerOrNull writes 0 as null.
func integerOrNull[Row any](name string, value func(Row) int) column[Row] {
	return column[Row]{name: name, kind: "int", array: func(rows []Row) array { return integers(rows, value) }}
}

func flag[Row any](name string, value func(Row) bool) column[Row] {
	return column[Row]{name: name, kind: "boolean", array: func(rows []Row) array { return flags(rows, value) }}
}

// jsonText writes a text that is JSON.
func jsonText[Row any](name string, value func(Row) []byte) column[Row] {
	return column[Row]{name: name, kind: "json", array: func(rows []Row) array { return bytesOf(pgtype.JSONOID, rows, value) }}
}

// binaryKey writes bytes that every row has.
func binaryKey[Row any](name string, value func(Row) []byte) column[Row] {
	return column[Row]{name: name, kind: "bytea", array: func(rows []Row) array { return bytesOf(pgtype.ByteaOID, rows, value) }}
}

// bytesOrNull writes no bytes as null.
func bytesOrNull[Row any](name string, value func(Row) []byte) column[Row] {
	return column[Row]{name: name, kind: "bytea", array: func(rows []Row) array { return someBytes(rows, value) }}
}

// hashOrNull writes the hash of no value, which is all zeros, as null.
func hashOrNull[Row any](name string, hash func(Row) []byte) column[Row] {
	return bytesOrNull(name, func(row Row) []byte {
		h := hash(row)
		if !slices.ContainsFunc(h, func(b byte) bool { return b != 0 }) {
			return nil
		}
		return h
	})
}
