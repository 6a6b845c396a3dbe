//go:build unix

package stream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"

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

// A read that waits holds no buffer.
func TestSocketWaitHoldsNothing(t *testing.T) {
	nc, peer := sockets(t)
	waitHoldsNothing(t, nc, peer)
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

// A read of a socket tells what the system does: nothing, bytes, the end, or an error.
func TestSocketReads(t *testing.T) {
	nc, peer := sockets(t)
	s := New(nc, nil)
	defer s.Drop()
	if n, again, err := s.Fill(0, true); n != 0 || !again || err != nil {
		t.Errorf("Fill of nothing = %d, %t, %v", n, again, err)
	}
	p := make([]byte, 10)
	if n, again, err := s.Into(p, true); n != 0 || !again || err != nil {
		t.Errorf("Into of nothing = %d, %t, %v", n, again, err)
	}
	for range 20 {
		go peer.Write([]byte("ab")) // the reads wait, as a rule
		if n, again, err := s.Fill(0, false); n != 2 || again || err != nil || string(s.Buffered()) != "ab" {
			t.Fatalf("Fill = %d, %t, %v; %q", n, again, err, s.Buffered())
		}
		s.Advance(2)
		go peer.Write([]byte("cd"))
		if n, again, err := s.Into(p, false); n != 2 || again || err != nil || string(p[:2]) != "cd" {
			t.Fatalf("Into = %d, %t, %v; %q", n, again, err, p[:n])
		}
	}
	peer.(*net.TCPConn).CloseWrite()
	for _, try := range []bool{false, false, true} {
		if n, again, err := s.Fill(0, try); n != 0 || again || err != io.EOF {
			t.Errorf("Fill of the end = %d, %t, %v", n, again, err)
		}
	}
	nc, peer = sockets(t)
	s = New(nc, nil)
	peer.(*net.TCPConn).SetLinger(0)
	peer.Close()
	if n, again, err := s.Fill(0, false); n != 0 || again || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Fill after a reset = %d, %t, %v", n, again, err)
	}
	s.Drop()
}

// A write to a socket takes what there is room for, and waits only if it is asked to.
func TestSocketWrites(t *testing.T) {
	nc, peer := sockets(t)
	s := New(nc, nil)
	sent := 0
	for p := make([]byte, 64<<10); ; {
		n, err := s.TryWrite(p)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		sent += n
	}
	const more = 1 << 20
	received := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, peer)
		received <- n
	}()
	if err := s.WriteAll(make([]byte, more), Forever); err != nil {
		t.Error(err)
	}
	if !s.CloseWrite() {
		t.Error("CloseWrite does not do it")
	}
	if n := <-received; n != int64(sent+more) {
		t.Errorf("the peer gets %d bytes, want %d and %d", n, sent, more)
	}
	if n, err := s.TryWrite([]byte("x")); n != 0 || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("TryWrite after the end = %d, %v", n, err)
	}
	if s.Close(); s.WriteAll([]byte("x"), Forever) == nil {
		t.Error("what is closed is written to")
	}
}

// Plain sockets of both kinds can be tried, and what has one below can't.
func TestWhatCanBeTried(t *testing.T) {
	tcp, _ := sockets(t)
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	unix, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	for _, c := range []struct {
		nc   net.Conn
		want bool
	}{
		{tcp, true},
		{unix, true},
		{struct{ *net.TCPConn }{tcp.(*net.TCPConn)}, false},
		{tls.Client(tcp, nil), false},
		{ours, false},
	} {
		s := New(c.nc, nil)
		if s.CanTry() != c.want || s.CanTryWrite() != c.want || s.NetConn() != c.nc || s.Looped() != nil {
			t.Errorf("%T can be tried: %t, %t, want %t", c.nc, s.CanTry(), s.CanTryWrite(), c.want)
		}
	}
}
