package conn

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/parleyws/parley/conn/internal/pool"
)

// direct reports whether a caller's octets may go to the stream without being
// appended: nothing is before them.
func (o *outbound) direct(ctx context.Context) bool {
	return !o.writing && o.pending.len() == 0 && o.mayWrite(ctx)
}

// mayWrite reports whether a writer with ctx may write: it can try, or it may
// block.
func (o *outbound) mayWrite(ctx context.Context) bool {
	return o.try != nil || o.mayBlock(ctx)
}

// mayBlock reports whether a writer with ctx may block in a write: ctx can't
// end, or it is the connection's own, which ends with the stream as the write
// does.
func (o *outbound) mayBlock(ctx context.Context) bool {
	return o.c.done(ctx) == nil
}

// writeNow writes p as far as it goes without blocking where the stream can be
// tried, and all of it where it can't, and returns how much that was.
func (o *outbound) writeNow(p []byte) (int, error) {
	if o.try != nil {
		return o.try.TryWrite(p)
	}
	if err := o.c.src.WriteAll(p, o.c.limits.WriteTimeout); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeDirect hands p to the stream.
func (o *outbound) writeDirect(p []byte) (int, error) {
	o.writing = true
	o.unlock()
	n, err := o.writeNow(p)
	o.lock()
	return n, o.wrote(batch{}, err)
}

// push sends what is pending, or sees to it that it is sent. It blocks in a
// write only if the caller may: the reader must not. Called with mu held, which
// is given up meanwhile.
func (o *outbound) push(block bool) error {
	switch {
	case o.writing: // goes with what is being written, or behind it
		return nil
	case o.pending.len() == 0:
		return nil
	case o.corks.Load() > 0 && o.pending.len() < maxBatch && !o.closing,
		!block && o.try == nil:
		o.startFlusher()
		return nil
	}
	o.writing = true
	b := o.take()
	o.unlock()
	n, err := o.writeNow(b.p)
	o.lock()
	b.p = b.p[n:]
	return o.wrote(b, err)
}

// A batch is what is given to the stream at once.
type batch struct {
	p   []byte
	buf *pool.Buffer // that p lies in; nil if it is none
}

// take takes what is to be written next out of pending.
func (o *outbound) take() (b batch) {
	if !o.mid {
		o.pending.endFrame()
	}
	b.p, b.buf = o.pending.take()
	return b
}

// wrote is the end of a write: rest was not taken.
func (o *outbound) wrote(rest batch, err error) error {
	if err == nil && len(rest.p) > 0 {
		o.rest = &batch{rest.p, rest.buf} // a copy, so that rest itself stays off the heap
		o.startFlusher()
		return nil
	}
	o.writing = false
	pool.Put(rest.buf)
	if err != nil {
		return o.broken(err)
	}
	o.signal()
	if o.pending.len() > 0 {
		o.startFlusher() // no writer is held captive by what others append
		return nil
	}
	o.drained()
	return nil
}

// drained does what was to be done behind the last octet.
func (o *outbound) drained() {
	if !o.closing || o.mid {
		return
	}
	o.c.end.limit(o.c.limits.CloseTimeout, o.c.cut)
	if o.half && !o.halved {
		o.halved = true
		o.unlock()
		o.c.src.CloseWrite()
		o.lock()
	}
}

// broken ends the connection after a failed write. mu is given up meanwhile.
func (o *outbound) broken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	} else {
		err = fmt.Errorf("websocket: write: %w", err)
	}
	o.unlock()
	o.c.drop(streamEnd, err)
	o.lock()
	o.signal()
	return o.c.end.err()
}

func (o *outbound) startFlusher() {
	if !o.flush {
		o.flush = true
		if o.flusher == nil { // made once: each would be an allocation
			o.flusher = o.runFlusher
		}
		go o.flusher()
	}
}

// runFlusher is the flusher: it writes until nothing is pending.
func (o *outbound) runFlusher() {
	o.lock()
	defer o.unlock()
	if o.writing && o.rest == nil {
		o.flush = false // who writes will start another one if need be
		return
	}
	for o.rest != nil || o.pending.len() > 0 {
		var b batch
		if o.rest != nil {
			b, o.rest = *o.rest, nil
		} else {
			o.writing = true
			b = o.take()
		}
		o.unlock()
		err := o.c.src.WriteAll(b.p, o.c.limits.WriteTimeout)
		o.lock()
		o.writing = false
		pool.Put(b.buf)
		if err != nil {
			o.broken(err)
			break
		}
		o.signal()
	}
	o.flush = false
	o.drained()
}

// Cork holds back what is written and sent, until as many calls of Uncork as
// of Cork have come, so that it leaves in one piece: for those who are about to
// send several messages. As in the callback of Each it leaves earlier when it
// is 64 KiB, and a goroutine of its own sends it as soon as there is time: the
// caller may block in between.
func (c *Conn) Cork() { c.out.corks.Add(1) }

// Uncork ends what Cork began. It never waits.
func (c *Conn) Uncork() {
	c.out.corks.Add(-1)
	c.out.release()
}

// cork tells that the read that delivers has more messages at hand.
func (o *outbound) cork(on bool) {
	if o.ahead == on {
		return
	}
	o.ahead = on
	if on {
		o.corks.Add(1)
	} else {
		o.corks.Add(-1)
	}
}

// uncork sends what was held back. The reader calls it before each read of the
// stream.
func (o *outbound) uncork() {
	o.cork(false)
	o.release()
}

// release sends what is pending.
func (o *outbound) release() {
	if o.quiet() {
		return
	}
	o.lock()
	o.push(false)
	o.unlock()
}
