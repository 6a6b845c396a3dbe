package loop

import (
	"errors"
	"io"
	"net"
	"sync/atomic"

	"github.com/parleyws/parley/internal/alarm"
)

// A Socket is a stream that a Loop has taken over. It can be used in two ways: a Reader
// is served by the Loop's workers whenever there may be something to read (Serve), or a
// goroutine reads and waits, as from any net.Conn. Writes are tried, or wait, in both.
//
// TryRead, Ask and what reads belong to one goroutine at a time, or to the worker that serves
// the Reader. TryWrite and what writes belong to one goroutine at a time, which may be
// another. The others may be called at any time.
type Socket struct {
	loop   *Loop
	fd     int32
	number int32        // tells the sockets apart that have had fd
	refs   atomic.Int32 // calls that use fd, and one for the socket until it is closed; shut once it is

	state   atomic.Uint32 // a set of the bits below
	quota   int32         // bytes that may still be read in this turn
	drained bool          // the last read has taken all that there was
	failed  bool          // the kernel does not watch it; constant
	port    uint16        // of the peer: see addresses
	reader  Reader        // constant while served is set

	waits atomic.Pointer[waits] // nil: nobody has waited yet
	addresses
}

// errUnwatched ends a socket that the kernel will not watch: that has a limit for it.
var errUnwatched = errors.New("the system can't watch more sockets")

// A Reader is what a Loop serves.
type Reader interface {
	// Readable is called by a worker, which it may block, when there may be something to
	// read. It reads by TryRead until that says again, and returns true; or it calls
	// Stop, and returns false, since somebody else may have the socket by then.
	Readable(w *Worker) (again bool)
}

// The bits of a Socket's state:
//
//	ready     the kernel has said that there is something to read, since the last read began
//	ended     it has said that no more will come
//	writable  it has said that there is room, since the last write began
//	served    a Reader is served
//	owned     by a worker, or by the queue for one
//	reading   a goroutine waits to read
//	writing   a goroutine waits to write
//
// An event sets ready and moves the socket to owned, if it is served and not owned yet: it
// is queued then. The worker clears ready before each read. It lets go of the socket by
// clearing owned, which fails while ready is set: it goes on then. Bytes that come
// after a read has begun set ready again, so that somebody reads them in any case.
const (
	ready uint32 = 1 << iota
	hasEnded
	writable
	served
	owned
	reading
	writing
)

// shut is the bit of refs that says that the socket is closed.
const shut = 1 << 30

// turnBytes is how many bytes a worker reads from one socket before the others have their
// turn: those of a large buffer, and the rest of a burst that is a little longer.
const turnBytes = 96 << 10

// Clock returns the clock that the sockets of the Loop share.
func (s *Socket) Clock() *alarm.Clock { return &s.loop.clock }

// acquire lets the caller use fd until release. It returns false once the socket is closed.
func (s *Socket) acquire() bool {
	for {
		n := s.refs.Load()
		if n&shut != 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release ends what acquire began. The last one closes fd.
func (s *Socket) release() {
	if s.refs.Add(-1) == shut {
		s.loop.forget(s)
	}
}

// Close implements net.Conn. Whoever waits returns, and a Reader is called once more.
func (s *Socket) Close() error {
	if s.refs.Or(shut)&shut != 0 {
		return net.ErrClosed
	}
	s.waits.Load().close()
	s.poke()
	s.release()
	return nil
}

// closed reports whether the socket is closed.
func (s *Socket) closed() bool { return s.refs.Load()&shut != 0 }

// Serve has r served from now on, beginning at once. Nobody may be reading.
func (s *Socket) Serve(r Reader) {
	s.reader = r
	s.state.Or(served | owned | ready)
	s.loop.enqueue(s)
}

// Stop ends that. Only Readable, and what it calls, may call it.
func (s *Socket) Stop() {
	s.state.And(^(served | owned))
	s.reader = nil
}

// turn serves the Reader. It returns true if the socket is to be queued again.
func (s *Socket) turn(w *Worker) (again bool) {
	s.quota = turnBytes
	if !s.reader.Readable(w) {
		return false
	}
	for {
		state := s.state.Load()
		switch {
		case state&ready != 0:
			return true
		case s.state.CompareAndSwap(state, state&^owned):
			return false
		}
	}
}

// happened takes note of an event. It returns true if the socket is to be queued.
func (s *Socket) happened(k Kind) (queue bool) {
	var set uint32
	if k&(Readable|Ended) != 0 {
		set |= ready
	}
	if k&Ended != 0 {
		set |= hasEnded
	}
	if k&Writable != 0 {
		set |= writable
	}
	was := s.state.Or(set)
	if was&reading != 0 && set&ready != 0 || was&writing != 0 && set&writable != 0 {
		s.waits.Load().wake()
	}
	return set&ready != 0 && s.own()
}

// own moves the socket to owned, if it is served, and reports whether it has.
func (s *Socket) own() bool {
	for {
		state := s.state.Load()
		if state&(served|owned) != served {
			return false
		}
		if s.state.CompareAndSwap(state, state|owned) {
			return true
		}
	}
}

// poke makes the Reader be called, if there is one. One that is being called must ask for the
// reason after each TryRead that says again: the call before may have taken the poke away.
func (s *Socket) poke() {
	s.state.Or(ready)
	if s.own() {
		s.loop.enqueue(s)
	}
}

// TryRead reads into p, which is not empty, what there is. again tells that there is
// nothing, or that it is the turn of others; io.EOF that nothing will come any more.
func (s *Socket) TryRead(p []byte) (n int, again bool, err error) {
	state := s.state.Load()
	switch {
	case s.drained && state&(ready|hasEnded) == 0:
		return 0, true, nil
	case state&served != 0 && s.quota <= 0:
		s.state.Or(ready) // so that the socket is queued again
		return 0, true, nil
	case s.failed:
		return 0, false, errUnwatched
	}
	if state&ready != 0 { // before acquire: Close may have set it, and nobody sets it again
		s.state.And(^ready)
	}
	if !s.acquire() {
		return 0, false, net.ErrClosed
	}
	n, err = s.loop.kernel.Read(s.fd, p)
	s.release()
	s.drained = n < len(p)
	s.quota -= int32(n)
	switch {
	case err == ErrAgain:
		return 0, true, nil
	case err == nil && n == 0:
		err = io.EOF
	}
	return n, false, err
}

// Ask makes the next TryRead ask the kernel, for a caller that will not come again: whatever the
// loop has been told so far, and though it is the turn of others.
func (s *Socket) Ask() { s.drained, s.quota = false, turnBytes }

// TryWrite writes of p what goes without waiting, and returns how much that is.
func (s *Socket) TryWrite(p []byte) (int, error) {
	if !s.acquire() {
		return 0, net.ErrClosed
	}
	n, err := s.loop.kernel.Write(s.fd, p)
	s.release()
	if err == ErrAgain {
		return 0, nil
	}
	return n, err
}

// CloseWrite ends our direction of the stream.
func (s *Socket) CloseWrite() error {
	if !s.acquire() {
		return net.ErrClosed
	}
	defer s.release()
	return s.loop.kernel.CloseWrite(s.fd)
}

// Control calls f with the descriptor, which it must not keep.
func (s *Socket) Control(f func(fd uintptr)) error {
	if !s.acquire() {
		return net.ErrClosed
	}
	defer s.release()
	return s.loop.kernel.Control(s.fd, f)
}
