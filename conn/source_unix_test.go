//go:build unix

package conn

import (
	"net"
	"testing"
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
	s := newSource(nc, nil)
	defer s.drop()
	for i, c := range []struct{ size, reads int }{
		{smallBuffer + 8, 2},
		{smallBuffer + 8, 1},
		{smallBuffer + 8, 1},
		{largeBuffer - 1, 1},
		{100, 1},
		{smallBuffer + 8, 2},
	} {
		if _, err := peer.Write(make([]byte, c.size)); err != nil {
			t.Fatal(err)
		}
		reads := 0
		for ; len(s.buffered()) < c.size; reads++ {
			if _, _, err := s.fill(0, false); err != nil {
				t.Fatal(err)
			}
		}
		if reads != c.reads {
			t.Errorf("message %d, of %d octets: %d reads, want %d", i, c.size, reads, c.reads)
		}
		s.advance(c.size)
		s.drop() // as a wait does
	}
}
