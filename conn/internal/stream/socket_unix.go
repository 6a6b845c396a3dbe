//go:build unix

package stream

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// A polled is the socket of a plain TCP or Unix connection, for which the runtime waits.
// Its fields after raw are a read as its callback sees it.
type polled struct {
	net.Conn
	raw     syscall.RawConn
	call    func(fd uintptr) bool // made once: a closure for each read would be an allocation for each
	s       *Stream
	p       []byte
	n       int32 // octets, or the negative errno
	release bool  // nothing needs the buffer while the read waits
	try     bool  // give up instead of waiting
	again   bool  // it gave up
}

// polledOf returns the socket of nc; nil if nc is none. A type that embeds one has the
// method too, but may have a Read of its own.
func polledOf(nc net.Conn) endpoint {
	var raw syscall.RawConn
	switch nc := nc.(type) {
	case *net.TCPConn:
		raw, _ = nc.SyscallConn()
	case *net.UnixConn:
		raw, _ = nc.SyscallConn()
	}
	if raw == nil {
		return nil
	}
	a := &polled{Conn: nc, raw: raw}
	a.call = a.onReadable
	return a
}

// read implements endpoint. The first callback after RawConn.Read has reset the
// readiness must try the read itself: one that only waits loses a wake-up that
// came before. When there is nothing the buffer, if release says that nobody
// needs it, goes back to its pool, and the callback after the wait returns
// without having read, which 0 and no error tell: work that is done in it would
// grow the goroutine's stack for good.
func (a *polled) read(s *Stream, p []byte, release, try bool) (n int, again bool, err error) {
	a.s, a.p, a.n, a.release, a.try, a.again = s, p, 0, release, try, false
	err = a.raw.Read(a.call)
	switch {
	case err != nil:
		return 0, false, err
	case a.n < 0:
		return 0, false, syscall.Errno(-a.n)
	case a.n == 0 && a.p != nil && !a.again:
		return 0, false, io.EOF
	}
	return int(a.n), a.again, nil
}

func (a *polled) onReadable(fd uintptr) bool {
	if a.p == nil {
		return true
	}
	n, err := syscall.Read(int(fd), a.p)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), a.p)
	}
	errno, _ := err.(syscall.Errno)
	switch {
	case errno == 0:
		a.n = int32(n)
	case errno != syscall.EAGAIN:
		a.n = -int32(errno)
	case a.try:
		a.again = true
	default:
		if a.release {
			a.p = nil
			a.s.Drop()
		}
		return false
	}
	return true
}

// A writing is a write to the socket as its callback sees it. Unlike a reading
// it lasts no longer than its call, so that connections share a few.
type writing struct {
	call func(fd uintptr) bool
	p    []byte
	n    int
	err  error
	wait bool // for room, where there is none
}

var writings = sync.Pool{New: func() any {
	w := &writing{}
	w.call = w.onWritable
	return w
}}

// write implements endpoint. The callback tries the write itself, as that of read does, and
// for the same reason.
func (a *polled) write(p []byte, wait bool) (int, error) {
	w := writings.Get().(*writing)
	w.p, w.n, w.err, w.wait = p, 0, nil, wait
	err := a.raw.Write(w.call)
	if err == nil {
		err = w.err
	}
	n := w.n
	w.p = nil
	writings.Put(w)
	return n, err
}

func (w *writing) onWritable(fd uintptr) bool {
	n, err := syscall.Write(int(fd), w.p)
	for err == syscall.EINTR {
		n, err = syscall.Write(int(fd), w.p)
	}
	switch err {
	case nil:
		w.n = n
	case syscall.EAGAIN:
		return !w.wait
	default:
		w.err = err
	}
	return true
}

// control implements endpoint.
func (a *polled) control(f func(fd uintptr)) error { return a.raw.Control(f) }

// unwrap implements endpoint.
func (a *polled) unwrap() net.Conn { return a.Conn }
