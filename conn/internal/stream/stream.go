// Package stream is the seam to the net.Conn below a connection: here alone bytes
// are read and written. Nothing above it asks what kind of net.Conn it is.
package stream

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/internal/loop"
)

// A Stream reads and writes a net.Conn.
//
// On a plain TCP or Unix socket reads and writes are tried without blocking and
// nothing is held while a read waits (socket_unix.go). On everything else (TLS, a
// wrapped connection, an in-memory pipe, other systems) a read waits with a few
// bytes of its own, and every write may block.
//
// Buffered, Advance, Fill, Into, Ask, Shrink, Drop and Discard belong to one goroutine at a
// time, TryWrite and WriteAll to one at a time, which may be another. The others
// may be called at any time. A Stream must not be copied once it is used.
type Stream struct {
	end     endpoint
	buf     *pool.Buffer // nil while nothing is buffered
	r, w    int32        // buf.B[r:w] has come and is not used up
	stalled uint32       // atomic: 1 once it was closed for want of progress
	tries   bool         // reads and writes can be tried: end is a socket
	trusted bool         // the deadlines of end work for sure
	writes  bool         // writes alone can be tried: the net.Conn has a method TryWrite
	roomy   uint8        // so many reads get a large buffer: see took
}

// An endpoint is a net.Conn of one of three kinds: a socket for which the runtime waits
// (socket_unix.go) or a loop does (socket_loop.go), or anything else (blocking.go).
type endpoint interface {
	net.Conn
	// unwrap returns what New was given.
	unwrap() net.Conn
	// read reads into p. With try it does not wait, and again tells that there is
	// nothing. Where it waits, the buffer of s, if release says that nobody needs it,
	// goes back to its pool meanwhile; then 0 and no error tell that there is something.
	read(s *Stream, p []byte, release, try bool) (n int, again bool, err error)
	// write writes of p what goes in one system call. Where nothing goes it returns 0,
	// or with wait waits for room until the write deadline.
	write(p []byte, wait bool) (int, error)
	// control calls f with the descriptor.
	control(f func(fd uintptr)) error
}

// Forever is a timeout that never passes.
const Forever = time.Duration(1) << 62

// How many bytes are given to a blocking write at once: what has the timeout of
// WriteAll to go out. A message of 64 KiB goes with its header; TLS cuts it into
// records anyway.
const (
	writePiece    = pool.Large
	writePieceTLS = 16 << 10
)

// New returns the Stream of nc, of which buffered has been read already. It takes
// nc over and copies buffered.
func New(nc net.Conn, buffered []byte) Stream {
	s := Stream{end: socketOf(nc), trusted: isTrusted(nc)}
	if s.tries = s.end != nil; !s.tries {
		b := &blocking{Conn: nc}
		b.try, s.writes = nc.(tryWriter)
		s.end = b
	}
	if len(buffered) > 0 {
		s.buf = pool.Get(len(buffered))
		s.w = int32(copy(s.buf.B[:cap(s.buf.B)], buffered))
	}
	return s
}

// socketOf returns nc as what can be tried, and nil if it can't.
func socketOf(nc net.Conn) endpoint {
	if s, ok := nc.(*loop.Socket); ok {
		return looped{s}
	}
	return polledOf(nc)
}

// isTrusted reports whether the deadlines of nc are those of the runtime: nc is a
// socket, or TLS right above one. Anything else may have no deadlines, or some
// that do nothing.
func isTrusted(nc net.Conn) bool {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn, *loop.Socket:
		return true
	}
	return false
}

// NetConn returns what New was given, for its addresses and its read deadline.
func (s *Stream) NetConn() net.Conn { return s.end.unwrap() }

// CanTry reports whether Fill and Into can try a read: the stream is a plain
// socket.
func (s *Stream) CanTry() bool { return s.tries }

// Buffered returns the bytes that have come and are not used up. They are valid
// until the next Fill, Shrink, Drop or Discard, and may be modified.
func (s *Stream) Buffered() []byte {
	if s.r == s.w {
		return nil
	}
	return s.buf.B[s.r:s.w:s.w]
}

// Held returns how many bytes of memory the Stream holds for what is buffered.
func (s *Stream) Held() int {
	if s.buf == nil {
		return 0
	}
	return cap(s.buf.B)
}

