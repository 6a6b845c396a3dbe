package handshake

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// takeOver makes a net.Conn of the body of a 101 response.
//
// net/http gives the body as an io.ReadWriteCloser, which consists of a buffer
// that the response was read through and the connection. What we want is the
// connection itself, with its deadlines, and what is left in the buffer. The
// former httptrace has told us; the latter drain reads. If there is anything
// between us and the connection, the body is the stream.
func (d *dialer) takeOver(ctx context.Context, res *Result, body io.ReadWriteCloser, host string) error {
	d.mu.Lock()
	nc := d.conn
	d.mu.Unlock()
	c := newBodyConn(body, nc, host)
	if nc == nil || !isNetHTTP(body) || nc.SetReadDeadline(past) != nil {
		res.Conn = c
		return nil
	}
	buffered, drained, err := c.drain(ctx)
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		return err
	}
	res.Conn, res.Buffered = nc, buffered
	if drained {
		return nil
	}
	if res.Conn = c; keepsDeadlines(nc) {
		c.conn = nil // the body reads from another connection
	} else {
		c.deaf = true
	}
	return nil
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// How long the connection may take to notice a deadline in the past, and how
// much it may give until then. Connections that keep to deadlines notice at
// once, and what they may give is what is buffered.
const (
	drainTime  = 100 * time.Millisecond
	drainMost  = 2 * time.Second // for those that are known to keep to deadlines
	drainBytes = 64 << 10
)

// drain reads what the body holds in its buffer. The connection has a read
// deadline in the past: the buffer does not notice it, and the connection does.
// If that does not end the reading soon then drained is false. Either the
// connection ignores deadlines, or it is not the one that the body reads from.
func (c *bodyConn) drain(ctx context.Context) (buffered []byte, drained bool, err error) {
	keeps := keepsDeadlines(c.conn)
	patience := drainTime
	if keeps {
		patience = drainMost
	}
	c.in.setDeadline(time.Now().Add(patience))
	defer c.in.setDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { c.in.setDeadline(past) })
	defer stop()
	b := make([]byte, 4<<10)
	for keeps || len(buffered) < drainBytes {
		n, err := c.in.Read(b)
		buffered = append(buffered, b[:n]...)
		switch {
		case ctx.Err() != nil:
			return nil, false, context.Cause(ctx)
		case err == errOverdue:
			c.in.excuse()
			return buffered, false, nil
		case errors.Is(err, os.ErrDeadlineExceeded), err == io.EOF && len(buffered) > 0: // EOF comes again
			return buffered, true, nil
		case err != nil:
			return nil, false, err
		}
	}
	return buffered, false, nil
}
