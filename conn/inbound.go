package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/conn/internal/message"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// inbound is the receiving half of a Conn. What stands before mu belongs to
// the goroutine that has the turn to read.
type inbound struct {
	c      *Conn
	parser message.Parser
	parts  *partsReader // the Reader whose message is not finished
	pings  *bucket      // of the peer's Pings; nil before the first
	grown  bool         // a message has been handled that Server.receive wants to wait apart from

	mu   sync.Mutex
	turn turn
	wait wait
	arm  *armed // nil: no read has had a ctx that can end
}

func (in *inbound) init(c *Conn, role Role, agreed *handshake.Deflate, o *Options) {
	in.c = c
	in.parser = newParser(role, agreed, o, c.limits)
}

// newParser makes the parser of a Conn that plays role.
func newParser(role Role, agreed *handshake.Deflate, o *Options, l *Limits) message.Parser {
	p := message.Options{Masked: role == RoleServer, Limit: l.Message, LenientLength: o.LenientLength}
	if agreed != nil {
		takeover, bits := !agreed.ClientNoContextTakeover, agreed.ClientMaxWindowBits
		if role == RoleClient {
			takeover, bits = !agreed.ServerNoContextTakeover, agreed.ServerMaxWindowBits
		}
		p.Inflater = inflater.New(takeover, bits)
	}
	return message.New(p)
}

// next reads until there is a message, or as mode has it a part of one, whose
// payload is valid until the next call. While the closing handshake is on, what
// comes is discarded.
func (in *inbound) next(ctx context.Context, mode message.Mode) (message.Event, error) {
	in.parser.Settle()
	in.parser.SetMode(mode)
	src := &in.c.src
	for {
		b := src.Buffered()
		n, e, err := in.parser.Next(b)
		if err != nil {
			return message.Event{}, in.fail(err)
		}
		src.Advance(n) // a view of these octets stays good until the next Fill
		if n == 0 && e.Kind == message.None {
			if e, err = in.fill(ctx); err != nil {
				return message.Event{}, err
			}
		}
		switch e.Kind {
		case message.None:
		case message.Control:
			if err := in.control(e, len(b) > n); err != nil {
				return message.Event{}, err
			}
		default:
			if in.deliver(len(b) > n) {
				return e, nil
			}
			in.parser.Settle()
		}
	}
}

// deliver reports whether the message that has come is to be handed out:
// not while the closing handshake is on. more tells that octets lie behind it.
func (in *inbound) deliver(more bool) bool {
	in.c.out.cork(more)
	return !in.c.out.closed()
}

// fill waits for octets: into the buffer, or straight into the message under
// way. Held output leaves first.
func (in *inbound) fill(ctx context.Context) (message.Event, error) {
	in.c.out.uncork()
	src, room := &in.c.src, []byte(nil)
	if len(src.Buffered()) == 0 {
		room = in.parser.Room()
	}
	for {
		registered := in.register(ctx, !src.CanTry())
		if err := in.beginWait(ctx); err != nil {
			return message.Event{}, err
		}
		var n int
		var again bool
		var err error
		if room != nil {
			n, again, err = src.Into(room, !registered)
		} else {
			n, again, err = src.Fill(in.parser.Need(), !registered)
		}
		ours := in.endWait(n, err)
		switch {
		case n > 0 && room != nil:
			e, err := in.parser.Filled(n)
			if err != nil {
				err = in.fail(err)
			}
			return e, err
		case n > 0:
			return message.Event{}, nil
		case again:
			in.register(ctx, true)
		case !ours:
			return message.Event{}, in.broken(err)
		case in.grown:
			in.grown = false
			return message.Event{}, errMoved
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
	in.parser.Release()
	c.src.Discard(wait)
	c.drop(streamEnd, cause)
}
