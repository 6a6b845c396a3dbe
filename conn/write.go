package conn

import (
	"context"
	"io"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
)

// Write sends p as one message of kind op, frame.Text or frame.Binary. Text
// must be UTF-8, which is not checked. p is neither modified nor kept.
//
// Write returns when the message is written to the stream or, in three cases,
// when it is on its way there, with at most 64 KiB and this message before
// it: another write is in flight, whose end takes it along; the stream takes
// no more at the moment; or the read that is delivering messages has more of
// them at hand, so that the answers to all leave together. What was held back
// is written by a goroutine of its own as soon as there is time, whether or
// not anybody reads or writes again; its error comes with the next call.
// Behind those 64 KiB Write waits for room.
//
// ctx ends the wait and never the octets: with its error nothing of the
// message was sent, or all of it will be. The connection lives on.
func (c *Conn) Write(ctx context.Context, op frame.Opcode, p []byte) error {
	if op != frame.Text && op != frame.Binary {
		return errOpcode
	}
	if ctx.Err() != nil {
		return contextError("write", ctx)
	}
	if c.out.deflate.applies(p) {
		return c.out.compressed(ctx, op, p)
	}
	return c.out.message(ctx, op, false, p)
}

// message sends p, compressed or not, as a message of one frame.
func (o *outbound) message(ctx context.Context, op frame.Opcode, compressed bool, p []byte) error {
	if len(p) <= maxBatch && o.mayWrite(ctx) && o.enter() {
		b, buf := o.small[:0], (*pool.Buffer)(nil)
		if len(p) > len(o.small)-shortHeader {
			buf = pool.Get(frame.MaxHeaderLen + len(p))
			b = buf.B
		}
		b = frame.Header{Fin: true, Rsv1: compressed, Opcode: op, Length: int64(len(p))}.Append(b)
		return o.pass(append(b, p...), buf)
	}
	o.lock()
	err := o.admit(ctx, false)
	if err == nil {
		err = o.frame(ctx, &frame.Header{Fin: true, Rsv1: compressed, Opcode: op}, p)
	}
	o.unlock()
	return err
}

// shortHeader is the length of the header of a short frame that is not masked.
const shortHeader = 2

// compressed compresses p and sends it.
func (o *outbound) compressed(ctx context.Context, op frame.Opcode, p []byte) error {
	if o.deflate.takeover {
		return o.inOrder(ctx, op, p)
	}
	b, err := o.deflate.compress(p)
	if err != nil {
		return err
	}
	err = o.message(ctx, op, true, b.B)
	pool.Put(b)
	return err
}

// inOrder is compressed with context takeover: the order of compression must
// be that of sending.
func (o *outbound) inOrder(ctx context.Context, op frame.Opcode, p []byte) error {
	o.lock()
	defer o.unlock()
	if err := o.admit(ctx, false); err != nil {
		return err
	}
	b, err := o.deflate.compress(p)
	if err != nil {
		return err
	}
	defer pool.Put(b)
	return o.frame(ctx, &frame.Header{Fin: true, Rsv1: true, Opcode: op}, b.B)
}

// Writer returns a writer of one message of kind op, whose octets are sent as
// fragments of 64 KiB, the last one by Close. Until 64 KiB have been written
// other messages may overtake it, after that they wait for its Close; control
// frames always come between. Where messages are compressed the Writer keeps
// all and sends it as one frame. A Writer must be closed, and is not for use
// by several goroutines at once. Its calls end with ctx, as Write's do.
func (c *Conn) Writer(ctx context.Context, op frame.Opcode) (io.WriteCloser, error) {
	if op != frame.Text && op != frame.Binary {
		return nil, errOpcode
	}
	if err := contextError("write", ctx); err != nil {
		return nil, err
	}
	if err := c.out.ended(); err != nil {
		return nil, err
	}
	return &messageWriter{o: &c.out, ctx: ctx, op: op}, nil
}

// A messageWriter is what Writer returns.
type messageWriter struct {
	o     *outbound
	ctx   context.Context
	op    frame.Opcode // of the next frame: frame.Continuation behind the first
	buf   *pool.Buffer
	begun bool // a fragment is out: the message token is held
	err   error
}

// fragmentSize is the length of a Writer's fragments.
const fragmentSize = 64 << 10

// Write implements io.Writer.
func (w *messageWriter) Write(p []byte) (int, error) {
	written := 0
	for w.err == nil && len(p) > 0 {
		have := 0
		if w.buf != nil {
			have = len(w.buf.B)
		}
		n := len(p)
		if w.o.deflate == nil {
			n = min(n, fragmentSize-have)
		}
		w.buf = pool.Grow(w.buf, have+n)
		w.buf.B = append(w.buf.B, p[:n]...)
		p = p[n:]
		written += n
		if len(w.buf.B) >= fragmentSize && w.o.deflate == nil && len(p) > 0 {
			w.flush(false)
		}
	}
	return written, w.err
}

// Close sends what is left as the last fragment.
func (w *messageWriter) Close() error {
	if w.err == nil && !w.begun {
		w.err = w.whole()
	} else if w.err == nil {
		w.flush(true)
	}
	err := w.err
	if err == nil {
		w.err = errWriterDone
	}
	pool.Put(w.buf)
	w.buf = nil
	return err
}

// whole sends a message of which no fragment is out.
func (w *messageWriter) whole() error {
	var p []byte
	if w.buf != nil {
		p = w.buf.B
	}
	return w.o.c.Write(w.ctx, w.op, p)
}

// flush sends a fragment. If it can't be sent although others have been, the
// message can't be completed, and so the connection is cut.
func (w *messageWriter) flush(fin bool) {
	if w.err = w.fragment(fin); w.err != nil && w.begun {
		w.o.c.drop(closeExpiry, w.err)
	}
}

func (w *messageWriter) fragment(fin bool) error {
	o := w.o
	o.lock()
	defer o.unlock()
	if err := o.admit(w.ctx, w.begun); err != nil {
		return err
	}
	o.token.held, w.begun = true, true
	err := o.frame(w.ctx, &frame.Header{Fin: fin, Opcode: w.op}, w.buf.B)
	w.op = frame.Continuation
	w.buf.B = w.buf.B[:0]
	if fin {
		o.endMessage()
	}
	return err
}
