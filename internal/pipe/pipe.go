// Package pipe makes connections in memory that behave like TCP where net.Pipe
// does not: writes are buffered, and one direction can be closed alone.
//
// # Concurrency
//
// All methods may be called from any goroutine. A call that waits does so on a
// sync.Cond and timers are made by time.AfterFunc, so that a connection that
// was made in a testing/synctest bubble blocks durably there.
package pipe

import (
	"io"
	"net"
	"time"
)

// DefaultSize is how many octets New lets wait in each direction.
const DefaultSize = 1 << 20

// New returns the two ends of a connection that holds up to DefaultSize octets
// in each direction.
func New() (a, b net.Conn) { return NewSize(DefaultSize) }

// NewSize is New with size octets of room in each direction: a Write of more
// waits until the peer has read. NewSize panics if size is not positive.
//
// Both ends have a CloseWrite method, as *net.TCPConn has: the peer reads what
// is buffered, then io.EOF, and may go on writing. Close of one end drops what
// it has not read, and fails the peer's writes from then on. Errors are
// *net.OpError around net.ErrClosed, os.ErrDeadlineExceeded or
// io.ErrClosedPipe, but for io.EOF, which comes bare.
func NewSize(size int) (a, b net.Conn) {
	if size <= 0 {
		panic("pipe: size is not positive")
	}
	ab, ba := newStream(size), newStream(size)
	return &conn{in: ba, out: ab, local: "a", remote: "b"},
		&conn{in: ab, out: ba, local: "b", remote: "a"}
}

// A conn is one end: it reads from one stream and writes to the other.
type conn struct {
	in, out       *stream
	local, remote addr
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.wrap("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.wrap("write", err)
}

// Close ends both directions and wakes every call that waits, at either end.
// A second Close is an error, as it is of a *net.TCPConn.
func (c *conn) Close() error {
	c.out.closeWrite()
	return c.wrap("close", c.in.closeRead())
}

// CloseWrite ends the direction towards the peer.
func (c *conn) CloseWrite() error {
	return c.wrap("close", c.out.closeWrite())
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.wrap("set", c.in.setReadDeadline(t))
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.wrap("set", c.out.setWriteDeadline(t))
}

// wrap puts err, unless it is nil or io.EOF, into the error type of package net.
func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// An addr is the name of an end.
type addr string

func (a addr) Network() string { return "pipe" }
func (a addr) String() string  { return string(a) }
