package postgres

import "testing"

// TestArrayOfNulls unnests a column in which no row has a value beside one in which each has.
func TestArrayOfNulls(t *testing.T) {
	s, _ := arrivalStore(t)
	rows := []string{"a", "", "c"}
	itself, nothing := func(s string) string { return s }, func(string) string { return "" }
	var n, nulls int
	conn, err := s.commits.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	err = conn.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE b IS NULL) FROM (
		SELECT unnest($1::text[]) AS a, unnest($2::text[]) AS b) AS rows`,
		someTexts(rows, itself), texts(rows, nothing)).Scan(&n, &nulls)
	if err != nil || n != len(rows) || nulls != len(rows) {
		t.Errorf("%d rows, %d nulls: %v", n, nulls, err)
	}
}
