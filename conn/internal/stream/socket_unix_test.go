//go:build unix

package stream

import (
	"net"
	"testing"

	"github.com/parleyws/parley/conn/internal/pool"
)

// A message that is larger than a small buffer costs two reads when the first
// one comes, and one from then on, however little larger it is.
func TestReadsOfMessage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s := New(nc, nil)
	defer s.Drop()
	for i, c := range []struct{ size, reads int }{
		{pool.Small + 8, 2},
		{pool.Small + 8, 1},
		{pool.Small + 8, 1},
		{pool.Large - 1, 1},
		{100, 1},
		{pool.Small + 8, 2},
	} {
		if _, err := peer.Write(make([]byte, c.size)); err != nil {
			t.Fatal(err)
		}
		reads := 0
		for ; len(s.Buffered()) < c.size; reads++ {
			if _, _, err := s.Fill(0, false); err != nil {
				t.Fatal(err)
			}
		}
		if reads != c.reads {
			t.Errorf("message %d, of %d octets: %d reads, want %d", i, c.size, reads, c.reads)
		}
		s.Advance(c.size)
		s.Drop() // as a wait does
	}
}
