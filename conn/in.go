package conn

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn/internal/message"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/loop"
)

// inbound is the receiving half of a Conn. The fields above mu belong to the
// goroutine that has the turn to read.
type inbound struct {
	c        *Conn
	parser   *parser  // nil while the loop waits, and nothing is under way
	receiver Receiver // of a loop

	grown bool // a message has been handled since this goroutine began to read: see receive_alone.go
	quiet bool // the peer will probably be silent after this message: likewise
	parks bool // a read that would wait returns errIdle: see receive_looped.go
	whole bool // a message has ended since the last wait

	delivering atomic.Bool // Each has a message for its callback and has not waited since; set with the turn

	mu     sync.Mutex
	turn   turn
	wait   wait
	wakers *wakers // nil: no goroutine has waited that might have to be woken
}

func (in *inbound) init(c *Conn) {
	in.c = c
	in.borrow()
}

// parsers has what connections lend each other that have nothing under way: a fifth of what
// an idle one would hold.
var parsers = sync.Pool{New: func() any { return new(parser) }}

// A parser is what a connection needs while something comes.
type parser struct {
	message.Parser
	worker *loop.Worker  // whose function for the messages is called; nil on a goroutine
	parts  *partsReader  // the Reader whose message is not finished
	spare  time.Duration // the message under way may wait so much longer, if wait.slow is set; guarded by mu
}

// borrow gets a parser, if there is none.
func (in *inbound) borrow() {
	if in.parser != nil {
		return
	}
	in.parser = parsers.Get().(*parser)
	in.parser.worker, in.parser.parts = nil, nil
	o := message.Options{
		Masked:        in.c.life.serving,
		Limit:         in.c.settings.Message,
		LenientLength: in.c.settings.lenientLength,
	}
	if t := in.c.terms; t != nil {
		o.Inflater = t.inflater
	}
	in.parser.Parser = message.New(o)
}

// lend gives the parser, and the buffer, to others while nothing is under way. What is kept
// of the start of a frame fits a small buffer mostly.
func (in *inbound) lend() {
	if len(in.c.stream.Buffered()) > 0 {
		in.c.stream.Shrink()
		return
	}
	in.c.stream.Drop()
	if !in.parser.UnderWay() { // it holds no message then: next has settled the last one
		parsers.Put(in.parser)
		in.parser = nil
	}
}

// next reads until there is a message, or in another mode than message.Whole a
// part of one. What it returns is valid until the next call. Control frames are
// dealt with on the way.
func (in *inbound) next(ctx context.Context, mode message.Mode) (message.Event, error) {
	in.parser.Settle()
	in.parser.SetMode(mode)
	for {
		b := in.c.stream.Buffered()
		n, e, err := in.parser.Next(b)
		if err != nil {
			return e, in.fail(err)
		}
		in.c.stream.Advance(n) // a view of these bytes stays good until the next fill
		more := len(b) > n
		if n == 0 {
			if e, err = in.fill(ctx); err != nil {
				return e, err
			}
			more = false
		}
		if e.Kind != message.None {
			var done bool
			if e, done, err = in.arrived(e, more); done {
				return e, err
			}
		}
	}
}

// arrived deals with a control frame, or lets a message be delivered, which ends
// the read: done is true then, and after an error. more tells that bytes lie
// after it. It is a function of its own to keep the frame of next small, in which
// an idle goroutine waits: 100 bytes more would double its stack.
func (in *inbound) arrived(e message.Event, more bool) (_ message.Event, done bool, err error) {
	if e.Kind == message.Control {
		err = in.control(e, more)
		return e, err != nil, err
	}
	in.whole = in.whole || e.Last
	in.c.out.cork(more)
	return e, true, in.c.life.err() // we may have closed meanwhile
}

