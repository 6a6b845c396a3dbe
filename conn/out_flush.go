package conn

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/parleyws/parley/conn/internal/pool"
)

// A batch is what is given to the stream at once.
type batch struct {
	p   []byte
	buf *pool.Buffer // that p lies in; nil if it is none
}

// next takes what is to be written next out of pending.
func (o *outbound) next() (b batch) {
	if !o.partial {
		o.pending.endFrame()
	}
	b.p, b.buf = o.pending.take()
	return b
}

// mayBlock reports whether a writer with ctx may block in a write: ctx can't
// end, or it is the connection's own, which ends no later than the write.
func (o *outbound) mayBlock(ctx context.Context) bool { return o.c.done(ctx) == nil }

// mayWrite reports whether a writer with ctx may write: it can try, or it may
// block.
func (o *outbound) mayWrite(ctx context.Context) bool { return o.tries || o.mayBlock(ctx) }

// writeNow writes p as far as it goes without blocking where the stream can be
// tried, and all of it where it can't, and returns how much that was.
func (o *outbound) writeNow(p []byte) (int, error) {
	if o.tries {
		return o.c.stream.TryWrite(p)
	}
	if err := o.c.stream.WriteAll(p, o.c.settings.WriteTimeout); err != nil {
		return 0, err
	}
	return len(p), nil
}

// push sends what is pending, or sees to it that it is sent, and never blocks.
// Called with mu held, which is given up meanwhile.
func (o *outbound) push() error {
	if !o.tries {
		if !o.pending.empty() && !o.held() {
			o.startFlusher()
		}
		return nil
	}
	return o.pushNow()
}

// pushNow is push for a caller that may write. Who writes already takes along
// what is pending.
func (o *outbound) pushNow() error {
	switch {
	case o.pending.empty():
		return nil
	case o.held():
		return nil
	case o.corked():
		o.startFlusher()
		return nil
	case !o.take():
		return nil
	}
	b := o.next()
	o.mu.Unlock()
	n, err := o.writeNow(b.p)
	o.lock()
	b.p = b.p[n:]
	return o.wrote(b, err)
}

// corked reports whether what is pending is held back. Nothing is held that would fill the
// queue, and nobody is about to empty it.
func (o *outbound) corked() bool {
	corks := o.corks.Load()
	return corks > 0 && o.pending.len() < maxBatch && o.c.life.is(open) && (corks%oneHold > 0 || !o.halfFull())
}

// halfFull reports whether half of what may be queued is.
func (o *outbound) halfFull() bool {
	frames, bytes := o.pending.queued()
	return frames > o.c.settings.QueueMessages/2 || bytes > o.c.settings.QueueBytes/2
}

// commit sends what is pending for a writer that has appended a frame of a
// message, and returns when that is written, but for the exceptions that
// Conn.Write names. Called with mu held, which is given up meanwhile.
func (o *outbound) commit(ctx context.Context) error {
	if o.mayWrite(ctx) {
		return o.pushNow()
	}
	mine := o.pending.end()
	o.startFlusher()
	if o.corked() {
		return nil
	}
	for o.written < mine {
		if s := o.c.life.state(); s != open && s != closing { // it may go out, and nobody waits for it
			return o.c.life.writeErr()
		}
		if err := o.wait(ctx, o.progress.wait()); err != nil {
			return &committedError{err}
		}
	}
	return nil
}

// wrote is the end of a write by a caller that has the token: rest was not
// taken. It never blocks. Called with mu held.
func (o *outbound) wrote(rest batch, err error) error {
	if err == nil && len(rest.p) > 0 {
		o.rest = rest
		o.startFlusher()
		return nil
	}
	pool.Put(rest.buf)
	if err != nil {
		return o.failed(err)
	}
	o.giveBack()
	o.advanced()
	switch {
	case !o.pending.empty(): // no writer is held captive by what others append
		o.startFlusher()
	case !o.tries && !o.c.life.is(open): // the end of a TLS stream is an alert, which may block
		o.startFlusher()
	default:
		o.drained()
	}
	return nil
}

