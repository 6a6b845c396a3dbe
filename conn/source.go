package conn

import (
	"crypto/tls"
	"net"
	"os"
	"syscall"
	"time"
)

// A source is the seam to the stream: here alone octets are read and written.
// What lies above never asks what kind of stream it is.
//
// On a plain TCP or Unix socket reads and writes are tried without blocking
// and nothing is held while a read waits (source_unix.go). On everything else
// (TLS, a wrapped connection, an in-memory pipe, other systems) a read waits
// with a few octets of its own, and every write may block.
//
// The reading fields belong to the goroutine that has the turn to read, the
// writing fields to the one that has outbound.writing.
type source struct {
	nc  net.Conn
	raw syscall.RawConn // nil: not a plain socket

	buf   *buffer         // nil while nothing is buffered
	r, w  int             // buf.b[r:w] has come and is not used up
	idle  *[idleRead]byte // what a waiting read of a stream that is not a socket holds
	roomy bool            // what came together last did not fit a small buffer: the next read gets a large one
	more  bool            // the last read of such a stream filled what it had

	read reading // of the socket; see source_unix.go
}

// idleRead is the size of a read that waits on a stream that is not a plain
// socket: it holds a small message, or the start of a longer one.
const idleRead = 64

// writePiece is how many octets are given to a blocking write at once: what
// has WriteTimeout to go out. A message of 64 KiB goes with its header.
const writePiece = largeBuffer

func newSource(nc net.Conn, buffered []byte) source {
	s := source{nc: nc, raw: rawConn(nc)}
	if s.raw == nil {
		s.idle = new([idleRead]byte)
	}
	if len(buffered) > 0 {
		s.buf = getBuffer(len(buffered))
		s.w = copy(s.buf.b[:cap(s.buf.b)], buffered)
	}
	return s
}

// socket returns the socket of a TCP or Unix connection, be it below TLS; nil
// if none is known. It is for options: TLS alone reads and writes there.
func (s *source) socket() syscall.RawConn {
	if t, ok := s.nc.(*tls.Conn); ok {
		return rawConn(t.NetConn())
	}
	return s.raw
}

// buffered returns the octets that have come and are not used up.
func (s *source) buffered() []byte {
	if s.r == s.w {
		return nil
	}
	return s.buf.b[s.r:s.w:s.w]
}

// advance uses up n octets.
func (s *source) advance(n int) {
	s.r += n
	if s.r == s.w {
		s.r, s.w = 0, 0
	}
}

// fill reads once, behind what is buffered, and waits until there is
// something. The buffer is made to hold need octets. With try, a socket that
// has nothing to give returns at once and again is true.
func (s *source) fill(need int, try bool) (n int, again bool, err error) {
	if s.raw == nil {
		n, err = s.fillBlocking(need)
		return n, false, err
	}
	for {
		s.space(need)
		free := s.buf.b[s.w:cap(s.buf.b)]
		n, again, err := s.readSocket(free, s.r == s.w, try)
		if n > 0 {
			s.w += n
			s.roomy = n == len(free) || s.roomy && s.w > smallBuffer
		}
		if n > 0 || again || err != nil {
			return n, again, err
		}
		// Woken with no buffer in hand: there is something to read now.
	}
}

// into reads once straight into p, as fill does.
func (s *source) into(p []byte, try bool) (n int, again bool, err error) {
	if s.raw == nil {
		n, err = s.nc.Read(p)
		return n, false, readError(n, err)
	}
	return s.readSocket(p, false, try)
}

// fillBlocking is fill for a stream that can't be tried. It waits with the few
// octets of idle, unless the last read shows that there is more.
func (s *source) fillBlocking(need int) (int, error) {
	if s.r == s.w && !s.more {
		s.drop()
		n, err := s.nc.Read(s.idle[:])
		if n > 0 {
			s.space(0)
			s.w = copy(s.buf.b[:cap(s.buf.b)], s.idle[:n])
			s.more = n == len(s.idle)
		}
		return n, readError(n, err)
	}
	s.space(need)
	free := s.buf.b[s.w:cap(s.buf.b)]
	n, err := s.nc.Read(free)
	s.w += n
	s.more = n == len(free)
	s.roomy = s.more
	return n, readError(n, err)
}

