package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// testVersions is about receipts with the same key and different bytes: the greatest one stays, with the
// time at which the first of them reached us. Three versions of a receipt meet the receipt that displaces
// it, in every order and in every division into batches.
func testVersions(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	for _, order := range permutations(4) {
		for division := range 1 << 3 {
			id := fmt.Sprintf("%v/%03b", order, division)
			version := func(raw, rawStatus string, received int) *sms.Receipt {
				r := receipt(id, sms.Failed, at(0), at(received))
				r.Raw, r.RawStatus = []byte(raw), rawStatus
				return r
			}
			all := []*sms.Receipt{
				version(`{"status":"ERROR"}`, "ERROR", 2),
				version(`{"status":"UNDELIV","err":"1"}`, "UNDELIV", 4),
				version(`{"status":"zurück"}`, "zurück", 3),
				receipt(id, sms.Delivered, at(1), at(5)),
			}
			var batch []*sms.Receipt
			var duplicates []bool
			for i, which := range order {
				batch = append(batch, all[which])
				if i == len(order)-1 || division>>i&1 == 1 {
					duplicates = append(duplicates, commit(t, s, receipts(batch...)...)...)
					batch = nil
				}
			}
			requireEqual(t, "duplicates of "+id, duplicates, repeats(all, order))
			requireEqual(t, "duplicates of all again", commit(t, s, receipts(all...)...), []bool{true, true, true, true})

			m, history := read(t, s, id)
			requireEqual(t, "message "+id, m, folded(all...))
			failed := all[2].Past()
			failed.Received = at(2)
			requireEqual(t, "history of "+id, history, []sms.PastReceipt{failed, all[3].Past()})
		}
	}
}

// repeats returns which receipts had come before, by their keys.
func repeats(all []*sms.Receipt, order []int) []bool {
	known := make(map[sms.Key]bool)
	found := make([]bool, len(order))
	for i, which := range order {
		key := all[which].Key()
		found[i], known[key] = known[key], true
	}
	return found
}

// permutations returns every order of the numbers below n.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}
