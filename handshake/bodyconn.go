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

// A bodyConn is a net.Conn over the body of a response. It is used if the
// transport wraps the body or does not tell its connection, and if the connection
// ignores its deadlines. All bytes pass through the body, and Close closes it, so
// that a type that wraps it sees the whole life of the connection.
//
// A pump keeps the read deadlines, so that no read of the body fails because of
// one. Write deadlines are those of the connection, if it is known.
type bodyConn struct {
	body   io.ReadWriteCloser
	in     *pump    // reads from body
	conn   net.Conn // the connection below body, nil if not known
	deaf   bool     // conn ignores its deadlines
	addr   bodyAddr
	closed atomic.Bool
}

func newBodyConn(body io.ReadWriteCloser, conn net.Conn, host string) *bodyConn {
	return &bodyConn{body: body, in: newPump(body), conn: conn, addr: bodyAddr(host)}
}

// isNetHTTP reports whether the type of body is one of net/http's own. If it is,
// nothing wraps the body, and closing the connection is as good as closing it.
func isNetHTTP(body io.ReadWriteCloser) bool {
	t := reflect.TypeOf(body)
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http"
}

func (c *bodyConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *bodyConn) Write(p []byte) (int, error) { return c.body.Write(p) }

// Close closes the body. Waiting calls of Read return, even if the body's do not.
func (c *bodyConn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	c.in.close()
	return c.body.Close()
}

// LocalAddr returns the connection's address, or an empty one if the connection is
// not known.
func (c *bodyConn) LocalAddr() net.Addr {
	if c.conn != nil {
		return c.conn.LocalAddr()
	}
	return bodyAddr("")
}

// RemoteAddr returns the address of the connection's peer, or the URL's host if the
// connection is not known.
func (c *bodyConn) RemoteAddr() net.Addr {
	if c.conn != nil {
		return c.conn.RemoteAddr()
	}
	return c.addr
}

// CloseWrite closes the writing side, if the body has a method for it.
func (c *bodyConn) CloseWrite() error {
	if w, ok := c.body.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetDeadline sets both deadlines. If there is no write deadline it returns an
// error, and the read deadline is set all the same.
func (c *bodyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets the read deadline. It never fails.
func (c *bodyConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(t)
	return nil
}

// SetWriteDeadline sets the connection's write deadline. It returns
// os.ErrNoDeadline if the connection is not known or ignores its deadlines.
func (c *bodyConn) SetWriteDeadline(t time.Time) error {
	if c.conn == nil || c.deaf {
		return os.ErrNoDeadline
	}
	return c.conn.SetWriteDeadline(t)
}

// A bodyAddr is the address of a host of which only the name is known.
type bodyAddr string

// Network returns "websocket".
func (a bodyAddr) Network() string { return "websocket" }

// String returns the host.
func (a bodyAddr) String() string { return string(a) }
