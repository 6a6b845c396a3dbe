package conn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A Message is a whole message, as Each hands it out.
type Message struct {
	Opcode frame.Opcode // frame.Text or frame.Binary
	// Payload is a view of the connection's buffer, valid until the callback
	// returns. It may be modified.
	Payload []byte
}

// inbound is the receiving half of a Conn. What stands before mu belongs to
// the goroutine that has the turn to read.
type inbound struct {
	c     *Conn
	feed  feed
	used  int          // octets in front of the source that the last event lies in
	parts *partsReader // the Reader whose message is not finished
	pings *bucket      // of the peer's Pings; nil before the first

	mu    sync.Mutex
	turn  turn
	wait  wait
	arm   armed
	slow  bool          // a read has waited within the message under way, which
	spare time.Duration // may wait so much longer
}

func (in *inbound) init(c *Conn, role Role, agreed *handshake.Deflate, o *Options) {
	in.c = c
	in.feed = newFeed(role, agreed, o, c.limits)
}

// Read returns the next message. The payload is the caller's. Control frames
// that come before it are dealt with: Pings are answered, a Close frame is
// answered and returned as a *CloseError.
//
// When ctx ends while Read waits, Read returns its error and nothing is lost:
// the next read goes on where this one stopped. Reads from several goroutines
// take turns.
//
// After a local close the error is net.ErrClosed, after the peer's a
// *CloseError, after a broken rule the *frame.Error that the peer was told, and
// io.ErrUnexpectedEOF when the stream ended without a Close frame. It stays
// the same from then on.
func (c *Conn) Read(ctx context.Context) (frame.Opcode, []byte, error) {
	in := &c.in
	if err := in.begin(ctx); err != nil {
		return 0, nil, err
	}
	defer in.finishTurn()
	if err := in.next(ctx, false); err != nil {
		return 0, nil, err
	}
	return in.feed.opcode, in.feed.take(), nil
}

// Each calls f with one message after the other, until f returns an error, ctx
// ends, or the connection does, and returns that error. The payload is valid
// until f returns. f may write and close, but must not read: it has the turn.
//
// It is the way to read that copies and allocates nothing. While f runs and
// more has come already, what is written is held back to leave in one piece;
// see Write.
func (c *Conn) Each(ctx context.Context, f func(Message) error) error {
	in := &c.in
	if err := in.begin(ctx); err != nil {
		return err
	}
	defer in.finishTurn()
	for {
		if err := in.next(ctx, false); err != nil {
			return err
		}
		if err := f(Message{in.feed.opcode, in.feed.payload}); err != nil {
			return err
		}
	}
}

// Reader returns the next message as a stream of its octets, which come as
// they arrive; compressed messages come when they are whole. The reads take
// turns with other reads, and end with ctx. Any other read discards what is
// left of the message; the Reader then returns an error.
func (c *Conn) Reader(ctx context.Context) (frame.Opcode, io.Reader, error) {
	in := &c.in
	if err := in.begin(ctx); err != nil {
		return 0, nil, err
	}
	defer in.finishTurn()
	if err := in.next(ctx, true); err != nil {
		return 0, nil, err
	}
	in.parts = &partsReader{in: in, ctx: ctx, part: in.feed.payload, last: in.feed.last}
	return in.feed.opcode, in.parts, nil
}

// A partsReader is what Reader returns. Its fields belong to the turn.
type partsReader struct {
	in   *inbound
	ctx  context.Context
	part []byte // view: of the source, or of the message if it was compressed
	last bool
	lost bool // another read has discarded some of it
}

var errStaleReader = errors.New("websocket: read of a message that another read has discarded")

// Read implements io.Reader.
func (r *partsReader) Read(p []byte) (int, error) { return r.readWith(r.ctx, p) }

func (r *partsReader) readWith(ctx context.Context, p []byte) (int, error) {
	in := r.in
	if err := in.takeTurn(ctx); err != nil {
		return 0, err
	}
	defer in.finishTurn()
	switch {
	case r.lost:
		return 0, errStaleReader
	case in.parts != r && r.last && len(r.part) == 0:
		return 0, io.EOF
	case in.parts != r:
		return 0, errStaleReader
	}
	for len(r.part) == 0 && !r.last {
		if err := in.next(ctx, true); err != nil {
			return 0, err
		}
		r.part, r.last = in.feed.payload, in.feed.last
	}
	n := copy(p, r.part)
	r.part = r.part[n:]
	if r.last && len(r.part) == 0 {
		in.endParts()
		if n == 0 && len(p) > 0 {
			return 0, io.EOF
		}
	}
	return n, nil
}

// begin takes the turn for a read of a new message, and discards what is left
// of one that a Reader has not finished.
func (in *inbound) begin(ctx context.Context) error {
	if err := in.takeTurn(ctx); err != nil {
		return err
	}
	for in.parts != nil {
		if in.parts.last {
			in.endParts()
			break
		}
		in.parts.part, in.parts.lost = nil, true
		if err := in.next(ctx, true); err != nil {
			in.finishTurn()
			return err
		}
		in.parts.last = in.feed.last
	}
	return nil
}

func (in *inbound) endParts() {
	in.settle()
	in.parts = nil
}

// next reads until there is a message, or with stream a part of one. What the
// last event lay in is used up. While the closing handshake is on, what comes
// is discarded.
func (in *inbound) next(ctx context.Context, stream bool) error {
	in.settle()
	in.feed.stream = stream
	for {
		b := in.c.src.buffered()
		n, e, err := in.feed.next(b)
		if err != nil {
			return in.fail(err)
		}
		if n == 0 && e == eventNone {
			if e, err = in.fill(ctx); err != nil {
				return err
			}
		}
		switch e {
		case eventNone:
			in.c.src.advance(n)
		case eventControl:
			err := in.control(len(b) > n)
			in.c.src.advance(n)
			if err != nil {
				return err
			}
		default:
			in.used = n
			if in.deliver(len(b) > n) {
				return nil
			}
			in.settle()
		}
	}
}

// deliver reports whether the message in the feed is to be handed out: not
// while the closing handshake is on. more tells that octets lie behind it.
func (in *inbound) deliver(more bool) bool {
	in.c.out.cork(more)
	return !in.c.out.closed()
}

// settle uses up what the last event lay in.
func (in *inbound) settle() {
	if in.used > 0 {
		in.c.src.advance(in.used)
		in.used = 0
	}
	if in.feed.message != nil && in.feed.place == between && !in.feed.rules.open {
		in.feed.release()
	}
}

// fill waits for octets: into the buffer, or straight into the message under
// way. Held output leaves first.
func (in *inbound) fill(ctx context.Context) (event, error) {
	in.c.out.uncork()
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
		woken := in.endWait(n)
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
		case !woken:
			return eventNone, in.broken(err)
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
		c.out.sendClose(code, reason, c.serving)
	case half:
		c.out.halfClose(c.serving)
	default:
		return
	}
	wait := drainTime
	if !c.serving {
		wait = c.limits.CloseTimeout
	}
	in.settle()
	in.feed.release()
	c.src.discard(wait)
	c.drop(streamEnd, cause)
}

// take returns the payload as a slice that is the caller's.
func (f *feed) take() []byte {
	if m := f.message; m != nil && len(m.b) == len(f.payload) && cap(m.b)-len(m.b) <= len(m.b)/4 {
		f.message = nil
		return m.b
	}
	if len(f.payload) == 0 {
		return []byte{}
	}
	return bytes.Clone(f.payload)
}
