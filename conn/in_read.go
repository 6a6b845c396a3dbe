package conn

import (
	"context"

	"github.com/parleyws/parley/conn/internal/message"
	"github.com/parleyws/parley/frame"
)

// A Message is a whole message, as Each hands it out.
type Message struct {
	Type MessageType
	// Payload is a view of the connection's buffer, valid until the callback
	// returns. It may be modified.
	Payload []byte
}

// Read returns the next message. The payload is the caller's. Control frames
// that come before it are dealt with: Pings are answered, a Close frame is
// answered and returned as a *CloseError.
//
// When ctx ends while Read waits, Read returns its error and nothing is lost:
// the next read goes on where this one stopped. Reads from several goroutines
// take turns.
//
// When the connection has ended the error is its cause, and stays the same from
// then on; the package's section on errors lists them. Messages that arrived
// before the peer's Close frame, or before a write failed, come first.
func (c *Conn) Read(ctx context.Context) (MessageType, []byte, error) {
	in := &c.in
	if err := in.begin(ctx); err != nil {
		return Text, nil, err
	}
	defer in.giveUpTurn()
	e, err := in.next(ctx, message.Whole)
	if err != nil {
		return Text, nil, err
	}
	return typeOf(e), in.parser.Take(e), nil
}

// typeOf returns the type of the message of an event.
func typeOf(e message.Event) MessageType { return e.Opcode == frame.Binary }

// Each calls f with one message after the other, until f returns an error, ctx
// ends, or the connection does, and returns that error. The payload is valid
// until f returns. f may write and close, but must not read: it has the turn.
//
// It is the way to read that copies and allocates nothing. While f runs and more
// has come already, what is written is held back to leave in one piece; see
// Write.
func (c *Conn) Each(ctx context.Context, f func(Message) error) error {
	in := &c.in
	if err := in.begin(ctx); err != nil {
		return err
	}
	defer in.giveUpTurn()
	return in.each(ctx, handled(f))
}

// each is Each for a caller that has the turn.
func (in *inbound) each(ctx context.Context, r Receiver) error {
	for {
		e, err := in.next(ctx, message.Whole)
		if err != nil {
			return err
		}
		if !in.delivering.Load() { // a look costs less than a store
			in.delivering.Store(true)
		}
		if err := r.Message(in.c, Message{typeOf(e), e.Payload}); err != nil {
			return err
		}
	}
}

// CloseRead is for those who only write. A goroutine reads from now on, so that
// Pings are answered and the end is noticed; the returned ctx ends when the
// connection does, or when ctx does, which ends the reading. context.Cause tells
// which. A message from the peer fails the connection with 1008 (policy
// violation).
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	if c.owns(ctx) { // it would end first, and without the cause
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { cancel(c.in.expectNothing(ctx)) }()
	return ctx
}

// expectNothing waits for the end. A message is one.
func (in *inbound) expectNothing(ctx context.Context) error {
	if err := in.begin(ctx); err != nil {
		return err
	}
	defer in.giveUpTurn()
	if _, err := in.next(ctx, message.Whole); err != nil {
		return err
	}
	return in.fail(errNotExpected)
}
