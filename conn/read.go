package conn

import (
	"context"

	"github.com/parleyws/parley/conn/internal/message"
	"github.com/parleyws/parley/frame"
)

// A Message is a whole message, as Each hands it out.
type Message struct {
	Opcode frame.Opcode // frame.Text or frame.Binary
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
	e, err := in.next(ctx, message.Whole)
	if err != nil {
		return 0, nil, err
	}
	return e.Opcode, in.parser.Take(e), nil
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
		e, err := in.next(ctx, message.Whole)
		if err != nil {
			return err
		}
		if err := f(Message{e.Opcode, e.Payload}); err != nil {
			return err
		}
	}
}