// Shrink moves what is buffered to a small buffer, if it fits, for a stream that waits:
// after a flood its peer may leave it with half a header. A view of it is not valid any more.
func (s *Stream) Shrink() {
	if have := s.w - s.r; s.Held() > pool.Small && have <= pool.Small {
		small := pool.Get(pool.Small)
		small.B = append(small.B, s.buf.B[s.r:s.w]...)
		pool.Put(s.buf)
		s.buf, s.r, s.w = small, 0, have
	}
}

// Advance uses up n bytes of Buffered, which stay valid as they were.
func (s *Stream) Advance(n int) {
	s.r += int32(n)
	if s.r == s.w {
		s.r, s.w = 0, 0
	}
}

// Fill reads once, to the end of what is buffered, and waits until there is
// something. The buffer is made to hold need bytes. With try, a socket that has
// nothing to give returns at once and again is true. n, again or err is set, and
// only one of them.
func (s *Stream) Fill(need int, try bool) (n int, again bool, err error) {
	if b, ok := s.end.(*blocking); ok {
		n, err = b.fill(s, need)
		return n, false, err
	}
	for {
		s.space(need)
		free := s.buf.B[s.w:cap(s.buf.B)]
		n, again, err := s.end.read(s, free, s.r == s.w, try)
		if n > 0 {
			s.w += int32(n)
			s.took(n == len(free) || s.roomy > 0 && s.w > pool.Small)
		}
		if n > 0 || again || err != nil {
			return n, again, err
		}
		// Woken with no buffer in hand: there is something to read now.
	}
}

// took takes note of a read. After one that needed a large buffer the next two get one: the
// last bytes of a burst that was a little longer than the buffer say nothing about the next
// burst.
func (s *Stream) took(much bool) {
	if much {
		s.roomy = 2
	} else if s.roomy > 0 {
		s.roomy--
	}
}

// Into reads once straight into p, as Fill does. Nothing may be buffered.
func (s *Stream) Into(p []byte, try bool) (n int, again bool, err error) {
	return s.end.read(s, p, false, try)
}

// space makes room after what is buffered, for need bytes altogether.
func (s *Stream) space(need int) {
	size := pool.Small
	if s.roomy > 0 || need > pool.Small {
		size = pool.Large
	}
	if s.buf == nil {
		s.buf, s.r, s.w = pool.Get(size), 0, 0
		return
	}
	if have := s.w - s.r; cap(s.buf.B) < size {
		larger := pool.Get(size)
		larger.B = append(larger.B, s.buf.B[s.r:s.w]...)
		pool.Put(s.buf)
		s.buf, s.r, s.w = larger, 0, have
	} else if s.r > 0 {
		copy(s.buf.B[:have], s.buf.B[s.r:s.w])
		s.r, s.w = 0, have
	}
}

// Looped returns the stream as a loop's socket; nil if it is none.
func (s *Stream) Looped() *loop.Socket {
	l, _ := s.end.(looped)
	return l.Socket
}

// Ask makes the next Fill or Into that tries ask the system, for a caller that will not try
// again: what a loop knows of its socket may be a little old.
func (s *Stream) Ask() {
	if l := s.Looped(); l != nil {
		l.Ask()
	}
}

// Drop gives the buffer back. What it held is lost.
func (s *Stream) Drop() {
	pool.Put(s.buf)
	s.buf, s.r, s.w = nil, 0, 0
}

// A tryWriter is a net.Conn that is no socket, to which a write can be tried as to one.
type tryWriter interface {
	TryWrite(p []byte) (int, error)
}

// CanTryWrite reports whether TryWrite may be called: the stream is a plain socket, or the
// net.Conn has a method TryWrite.
func (s *Stream) CanTryWrite() bool { return s.tries || s.writes }

// TryWrite takes of p what it can without blocking, and returns how many bytes that is.
func (s *Stream) TryWrite(p []byte) (int, error) { return s.end.write(p, false) }

// A limit bounds a call by the deadline that was set for it. Where deadlines
// can't be trusted, a timer closes the stream if the call does not return.
type limit struct {
	mu     sync.Mutex
	timer  *time.Timer
	ended  bool // by stop
	closed bool // the stream, by the timer
}

