// Package pipe makes connections in memory. Unlike those of net.Pipe they behave
// like TCP: writes are buffered, and each direction can be closed separately.
//
// # Concurrency
//
// All methods may be called from any goroutine. Calls wait on a sync.Cond, and
// timers come from time.AfterFunc. So a call blocks durably in the
// testing/synctest bubble in which its connection was made.
package pipe

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// DefaultSize is the number of bytes that a connection of New buffers in each
// direction.
const DefaultSize = 1 << 20

// New is NewSize with DefaultSize.
func New() (a, b net.Conn) { return NewSize(DefaultSize) }

// NewSize returns the two ends of a connection that buffers up to size bytes in
// each direction. A Write that finds the buffer full waits until the peer has
// read. NewSize panics if size is not positive.
//
// Both ends have a CloseWrite method, like *net.TCPConn. After it the peer reads
// the buffered bytes, then io.EOF, and may still write. Close drops the bytes that
// the end has not read, and from then on the peer's writes fail. Errors are
// *net.OpError values that wrap net.ErrClosed, os.ErrDeadlineExceeded or
// io.ErrClosedPipe. Only io.EOF comes unwrapped.
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
	closed        atomic.Bool // Close was called; set before the peer can see it
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.wrap("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.wrap("write", err)
}

// Close ends both directions and wakes every waiting call at both ends. A second
// Close returns an error, as that of a *net.TCPConn does.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return c.wrap("close", net.ErrClosed)
	}
	c.in.closeRead() // first, so that what the peer writes when it sees the end is not read
	c.out.closeWrite()
	return nil
}

// CloseWrite ends the direction to the peer.
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

// wrap wraps err in a *net.OpError, unless err is nil or io.EOF.
func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// An addr is the name of one end.
type addr string

func (a addr) Network() string { return "pipe" }
func (a addr) String() string  { return string(a) }
