package conn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/frame"
)

// NetConn returns c as a net.Conn, for protocols that are made of octets. Each
// Write is a message of kind op; the messages that are read, which must be of
// the same kind, are one stream. An end with 1000 or 1001 is io.EOF. Close
// closes with 1000. A message of another kind fails the connection with 1003.
//
// As with any net.Conn, calls that run into a deadline lose nothing, and go on
// when it has been moved.
func NetConn(c *Conn, op frame.Opcode) net.Conn {
	return &netConn{c: c, op: op, read: newDeadline(), write: newDeadline()}
}

type netConn struct {
	c     *Conn
	op    frame.Opcode
	read  *deadline
	write *deadline
	ended atomic.Bool // by Close

	mu     sync.Mutex
	reader io.Reader // of the message under way
}

// Read implements net.Conn.
func (n *netConn) Read(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		ctx, err := n.read.context()
		if err != nil {
			return 0, err
		}
		if n.reader == nil {
			op, r, err := n.c.Reader(ctx)
			if err != nil {
				return 0, netError(ctx, err)
			}
			if op != n.op {
				n.c.Close(frame.StatusUnsupportedData, "")
				return 0, &frame.Error{Code: frame.StatusUnsupportedData, Reason: "message of another kind"}
			}
			n.reader = r
		}
		m, err := n.reader.(*partsReader).readWith(ctx, p)
		if errors.Is(err, io.EOF) {
			n.reader, err = nil, nil
		}
		if m > 0 || err != nil || len(p) == 0 {
			return m, netError(ctx, err)
		}
	}
}

// Write implements net.Conn.
func (n *netConn) Write(p []byte) (int, error) {
	ctx, err := n.write.context()
	if err != nil {
		return 0, err
	}
	if err := n.c.Write(ctx, n.op, p); err != nil {
		return 0, netError(ctx, err)
	}
	return len(p), nil
}

// netError turns the error of a Conn into that of a net.Conn.
func netError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*CloseError](err); ok && (e.Code == frame.StatusNormalClosure || e.Code == frame.StatusGoingAway) {
		return io.EOF
	}
	if errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return err
}

// Close implements net.Conn. The first call succeeds on a connection that the
// peer has closed before, too.
func (n *netConn) Close() error {
	first := !n.ended.Swap(true)
	n.read.set(time.Time{})
	n.write.set(time.Time{})
	err := n.c.Close(frame.StatusNormalClosure, "")
	if first && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (n *netConn) LocalAddr() net.Addr  { return n.c.LocalAddr() }
func (n *netConn) RemoteAddr() net.Addr { return n.c.RemoteAddr() }

// SetDeadline implements net.Conn.
func (n *netConn) SetDeadline(t time.Time) error {
	n.read.set(t)
	n.write.set(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (n *netConn) SetReadDeadline(t time.Time) error { n.read.set(t); return nil }

// SetWriteDeadline implements net.Conn.
func (n *netConn) SetWriteDeadline(t time.Time) error { n.write.set(t); return nil }

// A deadline is a ctx that ends at a time that can be moved. As long as it is
// not it stays the same ctx.
type deadline struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func newDeadline() *deadline {
	d := &deadline{}
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
	return d
}

// context returns the ctx of a call, or the error of one that would be late.
func (d *deadline) context() (context.Context, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return nil, context.Cause(d.ctx)
	}
	return d.ctx, nil
}

// set moves the deadline; calls that wait follow it.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.ctx.Err() != nil {
		d.ctx, d.cancel = context.WithCancelCause(context.Background())
	}
	if t.IsZero() {
		return
	}
	cancel := d.cancel
	if left := time.Until(t); left > 0 {
		d.timer = time.AfterFunc(left, func() { cancel(os.ErrDeadlineExceeded) })
		return
	}
	cancel(os.ErrDeadlineExceeded)
}
