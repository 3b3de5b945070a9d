package sqlite

import (
	"encoding/hex"
	"encoding/json"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// jsonList is a list as one parameter: SQLite limits the number of parameters.
func jsonList[T any](list []T) string {
	encoded, err := json.Marshal(list)
	if err != nil {
		panic(err) // texts and numbers alone
	}
	if list == nil {
		return "[]"
	}
	return string(encoded)
}

func itemTriples(keys []thread.ItemKey) [][3]string {
	list := make([][3]string, len(keys))
	for i, k := range keys {
		list[i] = [3]string{k.ThreadID, string(k.Kind), k.ID}
	}
	return list
}

func hexadecimal[D ~[32]byte](digests []D) []string {
	list := make([]string, len(digests))
	for i, d := range digests {
		list[i] = hex.EncodeToString(d[:])
	}
	return list
}
