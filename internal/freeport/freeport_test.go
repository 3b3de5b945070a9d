package freeport

import (
	"net"
	"strconv"
	"testing"
)

func TestFind(t *testing.T) {
	port, err := Find()
	if err != nil || port < first || port >= first+ports {
		t.Fatalf("port %d, %v", port, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 100 {
		if other, err := Find(); err != nil || other == port {
			t.Errorf("port %d, %v, while somebody listens on %d", other, err, port)
		}
	}
}
