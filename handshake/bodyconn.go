package handshake

import (
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"sync/atomic"
	"time"
)

// A bodyConn is a net.Conn over the body of a response: for a transport that
// does not tell its connection, or wraps the body, or whose connection ignores
// deadlines. All bytes pass through the body, so that what wraps it sees them,
// and sees the end: Close closes the body.
//
// Read deadlines are kept by a pump, so that the body sees no read fail for
// one. A write deadline is that of the connection, if it is known.
type bodyConn struct {
	body   io.ReadWriteCloser
	in     *pump
	conn   net.Conn // nil if not known
	deaf   bool     // conn ignores its deadlines
	addr   bodyAddr
	closed atomic.Bool
}

func newBodyConn(body io.ReadWriteCloser, conn net.Conn, host string) *bodyConn {
	return &bodyConn{body: body, in: newPump(body), conn: conn, addr: bodyAddr(host)}
}

// isNetHTTP reports whether the body is one that net/http itself makes: nothing
// wraps it, and to close the connection is to close it.
func isNetHTTP(body io.ReadWriteCloser) bool {
	t := reflect.TypeOf(body)
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http"
}

func (c *bodyConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *bodyConn) Write(p []byte) (int, error) { return c.body.Write(p) }

// Close closes the body. Calls of Read that wait return, whatever the body does.
func (c *bodyConn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	c.in.close()
	return c.body.Close()
}

// LocalAddr returns the connection's address if it is known.
func (c *bodyConn) LocalAddr() net.Addr {
	if c.conn != nil {
		return c.conn.LocalAddr()
	}
	return bodyAddr("")
}

// RemoteAddr returns the connection's peer, or else the host of the URL.
func (c *bodyConn) RemoteAddr() net.Addr {
	if c.conn != nil {
		return c.conn.RemoteAddr()
	}
	return c.addr
}

// CloseWrite closes the writing side, if the body can.
func (c *bodyConn) CloseWrite() error {
	if w, ok := c.body.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetDeadline sets both deadlines. The one for reads holds even if that for
// writes is an error.
func (c *bodyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline always works.
func (c *bodyConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(t)
	return nil
}

// SetWriteDeadline returns os.ErrNoDeadline where there is none.
func (c *bodyConn) SetWriteDeadline(t time.Time) error {
	if c.conn == nil || c.deaf {
		return os.ErrNoDeadline
	}
	return c.conn.SetWriteDeadline(t)
}

// A bodyAddr is the address of a host that is known by name only.
type bodyAddr string

// Network returns "websocket".
func (a bodyAddr) Network() string { return "websocket" }

// String returns the host.
func (a bodyAddr) String() string { return string(a) }
