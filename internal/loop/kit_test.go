package loop_test

import (
	"net"
	"sync"
	"testing"

	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/internal/loop"
	"github.com/parleyws/parley/internal/pipe"
)

func TestMain(m *testing.M) {
	pipe.Loop()
	leakcheck.Main(m)
}

// A shop makes pairs of streams, one end of which a loop takes over.
type shop struct {
	t    testing.TB
	dial func() (ours, theirs net.Conn)
	wrap func(loop.Kernel) loop.Kernel // nil: the Kernel is used as it is

	mu     sync.Mutex
	loop   *loop.Loop
	opened []*loop.Socket
}

// onBoth runs f with streams in memory, and with TCP connections where a loop takes those.
func onBoth(t *testing.T, f func(t *testing.T, s *shop)) {
	t.Run("memory", func(t *testing.T) {
		s := memory(t)
		defer s.close()
		f(t, s)
	})
	t.Run("TCP", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := &shop{t: t, dial: func() (net.Conn, net.Conn) { return dialTCP(t, l) }}
		ours, theirs := s.dial()
		defer theirs.Close()
		defer ours.Close()
		if k := loop.NewKernel(ours); k == nil {
			t.Skip("no loop takes TCP connections on this system")
		} else {
			k.End()
		}
		defer s.close()
		f(t, s)
	})
}

// memory returns a shop whose streams are in memory.
func memory(t testing.TB) *shop {
	return &shop{t: t, dial: func() (net.Conn, net.Conn) { return pipe.NewSize(64 << 10) }}
}

func dialTCP(t testing.TB, l net.Listener) (ours, theirs net.Conn) {
	theirs, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// open returns a socket of the loop, and its peer.
func (s *shop) open() (*loop.Socket, net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ours, theirs := s.dial() // which pairs what is dialled with what is accepted next
	if s.loop == nil {
		k := loop.NewKernel(ours)
		if s.wrap != nil {
			k = s.wrap(k)
		}
		s.loop = loop.New(k)
	}
	socket := s.loop.Take(ours)
	if socket == nil {
		s.t.Fatal("the loop does not take the stream")
	}
	s.opened = append(s.opened, socket)
	return socket, theirs
}

// close closes all sockets, and the loop.
func (s *shop) close() {
	for _, socket := range s.opened {
		socket.Close()
	}
	if s.loop != nil {
		s.loop.Close()
	}
}

// A reader reads all that comes, and hands it to take; at the end it stops, and
// end gets the error.
type reader struct {
	s    *loop.Socket
	buf  []byte
	take func(w *loop.Worker, p []byte)
	end  chan error
}

// serve has the loop serve a reader of s.
func serve(s *loop.Socket, take func(p []byte)) *reader {
	return serveWith(s, func(_ *loop.Worker, p []byte) { take(p) })
}

func serveWith(s *loop.Socket, take func(w *loop.Worker, p []byte)) *reader {
	r := &reader{s: s, buf: make([]byte, 4<<10), take: take, end: make(chan error, 1)}
	s.Serve(r)
	return r
}

func (r *reader) Readable(w *loop.Worker) (more bool) {
	for {
		n, again, err := r.s.TryRead(r.buf)
		switch {
		case again:
			return true
		case err != nil:
			r.s.Stop()
			r.end <- err
			return false
		}
		r.take(w, r.buf[:n])
	}
}
