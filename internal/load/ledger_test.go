package load

import (
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	clean := Ledger{Requests: 130, Receipts: 130, Messages: 100, Final: 30}
	unsure := clean
	unsure.refuse(503, 2)
	wrong := clean
	wrong.wrong([]byte(`{"acknowledged":false}`), 1)
	for _, tt := range []struct {
		name   string
		ledger Ledger
		rows   Rows
		want   string // in the error; "" for none
	}{
		{"equal", clean, Rows{100, 30, 130}, ""},
		{"no history kept", clean, Rows{100, 30, NotKept}, ""},
		{"a row is missing", clean, Rows{99, 30, 130}, "LOST"},
		{"a state is behind", clean, Rows{100, 29, 130}, "LOST"},
		{"a receipt is missing", clean, Rows{100, 30, 129}, "LOST"},
		{"a row too many", clean, Rows{101, 30, 130}, "TOO MANY"},
		{"a receipt too many", clean, Rows{100, 30, 131}, "TOO MANY"},
		{"refused and not kept", unsure, Rows{100, 30, 130}, ""},
		{"refused and kept all the same", unsure, Rows{102, 30, 132}, ""},
		{"more than was sent", unsure, Rows{103, 30, 133}, "TOO MANY"},
		{"a row is missing and others were refused", unsure, Rows{99, 30, 130}, "LOST"},
		{"a 2xx that acknowledges nothing", wrong, Rows{100, 30, 130}, "acknowledged\\\":false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.ledger.Verify(tt.rows)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLedgersAddUp(t *testing.T) {
	var a, b, sum Ledger
	a.refuse(503, 1)
	b.refuse(503, 100)
	b.refuse(401, 100)
	b.wrong([]byte("what"), 100)
	b.Messages, b.Final, b.Receipts, b.Requests, b.Broken, b.Spooled = 1, 2, 3, 4, 5, 6
	sum.Add(&a)
	sum.Add(&b)
	if sum.Refused[503] != 2 || sum.Refused[401] != 1 || sum.Unsure != 301 || sum.Failures() != 9 ||
		sum.Wrong != 1 || sum.WrongSample != "what" ||
		sum.Messages != 1 || sum.Final != 2 || sum.Receipts != 3 || sum.Requests != 4 || sum.Spooled != 6 {
		t.Errorf("got %+v", sum)
	}
	if a.Refused[503] != 1 {
		t.Errorf("adding changed a part: %v", a.Refused)
	}
}