// advanced tells those who wait that a batch has gone out.
func (o *outbound) advanced() {
	o.written = o.pending.taken()
	o.progress.fire()
}

// drained does what is due when nothing is pending any more: once our Close
// frame is out the time of the closing handshake runs, and a server ends its
// direction of the stream. A writer that is still at what was pending comes here
// when it is done. Called with mu held, which is given up meanwhile.
func (o *outbound) drained() {
	l := &o.c.life
	if l.is(open) || o.partial || o.writing() {
		return
	}
	l.emptied(clock())
	if l.flushed() {
		l.limit(o.c.settings.CloseTimeout, o.c.expire)
	}
	if l.endStream() {
		o.mu.Unlock()
		o.c.stream.CloseWrite()
		o.lock()
	}
	o.progress.fire()
}

// settle does what is due once the peer's Close frame has come after ours.
func (o *outbound) settle() {
	o.lock()
	defer o.unlock()
	switch {
	case o.active(): // it comes to drained
	case o.tries:
		o.drained()
	default:
		o.startFlusher()
	}
}

// active reports whether something is still to be written, or is just being
// written. The flusher may be ending the stream. Called with mu held.
func (o *outbound) active() bool {
	return o.writing() || o.flushing || o.partial || !o.pending.empty()
}

// failed ends the connection after a failed write of the caller, which has the
// token. It keeps that up to the end: what others wrote would come in the middle
// of a frame. Called with mu held, which is given up meanwhile.
func (o *outbound) failed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	} else {
		err = &cutError{"write", err}
	}
	o.unlock()
	o.c.end(writeFault, err)
	o.lock()
	o.giveBack()
	return o.c.life.writeErr()
}

func (o *outbound) startFlusher() {
	if o.flushing {
		return
	}
	o.flushing = true
	f, _ := flushers.Get().(*flusher)
	if f == nil {
		f = newFlusher()
	}
	f.o = o
	go f.run()
}

// A flusher begins a flusher. Connections share a few, since to make one is two allocations.
type flusher struct {
	o   *outbound
	run func()
}

var flushers sync.Pool

func newFlusher() *flusher {
	f := &flusher{}
	f.run = func() {
		o := f.o
		f.o = nil
		flushers.Put(f)
		o.runFlusher()
	}
	return f
}

// runFlusher is the flusher: it writes until nothing is pending.
func (o *outbound) runFlusher() {
	o.lock()
	err := o.flush()
	o.flushing = false
	if err != nil {
		o.failed(err)
	}
	o.progress.fire()
	o.unlock()
}

// flush writes all that is pending, and blocks. After an error the caller has
// the token. Called with mu held, which is given up meanwhile.
func (o *outbound) flush() error {
	for {
		var b batch
		switch {
		case o.rest.p != nil:
			b, o.rest = o.rest, batch{}
		case o.pending.empty():
			o.drained()
			return nil
		case !o.take():
			return nil // who writes starts another flusher if need be
		default:
			b = o.next()
		}
		o.mu.Unlock()
		err := o.c.stream.WriteAll(b.p, o.c.settings.WriteTimeout)
		o.lock()
		pool.Put(b.buf)
		if err != nil {
			return err
		}
		o.giveBack()
		o.advanced()
	}
}

// isIdle reports whether nothing is to be written any more, and for how long
// that has been so after the end: noTime if nothing had to be written then.
func (o *outbound) isIdle() (idle bool, since time.Duration) {
	o.lock()
	defer o.unlock()
	since = noTime
	if at := o.c.life.empty(); at != 0 {
		since = clock() - at
	}
	return !o.active(), since
}

// idle waits until nothing is to be written any more, or the connection is
// over.
func (o *outbound) idle() {
	o.lock()
	defer o.unlock()
	for o.active() && !o.c.life.is(over) {
		progress := o.progress.wait()
		o.unlock()
		<-progress
		o.lock()
	}
}
