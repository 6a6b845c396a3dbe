package conn

import (
	"context"
	"io"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
)

// Writer returns a writer of one message, whose bytes are sent as fragments of
// 64 KiB, the last one by Close. Until 64 KiB have been written other messages
// may overtake it; after that they wait for its Close. Control frames always
// come between. Where messages are compressed the Writer keeps everything and
// sends it as one frame. A Writer must be closed, and is not for use by several
// goroutines at once.
//
// Its calls end with ctx, as Write's do. A message that is given up with some
// of its fragments sent can't be completed by anybody: the connection is closed
// with 1011, and all other calls return ErrAbandoned.
func (c *Conn) Writer(ctx context.Context, t MessageType) (io.WriteCloser, error) {
	if err := c.life.writeErr(); err != nil {
		return nil, err
	}
	if err := c.contextError("write", ctx); err != nil {
		return nil, err
	}
	return &messageWriter{o: &c.out, ctx: ctx, kind: t, op: t.opcode()}, nil
}

// A messageWriter is what Writer returns.
type messageWriter struct {
	o     *outbound
	ctx   context.Context
	kind  MessageType
	op    frame.Opcode // of the next frame: frame.Continuation after the first
	buf   *pool.Buffer
	begun bool // a fragment is out: the message turn is held
	err   error
}

// fragmentSize is the length of a Writer's fragments.
const fragmentSize = 64 << 10

// Write implements io.Writer.
func (w *messageWriter) Write(p []byte) (int, error) {
	written := 0
	for w.err == nil && len(p) > 0 {
		if w.full() {
			w.flush(false)
			continue
		}
		have := 0
		if w.buf != nil {
			have = len(w.buf.B)
		}
		n := len(p)
		if w.o.deflation() == nil {
			n = min(n, fragmentSize-have)
		}
		w.buf = pool.Grow(w.buf, have+n)
		w.buf.B = append(w.buf.B, p[:n]...)
		p = p[n:]
		written += n
	}
	return written, w.err
}

// full reports whether a fragment is complete.
func (w *messageWriter) full() bool {
	return w.buf != nil && len(w.buf.B) >= fragmentSize && w.o.deflation() == nil
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
	return w.o.c.Write(w.ctx, w.kind, p)
}

// flush sends a fragment. If that fails while the connection lives on, nobody can
// complete the message.
func (w *messageWriter) flush(fin bool) {
	if w.err = w.fragment(fin); w.err != nil && w.begun && w.o.c.life.is(open) {
		w.o.c.giveUp(ErrAbandoned, frame.StatusInternalError)
	}
}

func (w *messageWriter) fragment(fin bool) error {
	o := w.o
	o.lock()
	defer o.unlock()
	if err := o.admit(w.ctx, w.begun); err != nil {
		return err
	}
	o.message.take()
	w.begun = true
	o.smallFrame(&frame.Header{Fin: fin, Opcode: w.op}, w.buf.B)
	w.op = frame.Continuation
	w.buf.B = w.buf.B[:0]
	if fin { // it is whole, whatever comes of it, and nothing need wait until it has left
		w.begun = false
		o.endMessage()
	}
	return o.commit(w.ctx)
}