// readError returns the error of a read that brought n octets: none as long
// as there are some, whose error the next read reports again.
func readError(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

// space makes room behind what is buffered, for need octets altogether.
func (s *source) space(need int) {
	size := smallBuffer
	if s.roomy || need > smallBuffer {
		size = largeBuffer
	}
	if s.buf == nil {
		s.buf, s.r, s.w = getBuffer(size), 0, 0
		return
	}
	if have := s.w - s.r; cap(s.buf.b) < size {
		larger := getBuffer(size)
		larger.b = append(larger.b, s.buf.b[s.r:s.w]...)
		putBuffer(s.buf)
		s.buf, s.r, s.w = larger, 0, have
	} else if s.r > 0 {
		copy(s.buf.b[:have], s.buf.b[s.r:s.w])
		s.r, s.w = 0, have
	}
}

// drop gives the buffer back; what it held is lost.
func (s *source) drop() {
	putBuffer(s.buf)
	s.buf, s.r, s.w = nil, 0, 0
}

// A tryWriter is a stream that can be tried like a socket: TryWrite takes what
// it can without blocking and returns how many octets that is.
type tryWriter interface {
	TryWrite(p []byte) (int, error)
}

// tryWriter returns what tries a write to the stream, nil if nothing can.
func (s *source) tryWriter() tryWriter {
	if s.raw != nil {
		return s
	}
	try, _ := s.nc.(tryWriter)
	return try
}

// TryWrite implements tryWriter for a plain socket.
func (s *source) TryWrite(p []byte) (int, error) { return s.writeSocket(p) }

// writeAll writes p, in pieces that have timeout to go out each. A stream that
// has no deadlines is closed when one does not.
func (s *source) writeAll(p []byte, timeout time.Duration) error {
	for len(p) > 0 {
		var expiry *time.Timer // where the stream has no deadlines
		if timeout < noTime && s.nc.SetWriteDeadline(time.Now().Add(timeout)) != nil {
			expiry = time.AfterFunc(timeout, s.close)
		}
		n, err := s.nc.Write(p[:min(len(p), writePiece)])
		if expiry != nil && !expiry.Stop() && err != nil {
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	if s.tryWriter() != nil { // a deadline that has passed would stop TryWrite
		s.nc.SetWriteDeadline(time.Time{})
	}
	return nil
}

// past is a deadline that wakes a call at once.
var past = time.Unix(1, 0)

// wake makes a waiting read return. It reports false where the stream has no
// deadlines.
func (s *source) wake() bool { return s.nc.SetReadDeadline(past) == nil }

// closeWrite ends our direction of the stream and reports whether it could.
// Over TLS the alert alone would leave the peer's TCP waiting.
func (s *source) closeWrite() bool {
	t, ok := s.nc.(*tls.Conn)
	if ok {
		t.SetWriteDeadline(time.Now().Add(time.Second))
		t.CloseWrite()
		return halfClose(t.NetConn())
	}
	return halfClose(s.nc)
}

func halfClose(nc net.Conn) bool {
	h, ok := nc.(interface{ CloseWrite() error })
	return ok && h.CloseWrite() == nil
}

// discard reads and forgets what comes until the stream ends, or nothing has
// come for d.
func (s *source) discard(d time.Duration) {
	s.drop()
	b := getBuffer(smallBuffer)
	defer putBuffer(b)
	for {
		var expiry *time.Timer // where the stream has no deadlines
		if d < noTime && s.nc.SetReadDeadline(time.Now().Add(d)) != nil {
			expiry = time.AfterFunc(d, s.close)
		}
		_, err := s.nc.Read(b.b[:cap(b.b)])
		if expiry != nil {
			expiry.Stop()
		}
		if err != nil {
			return
		}
	}
}

// close closes the stream without waiting: a TLS alert would wait for a peer
// that does not read.
func (s *source) close() {
	if t, ok := s.nc.(*tls.Conn); ok {
		t.NetConn().Close()
		return
	}
	s.nc.Close()
}
