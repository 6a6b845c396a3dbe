package conn

import (
	"context"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
)

// Write sends p as one message. Text must be UTF-8, which is not checked. p is
// neither modified nor kept.
//
// Write returns nil when the message has been written to the stream. In three
// cases it returns nil when the message is on its way there, with at most 64
// KiB and this message before it: another write is in flight, which takes it
// along; a socket takes no more at the moment; or the read that is delivering
// messages has more of them at hand, so that the answers to all leave together.
// What is on its way is written by a goroutine of the connection's as soon as
// there is time, whether or not anybody reads or writes again; if that fails
// the next call returns the error. After those 64 KiB Write waits for room.
//
// ctx ends the wait and never the bytes: when Write returns the error of ctx,
// nothing of the message was sent, or all of it will be. The connection lives
// on.
func (c *Conn) Write(ctx context.Context, t MessageType, p []byte) error {
	if ctx.Err() != nil {
		return c.tooLate("write", ctx)
	}
	if d := c.out.deflation(); d.applies(p) {
		return c.out.compressed(ctx, d, t, p)
	}
	return c.out.write(ctx, t.opcode(), false, p)
}

// tooLate returns what a call that writes fails with when its ctx has ended. A
// connection that has ended comes first.
func (c *Conn) tooLate(op string, ctx context.Context) error {
	if err := c.life.writeErr(); err != nil {
		return err
	}
	return contextError(op, ctx)
}

// write sends p, compressed or not, as a message of one frame.
func (o *outbound) write(ctx context.Context, op frame.Opcode, compressed bool, p []byte) error {
	if len(p) <= maxBatch && o.mayWrite(ctx) && o.pass() {
		b := pool.Get(frame.MaxHeaderLen + len(p))
		h := frame.Header{Fin: true, Rsv1: compressed, Opcode: op, Length: int64(len(p))}.Append(b.B)
		b.B = append(h, p...)
		n, err := o.writeNow(b.B)
		return o.passed(b.B, b, n, err)
	}
	o.lock()
	h := frame.Header{Fin: true, Rsv1: compressed, Opcode: op}
	if o.joins(len(p)) {
		own := o.pending.own
		own.B = o.append(own.B, &h, p)
		o.mu.Unlock() // the token stays as it is
		return nil
	}
	err := o.admit(ctx, false)
	if err == nil {
		err = o.frame(ctx, &h, p)
	}
	o.unlock()
	return err
}

// joins reports whether a frame with n bytes of payload is to be appended to what
// is held back, and nothing else is to be done: there is room in the buffer, and the
// flusher has been started. admit, frame and unlock would find the same, step by step,
// which costs an answer in a batch 25 ns more. Called with mu held.
func (o *outbound) joins(n int) bool {
	own := o.pending.own
	n += frame.MaxHeaderLen
	return own != nil && o.flushing && o.corks.Load()%oneHold > 0 && !o.message.held() && o.c.life.is(open) &&
		cap(own.B)-len(own.B) >= n && o.pending.len()+n < maxBatch
}

// compressed compresses p and sends it.
func (o *outbound) compressed(ctx context.Context, d *deflation, t MessageType, p []byte) error {
	if d.takeover {
		return o.inOrder(ctx, d, t, p)
	}
	b, err := d.compress(p)
	if err != nil {
		return err
	}
	err = o.write(ctx, t.opcode(), true, b.B)
	pool.Put(b)
	return err
}

// inOrder is compressed with context takeover: the order of compression must
// be that of sending.
func (o *outbound) inOrder(ctx context.Context, d *deflation, t MessageType, p []byte) error {
	o.lock()
	defer o.unlock()
	if err := o.admit(ctx, false); err != nil {
		return err
	}
	b, err := d.compress(p)
	if err != nil {
		return err
	}
	defer pool.Put(b)
	return o.frame(ctx, &frame.Header{Fin: true, Rsv1: true, Opcode: t.opcode()}, b.B)
}
