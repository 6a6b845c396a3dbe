package conn

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn/internal/message"
	"github.com/parleyws/parley/frame"
)

// NetConn returns c as a net.Conn, for protocols that are made of bytes. What
// is written goes out as messages of type t, of 32 KiB at most; the messages that
// are read, which must be of that type, are one stream. Limits.Message and
// Limits.MessageTime do not hold for them, since nothing of them is held, unless
// they are compressed. An end with 1000 or 1001 is io.EOF. Close closes with
// 1000. A message of the other type fails the connection with 1003.
//
// As with any net.Conn, calls that run into a deadline lose nothing, and go on
// when it has been moved.
func NetConn(c *Conn, t MessageType) net.Conn {
	return &netConn{
		c: c, kind: t,
		read: newDeadline(), reading: make(chan struct{}, 1),
		write: newDeadline(), writing: make(chan struct{}, 1),
	}
}

// Reads come one after the other, and so do writes, each of which is one piece of
// the stream. They wait for a channel rather than for a mutex: a deadline ends that
// wait too, and time goes on meanwhile in a bubble of testing/synctest.
type netConn struct {
	c       *Conn
	kind    MessageType
	read    *deadline
	write   *deadline
	ended   atomic.Bool   // by Close
	reading chan struct{} // full while somebody reads
	writing chan struct{} // full while somebody writes
	reader  *partsReader  // of the message under way; belongs to who reads
}

// take waits until slot is empty, and fills it, or until d has passed.
func take(slot chan<- struct{}, d *deadline) error {
	ctx, err := d.context()
	if err != nil {
		return err
	}
	select {
	case slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Read implements net.Conn.
func (n *netConn) Read(p []byte) (int, error) {
	if err := take(n.reading, n.read); err != nil {
		return 0, err
	}
	defer func() { <-n.reading }()
	for {
		ctx, err := n.read.context()
		if err != nil {
			return 0, err
		}
		if n.reader == nil {
			if err := n.open(ctx); err != nil {
				return 0, netError(ctx, err)
			}
		}
		m, err := n.reader.readWith(ctx, p)
		if errors.Is(err, io.EOF) {
			n.reader, err = nil, nil
		}
		if m > 0 || err != nil || len(p) == 0 {
			return m, netError(ctx, err)
		}
	}
}

// open waits for the next message.
func (n *netConn) open(ctx context.Context) error {
	t, r, err := n.c.in.reader(ctx, message.Stream)
	if err != nil {
		return err
	}
	if t != n.kind {
		return n.c.in.fail(errOtherType)
	}
	n.reader = r
	return nil
}

// netConnPiece is the length of the messages that a NetConn writes, in bytes: a
// peer that holds whole messages can take them.
const netConnPiece = 32 << 10

// Write implements net.Conn.
func (n *netConn) Write(p []byte) (int, error) {
	if err := take(n.writing, n.write); err != nil {
		return 0, err
	}
	defer func() { <-n.writing }()
	for written := 0; ; {
		ctx, err := n.write.context()
		if err != nil {
			return written, err
		}
		piece := p[written:min(len(p), written+netConnPiece)]
		err = n.c.Write(ctx, n.kind, piece)
		if _, committed := errors.AsType[*committedError](err); err == nil || committed {
			written += len(piece)
		}
		if err != nil || written == len(p) {
			return written, netError(ctx, err)
		}
	}
}

// netError turns the error of a Conn into that of a net.Conn.
func netError(ctx context.Context, err error) error {
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
