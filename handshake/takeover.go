package handshake

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// takeOver makes a net.Conn of the body of a 101 response.
//
// net/http gives the body as an io.ReadWriteCloser, behind which are a buffer
// that the response was read through and the connection. What we want is the
// connection itself, with its deadlines, and what is left in the buffer. The
// former httptrace has told us. To get at the latter without waiting for more
// we read with a deadline in the past, which the buffer does not notice and the
// connection does.
func (d *dialer) takeOver(ctx context.Context, res *Result, body io.ReadWriteCloser, host string) error {
	d.mu.Lock()
	nc := d.conn
	d.mu.Unlock()
	if nc == nil || nc.SetReadDeadline(past) != nil {
		res.Conn = &bodyConn{ReadWriteCloser: body, conn: nc, addr: bodyAddr(host)}
		return nil
	}
	// Should the connection not know deadlines and hide it, ctx ends the wait.
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	buffered, err := drain(body)
	if !stop() {
		return context.Cause(ctx)
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	res.Conn, res.Buffered = nc, buffered
	return err
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// drain reads what r holds in its buffer.
func drain(r io.Reader) (buffered []byte, err error) {
	b := make([]byte, 4<<10)
	for {
		n, err := r.Read(b)
		buffered = append(buffered, b[:n]...)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return buffered, nil
		case err == io.EOF && len(buffered) > 0:
			return buffered, nil // comes again
		case err != nil:
			return nil, err
		}
	}
}

// A bodyConn is a net.Conn over the body of a response, for transports that do
// not tell their connection. It has no deadlines.
type bodyConn struct {
	io.ReadWriteCloser
	conn net.Conn // nil if not known
	addr bodyAddr
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

// CloseWrite closes the writing side, if the transport can.
func (c *bodyConn) CloseWrite() error {
	if w, ok := c.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetDeadline and its like return os.ErrNoDeadline.
func (c *bodyConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *bodyConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *bodyConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// A bodyAddr is the address of a host that is known by name only.
type bodyAddr string

// Network returns "websocket".
func (a bodyAddr) Network() string { return "websocket" }

// String returns the host.
func (a bodyAddr) String() string { return string(a) }
