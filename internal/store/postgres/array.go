package postgres

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// array is a one-dimensional array in PostgreSQL's binary format. The arrays of a batch are most
// of what Commit encodes; written this way an element costs an append, where pgx would look at
// each by reflection.
type array []byte

// element appends element i without its length; false stands for null, whatever it appended.
type element func(b []byte, i int) (_ []byte, notNull bool)

// makeArray encodes n elements of the type with an OID. The format is that of array_recv: number
// of dimensions, whether there are nulls, type; length and lower bound of the dimension; then each
// element behind its length, -1 for null.
//
// Of nulls alone it makes an empty array. Unnested beside others it stands for as many nulls as they
// have elements, and costs nothing: most receipts leave a third of the columns out.
//
// Room is how many bytes the elements take with their lengths. It need not be exact.
func makeArray(oid uint32, n, room int, value element) array {
	b := make([]byte, 20, 20+room)
	binary.BigEndian.PutUint32(b[8:], oid)
	binary.BigEndian.PutUint32(b[0:], 1)
	binary.BigEndian.PutUint32(b[12:], uint32(n))
	binary.BigEndian.PutUint32(b[16:], 1)
	empty := true
	for i := range n {
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		var notNull bool
		if b, notNull = value(b, i); notNull {
			binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
			empty = false
			continue
		}
		b = b[:at+4]
		binary.BigEndian.PutUint32(b[at:], ^uint32(0))
		binary.BigEndian.PutUint32(b[4:], 1)
	}
	if empty {
		b = b[:12]
		clear(b[:8]) // no dimensions, and no nulls in them
	}
	return b
}

// textRoom is what most texts and hashes fit in, with their length.
const textRoom = 36

// texts is a text[] whose empty elements are null.
func texts[Row any](rows []Row, value func(Row) string) array {
	return makeArray(pgtype.TextOID, len(rows), textRoom*len(rows), func(b []byte, i int) ([]byte, bool) {
		text := value(rows[i])
		return append(b, text...), text != ""
	})
}

// someTexts is a text[] without nulls.
func someTexts[Row any](rows []Row, value func(Row) string) array {
	return makeArray(pgtype.TextOID, len(rows), textRoom*len(rows), func(b []byte, i int) ([]byte, bool) {
		return append(b, value(rows[i])...), true
	})
}

// someBytes is a bytea[] whose empty elements are null.
func someBytes[Row any](rows []Row, value func(Row) []byte) array {
	return makeArray(pgtype.ByteaOID, len(rows), textRoom*len(rows), func(b []byte, i int) ([]byte, bool) {
		v := value(rows[i])
		return append(b, v...), len(v) > 0
	})
}

// bytesOf is a bytea[] or a json[], without nulls.
func bytesOf[Row any](oid uint32, rows []Row, value func(Row) []byte) array {
	room := 0
	for _, row := range rows {
		room += 4 + len(value(row)) // the texts of receipts, most of a statement
	}
	return makeArray(oid, len(rows), room, func(b []byte, i int) ([]byte, bool) {
		return append(b, value(rows[i])...), true
	})
}

// times is a timestamptz[] whose zero elements are null.
func times[Row any](rows []Row, value func(Row) time.Time) array {
	return makeArray(pgtype.TimestamptzOID, len(rows), 12*len(rows), func(b []byte, i int) ([]byte, bool) {
		t := value(rows[i])
		return binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()-epoch)), !t.IsZero()
	})
}

// epoch is where PostgreSQL counts the microseconds of a timestamptz from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// integers is an int4[] whose zero elements are null.
func integers[Row any](rows []Row, value func(Row) int) array {
	return makeArray(pgtype.Int4OID, len(rows), 8*len(rows), func(b []byte, i int) ([]byte, bool) {
		n := value(rows[i])
		return binary.BigEndian.AppendUint32(b, uint32(int32(n))), n != 0
	})
}

// numbers is an int8[] without nulls.
func numbers[Row any](rows []Row, value func(Row) int64) array {
	return makeArray(pgtype.Int8OID, len(rows), 12*len(rows), func(b []byte, i int) ([]byte, bool) {
		return binary.BigEndian.AppendUint64(b, uint64(value(rows[i]))), true
	})
}

// flags is a bool[] without nulls.
func flags[Row any](rows []Row, value func(Row) bool) array {
	return makeArray(pgtype.BoolOID, len(rows), 5*len(rows), func(b []byte, i int) ([]byte, bool) {
		if value(rows[i]) {
			return append(b, 1), true
		}
		return append(b, 0), true
	})
}

// arrayCodec sends an array as it is, and leaves everything else to pgx.
type arrayCodec struct{ pgtype.Codec }

// PlanEncode implements pgtype.Codec.
func (c arrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(array); ok && format == pgtype.BinaryFormatCode {
		return arrayPlan{}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

type arrayPlan struct{}

// Encode implements pgtype.EncodePlan.
func (arrayPlan) Encode(value any, b []byte) ([]byte, error) { return append(b, value.(array)...), nil }

// registerArrays makes a connection take values of the type array.
func registerArrays(_ context.Context, conn *pgx.Conn) error {
	m := conn.TypeMap()
	for _, oid := range []uint32{
		pgtype.TextArrayOID, pgtype.TimestamptzArrayOID, pgtype.ByteaArrayOID, pgtype.Int4ArrayOID, pgtype.JSONArrayOID,
		pgtype.Int8ArrayOID, pgtype.BoolArrayOID,
	} {
		if t, ok := m.TypeForOID(oid); ok {
			m.RegisterType(&pgtype.Type{Name: t.Name, OID: oid, Codec: arrayCodec{t.Codec}})
		}
	}
	return nil
}
