//go:build unix

package conn

import (
	"io"
	"net"
	"syscall"
)

// rawConn returns the socket of a plain TCP or Unix connection. A type that
// embeds one has the method too, but may have a Read of its own.
func rawConn(nc net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	switch nc := nc.(type) {
	case *net.TCPConn:
		raw, _ = nc.SyscallConn()
	case *net.UnixConn:
		raw, _ = nc.SyscallConn()
	}
	return raw
}

// An attempt is a read from the socket, or a write to it, as its callback
// sees it. The callbacks are made once: a closure for each call would be an
// allocation for each call.
type attempt struct {
	call func(fd uintptr) bool
	p    []byte
	n    int
	err  error
}

// A readAttempt is an attempt that may wait.
type readAttempt struct {
	attempt
	try     bool // give up instead
	again   bool // it gave up
	release bool // nothing needs the buffer while the read waits
}

func (a *attempt) start(p []byte) { a.p, a.n, a.err = p, 0, nil }

func (a *readAttempt) startRead(p []byte, release, try bool) {
	a.start(p)
	a.again, a.release, a.try = false, release, try
}

// readSocket reads into s.read.p. The first callback after RawConn.Read has
// reset the readiness must try the read itself: one that only waits loses a
// wake-up that came before. When there is nothing the buffer goes back to its
// pool, and the callback after the wait returns without having read: work
// that is done in it would grow the goroutine's stack for good.
func (s *source) readSocket() error {
	a := &s.read
	if a.call == nil {
		a.call = s.onReadable
	}
	if err := s.raw.Read(a.call); err != nil {
		return err
	}
	return a.err
}

func (s *source) onReadable(fd uintptr) bool {
	a := &s.read
	if a.p == nil {
		return true
	}
	n, err := syscall.Read(int(fd), a.p)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), a.p)
	}
	switch {
	case err == syscall.EAGAIN && a.try:
		a.again = true
		return true
	case err == syscall.EAGAIN:
		if a.release {
			a.p = nil
			s.drop()
		}
		return false
	case err != nil:
		a.err = err
	case n == 0:
		a.err = io.EOF
	default:
		a.n = n
	}
	return true
}

// writeSocket writes of s.write.p what goes without blocking, in one call.
func (s *source) writeSocket() error {
	a := &s.write
	if a.call == nil {
		a.call = s.onWritable
	}
	if err := s.raw.Write(a.call); err != nil {
		return err
	}
	return a.err
}

func (s *source) onWritable(fd uintptr) bool {
	a := &s.write
	n, err := syscall.Write(int(fd), a.p)
	for err == syscall.EINTR {
		n, err = syscall.Write(int(fd), a.p)
	}
	switch err {
	case nil:
		a.n = n
	case syscall.EAGAIN:
	default:
		a.err = err
	}
	return true
}