// grace is how much later the timer comes where there is a deadline, which
// leaves the stream usable and so goes first.
const grace = time.Second

// limit sets a deadline after d with set. Where a timer has to close the stream
// it asks spare before, unless that is nil, and waits on while it is true. limit
// returns nil if the deadline is enough.
func (s *Stream) limit(d time.Duration, set func(time.Time) error, spare func() bool) *limit {
	if err := set(time.Now().Add(d)); err == nil {
		if s.trusted {
			return nil
		}
		d += grace
	}
	l := &limit{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case l.ended:
		case spare != nil && spare():
			l.timer.Reset(d)
		default:
			l.closed = true
			s.Close()
		}
	})
	return l
}

// stop ends the limit and reports whether its timer has closed the stream.
func (l *limit) stop() (passed bool) {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
	l.ended = true
	return l.closed
}

// stall notes that WriteAll is about to close the stream.
func (s *Stream) stall() (spare bool) {
	atomic.StoreUint32(&s.stalled, 1)
	return false
}

// Stalled reports whether the stream was closed because WriteAll made no
// progress: a read that fails then has not found the reason.
func (s *Stream) Stalled() bool { return atomic.LoadUint32(&s.stalled) == 1 }

// Trusted reports whether the stream's deadlines work for sure.
func (s *Stream) Trusted() bool { return s.trusted }

// past is a deadline that wakes a call at once.
var past = time.Unix(1, 0)

// Wake makes a waiting read return, until EndWake. It reports false where the
// stream has no deadlines.
func (s *Stream) Wake() bool { return s.end.SetReadDeadline(past) == nil }

// EndWake lets reads wait again.
func (s *Stream) EndWake() { s.end.SetReadDeadline(time.Time{}) }

// LimitRead makes the next read return within d, if the stream can do that, and
// closes the stream otherwise, or so much later while spare is true. end is to be called after
// the read.
func (s *Stream) LimitRead(d time.Duration, spare func() bool) (end func()) {
	l := s.limit(d, s.end.SetReadDeadline, spare)
	return func() {
		l.stop()
		s.EndWake()
	}
}

// CloseWrite ends our direction of the stream and reports whether it could.
// Over TLS it may block for five seconds, which crypto/tls gives the alert; the alert alone
// would leave the peer's TCP waiting.
func (s *Stream) CloseWrite() bool {
	if t, ok := s.end.unwrap().(*tls.Conn); ok {
		t.CloseWrite()
		return halfClose(t.NetConn())
	}
	return halfClose(s.end.unwrap())
}

func halfClose(nc net.Conn) bool {
	h, ok := nc.(interface{ CloseWrite() error })
	return ok && h.CloseWrite() == nil
}

// Discard reads and forgets what comes until the stream ends, and ended is
// true, or nothing has come for d. Forever is no bound. A stream that can't be
// trusted to return in time is closed then, or so much later while spare is true.
func (s *Stream) Discard(d time.Duration, spare func() bool) (ended bool) {
	s.Drop()
	b := pool.Get(pool.Small)
	defer pool.Put(b)
	for {
		var l *limit
		if d < Forever {
			l = s.limit(d, s.end.SetReadDeadline, spare)
		}
		_, _, err := s.end.read(s, b.B[:cap(b.B)], false, false)
		passed := l.stop()
		if err != nil {
			timeout, ok := errors.AsType[net.Error](err)
			return passed || !ok || !timeout.Timeout()
		}
	}
}

// Close closes the stream without waiting: a TLS alert would wait for a peer
// that does not read.
func (s *Stream) Close() { Cut(s.end.unwrap()) }

// Cut closes nc without waiting, as Stream.Close does.
func Cut(nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	nc.Close()
}

// SetUserTimeout bounds how long what was sent may stay unacknowledged before
// the kernel cuts the connection. It does nothing on other than TCP sockets, be
// they below TLS, nor on systems other than Linux.
func (s *Stream) SetUserTimeout(d time.Duration) {
	below := s.end
	if t, ok := below.unwrap().(*tls.Conn); ok {
		below = socketOf(t.NetConn())
	}
	if below != nil {
		setUserTimeout(below, d)
	}
}
