package stream

import (
	"errors"
	"io"
	"net"
)

// A blocking is a stream that is no socket, or none that can be tried.
type blocking struct {
	net.Conn
	try  tryWriter      // the net.Conn; nil: a write can't be tried
	idle [idleRead]byte // what a read that waits holds
	more bool           // the last read filled what it had
}

// idleRead is the size of a read that waits: it holds a small message, or the start of a
// longer one.
const idleRead = 64

// fill is Stream.Fill. It waits with the few
// bytes of idle, unless the last read shows that there is more.
func (b *blocking) fill(s *Stream, need int) (int, error) {
	if s.r == s.w && !b.more {
		s.Drop()
		n, err := b.readOnce(b.idle[:])
		if n > 0 {
			s.space(0)
			s.w = int32(copy(s.buf.B[:cap(s.buf.B)], b.idle[:n]))
			b.more = n == len(b.idle)
		}
		return n, err
	}
	s.space(need)
	free := s.buf.B[s.w:cap(s.buf.B)]
	n, err := b.readOnce(free)
	s.w += int32(n)
	b.more = n == len(free)
	s.took(b.more)
	return n, err
}

// emptyReads is how many reads in a row may bring nothing without an error, as
// io.Reader permits.
const emptyReads = 100

// readOnce reads. n or err is set, and
// not both: a read that brings both is followed by one that brings the error.
func (b *blocking) readOnce(p []byte) (n int, err error) {
	for range emptyReads {
		if n, err = b.Read(p); n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// unwrap implements endpoint.
func (b *blocking) unwrap() net.Conn { return b.Conn }

// read implements endpoint. It can't be tried.
func (b *blocking) read(_ *Stream, p []byte, _, _ bool) (n int, again bool, err error) {
	n, err = b.readOnce(p)
	return n, false, err
}

// write implements endpoint.
func (b *blocking) write(p []byte, wait bool) (int, error) {
	if wait || b.try == nil {
		return b.Write(p)
	}
	return b.try.TryWrite(p)
}

// control implements endpoint.
func (b *blocking) control(func(fd uintptr)) error { return errors.ErrUnsupported }