// fill reads once, and waits until there is something: into the buffer, or
// straight into the message under way. Held output leaves first.
//
// A goroutine may wait here for long: the fewer and the smaller the frames, the smaller its
// stack.
func (in *inbound) fill(ctx context.Context) (message.Event, error) {
	in.c.out.uncork()
	for {
		try := !in.register(ctx, !in.c.stream.CanTry()) || in.parks
		if err := in.beginWait(ctx); err != nil {
			return message.Event{}, err
		}
		var n int
		var again bool
		var err error
		room := in.parser.Room() // nil: the read goes into the buffer
		switch {
		case in.c.life.is(broken): // as of now: a read that began before may have come too early
			n = in.readLate(room) // without an error: the connection has its cause
		case room != nil:
			n, again, err = in.c.stream.Into(room, try)
		default:
			n, again, err = in.c.stream.Fill(in.parser.Need(), try)
		}
		if again && in.parks && in.park() {
			return message.Event{}, errIdle
		}
		woken := in.endWait(n)
		switch {
		case n > 0:
			return in.filled(n, room != nil)
		case again:
			in.register(ctx, true)
		case !woken:
			return message.Event{}, in.failed(ctx, err)
		case in.grown && in.c.life.is(open):
			in.grown = false
			return message.Event{}, errMoved
		}
	}
}

// filled takes n bytes that fill has read, straight into the message under way or not.
func (in *inbound) filled(n int, straight bool) (e message.Event, err error) {
	if straight {
		if e, err = in.parser.Filled(n); err != nil {
			err = in.fail(err)
		}
	}
	return e, err
}

// readLate is the read of fill after a write has failed. It takes what has
// arrived, and no more than a kernel holds.
func (in *inbound) readLate(room []byte) (n int) {
	s := &in.c.stream
	if in.c.life.late(0) > lateBytes {
		return n
	}
	try := s.CanTry()
	var err error
	s.Ask()
	began := time.Now()
	early := func() bool { return time.Since(began) < lateTime }
	for limit := lateTime / 15; limit < lateTime; limit *= 2 {
		end := func() {}
		if !try {
			end = s.LimitRead(limit, early)
		}
		woken := in.woken() // asked after the limit is set: one that comes from here on replaces it
		switch {
		case woken: // fill finds out why
		case room != nil:
			n, _, err = s.Into(room, try)
		default:
			n, _, err = s.Fill(in.parser.Need(), try)
		}
		timeout, ok := errors.AsType[net.Error](err)
		if end(); woken || !ok || !timeout.Timeout() {
			break
		}
	}
	in.c.life.late(n)
	return n
}

// lateBytes is how much is read at most after a write has failed: more than the
// receive buffer of a socket holds.
const lateBytes = 8 << 20

// lateTime is how long such a read may take on a stream that can't be tried: in four attempts,
// each for twice as long as the one before. A deadline that passes before the read has begun hides
// what has arrived, and on a busy machine a goroutine may wait that long for its turn, but hardly
// each time. A stream without deadlines is closed after this time.
const lateTime = time.Second

// failed ends the connection after a failed read.
func (in *inbound) failed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		in.c.end(readEnd, errNoClose)
	case in.c.stream.Stalled():
		in.c.end(readFault, errStalled)
	default:
		in.c.end(readFault, &cutError{"read", err})
	}
	return in.ended(ctx)
}

// ended returns what a read with ctx fails with because of the connection's
// end, nil if it does not. To the read for whose ctx the stream was closed, that
// is the error of its ctx.
func (in *inbound) ended(ctx context.Context) error {
	err := in.c.life.err()
	if err == errNoDeadlines && ctx.Err() != nil {
		return in.c.contextError("read", ctx)
	}
	return err
}

// fail fails the connection (RFC 6455, section 7.1.7): the peer is told the
// status code of err, and nothing that it still sends counts.
func (in *inbound) fail(err error) error {
	code, reason := frame.StatusProtocolError, ""
	if e, ok := errors.AsType[*frame.Error](err); ok {
		code, reason = e.Code, e.Reason
	}
	in.c.endWith(peerFault, err, code, reason)
	return in.c.life.err()
}
