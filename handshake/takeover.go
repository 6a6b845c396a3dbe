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
// The body that net/http makes is the connection, read through the buffer that the
// response head was read through. We want the connection itself, with its deadlines,
// and what is left in the buffer. httptrace has told us the connection, and drain
// reads the buffer. If anything lies between the body and the connection, or we
// can't tell, the body itself becomes the stream.
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

// past is a deadline in the past.
var past = time.Unix(1, 0)

// The bounds of drain. A connection that keeps its deadlines needs neither: it
// notices a deadline in the past at once, and gives no more than is buffered.
const (
	drainTime  = 100 * time.Millisecond
	drainMost  = 2 * time.Second // in place of drainTime if it is known to keep them
	drainBytes = 64 << 10        // not applied if it is known to keep them
)

// drain reads what the body holds in its buffer. The connection has a read
// deadline in the past, so that reading ends where the buffer does: the buffer
// has no deadlines, and the connection has. If reading does not end, drained is
// false. Then either the connection ignores its deadlines, or the body reads from
// another connection.
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
