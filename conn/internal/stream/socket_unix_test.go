//go:build unix

package stream

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/parleyws/parley/conn/internal/pool"
)

// A message that is larger than a small buffer costs two reads when the first
// one comes, and one from then on, however little larger it is, until two small ones have
// come.
func TestReadsOfMessage(t *testing.T) {
	nc, peer := sockets(t)
	s := New(nc, nil)
	defer s.Drop()
	for i, c := range []struct{ size, reads int }{
		{pool.Small + 8, 2},
		{pool.Small + 8, 1},
		{pool.Small + 8, 1},
		{pool.Large - 1, 1},
		{100, 1},
		{pool.Small + 8, 1},
		{100, 1},
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
			t.Errorf("message %d, of %d bytes: %d reads, want %d", i, c.size, reads, c.reads)
		}
		s.Advance(c.size)
		s.Drop() // as a wait does
	}
}

// sockets returns the two ends of a TCP connection, which end with the test.
func sockets(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if b, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if a, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// A read that waits holds no buffer, unless there are bytes in it.
func TestWaitHoldsNothing(t *testing.T) {
	nc, peer := sockets(t)
	s := New(nc, nil)
	wait := func() {
		nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, again, err := s.Fill(0, false); n != 0 || again || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Fill = %d, %t, %v; want a timeout", n, again, err)
		}
		s.EndWake()
	}
	if wait(); s.Held() > 0 {
		t.Error("a read that has waited holds a buffer")
	}
	if _, err := peer.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if n, _, err := s.Fill(0, false); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	s.Advance(1)
	if wait(); string(s.Buffered()) != "bc" {
		t.Errorf("after a wait %q is buffered, want %q", s.Buffered(), "bc")
	}
	s.Drop()
}

// A write leaves nothing of its message in what later writes share.
func TestWriteLetsGo(t *testing.T) {
	nc, _ := sockets(t)
	s := New(nc, nil)
	if n, err := s.TryWrite([]byte("abc")); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	w := writings.Get().(*writing) // the one of the write, or a new one
	if w.p != nil {
		t.Errorf("%q is kept", w.p)
	}
	writings.Put(w)
}
