package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// inbound is the receiving half of a Conn. What stands before mu belongs to
// the goroutine that has the turn to read.
type inbound struct {
	c     *Conn
	feed  feed
	parts *partsReader // the Reader whose message is not finished
	pings *bucket      // of the peer's Pings; nil before the first
	grown bool         // a message has been handled that Server.receive wants to wait apart from

	mu   sync.Mutex
	turn turn
	wait wait
	arm  *armed // nil: no read has had a ctx that can end
}

func (in *inbound) init(c *Conn, role Role, agreed *handshake.Deflate, o *Options) {
	in.c = c
	in.feed = newFeed(role, agreed, o, c.limits)
}

// next reads until there is a message, or with stream a part of one, which is
// valid until the next call. While the closing handshake is on, what comes is
// discarded.
func (in *inbound) next(ctx context.Context, stream bool) error {
	in.feed.settle()
	in.feed.stream = stream
	src := &in.c.src
	for {
		b := src.buffered()
		n, e, err := in.feed.next(b)
		if err != nil {
			return in.fail(err)
		}
		src.advance(n) // a view of these octets stays good until the next fill
		if n == 0 && e == eventNone {
			if e, err = in.fill(ctx); err != nil {
				return err
			}
		}
		switch e {
		case eventNone:
		case eventControl:
			if err := in.control(len(b) > n); err != nil {
				return err
			}
		default:
			if in.deliver(len(b) > n) {
				return nil
			}
			in.feed.settle()
		}
	}
}

// deliver reports whether the message in the feed is to be handed out: not
// while the closing handshake is on. more tells that octets lie behind it.
func (in *inbound) deliver(more bool) bool {
	in.c.out.cork(more)
	return !in.c.out.closed()
}

// fill waits for octets: into the buffer, or straight into the message under
// way. Held output leaves first.
func (in *inbound) fill(ctx context.Context) (event, error) {
	in.c.out.uncork()
	in.feed.payload = nil // it would keep a buffer that goes back to its pool
	src, room := &in.c.src, []byte(nil)
	if src.r == src.w {
		room = in.feed.room()
	}
	for {
		registered := in.register(ctx, src.raw == nil)
		if err := in.beginWait(ctx); err != nil {
			return eventNone, err
		}
		var n int
		var again bool
		var err error
		if room != nil {
			n, again, err = src.into(room, !registered)
		} else {
			n, again, err = src.fill(in.feed.need(), !registered)
		}
		ours := in.endWait(n, err)
		switch {
		case n > 0 && room != nil:
			e, err := in.feed.filled(n)
			if err != nil {
				err = in.fail(err)
			}
			return e, err
		case n > 0:
			return eventNone, nil
		case again:
			in.register(ctx, true)
		case !ours:
			return eventNone, in.broken(err)
		case in.grown:
			in.grown = false
			return eventNone, errMoved
		}
	}
}

// broken ends the connection after a failed read.
func (in *inbound) broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("websocket: read: %w", io.ErrUnexpectedEOF)
	} else {
		err = fmt.Errorf("websocket: read: %w: %w", io.ErrUnexpectedEOF, err)
	}
	in.c.drop(streamEnd, err)
	return in.c.end.err()
}

// fail fails the connection (RFC 6455, section 7.1.7): the peer is told the
// status code of err, what it still sends is discarded.
func (in *inbound) fail(err error) error {
	code := frame.StatusProtocolError
	reason := ""
	if e, ok := errors.AsType[*frame.Error](err); ok {
		code, reason = e.Code, e.Reason
	}
	in.shut(failure, err, code, reason)
	return in.c.end.err()
}

// shut is the end of the closing handshake in the reading goroutine: the last
// Close frame is queued if ours is not out, and the stream is emptied.
func (in *inbound) shut(ev closeEvent, cause error, code frame.StatusCode, reason string) {
	c := in.c
	switch c.end.happens(ev, cause) {
	case sendThenHalf:
		c.out.sendClose(code, reason, c.end.serving)
	case half:
		c.out.halfClose(c.end.serving)
	default:
		return
	}
	wait := drainTime
	if !c.end.serving {
		wait = c.limits.CloseTimeout
	}
	in.feed.release()
	c.src.discard(wait)
	c.drop(streamEnd, cause)
}
