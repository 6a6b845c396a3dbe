package conn

import (
	"context"

	"github.com/parleyws/parley/frame"
)

// Send sends a prepared message without ever waiting: what the stream does not
// take at once is queued by reference, and sent in order with what Write sends.
// When the queue is full (Limits.QueueBytes, Limits.QueueMessages) Options.Overflow
// decides. With OverflowClose the connection is closed with 1013, and every call
// returns ErrQueueFull from then on. With OverflowDropOldest the oldest messages
// of Send are dropped, and Send returns ErrQueueFull only for a message that is
// too long for the queue.
func (c *Conn) Send(p *Prepared) error {
	o := &c.out
	b, err := p.frame(o.deflation())
	if err != nil {
		return err
	}
	if o.tries && len(p.plain) <= c.settings.QueueBytes && o.pass() {
		n, err := o.c.stream.TryWrite(b)
		return o.passed(b, nil, n, err)
	}
	o.lock()
	err = o.send(p, b)
	o.unlock()
	if err == ErrQueueFull && o.c.settings.overflow == OverflowClose {
		c.overflow()
	}
	return err
}

// Unsent reports whether anything that was written or sent is still on its way
// to the stream: for messages that are worth nothing unless they leave at once.
func (c *Conn) Unsent() bool {
	o := &c.out
	if o.quiet() {
		return false
	}
	o.lock()
	defer o.unlock()
	if o.message.held() { // a message that waits for its end delays others
		return true
	}
	return o.active() && (o.writing() || o.flushing || !o.held())
}

// Flush waits until nothing is unsent: all that was written or sent has gone to the
// stream, what other goroutines write meanwhile included. When ctx ends it returns
// the error of ctx, and what is unsent still goes out. Once the connection has ended
// it returns the cause at once, as a write does.
//
// That the stream has taken the bytes does not say that they have arrived: Ping finds
// that out.
func (c *Conn) Flush(ctx context.Context) error {
	o := &c.out
	for {
		var free <-chan struct{}
		o.lock()
		o.token.Or(tokenQueued) // what is under way is seen, or tells of its end
		switch {
		case !c.life.is(open):
			o.unlock()
			return c.life.writeErr()
		case o.message.held():
			free = o.message.vacancy()
			o.unlock()
		case !o.active():
			o.unlock()
			return nil
		default:
			free = o.progress.wait()
			o.unlock()
		}
		select {
		case <-free:
		case <-c.done(ctx):
			return c.contextError("flush", ctx)
		}
	}
}

// send queues p, whose frame is b, and sends what is pending as far as it goes.
func (o *outbound) send(p *Prepared, b []byte) error {
	switch {
	case !o.c.life.is(open):
		return o.c.life.writeErr()
	case !o.roomFor(p):
		return ErrQueueFull
	}
	f := sharedFrame{p: o.forPeer(b), sent: true}
	if o.message.held() {
		o.pending.park(f)
		return nil
	}
	o.pending.share(f)
	return o.push()
}

// roomFor reports whether p may be queued, after dropping older messages if
// that is the policy.
func (o *outbound) roomFor(p *Prepared) bool {
	l := &o.c.settings.Limits
	if len(p.plain) > l.QueueBytes { // no older message needs to go for it
		return false
	}
	full := func() bool {
		frames, bytes := o.pending.queued()
		return bytes+len(p.plain) > l.QueueBytes || frames >= l.QueueMessages
	}
	for full() {
		if o.c.settings.overflow != OverflowDropOldest || !o.pending.dropOldest() {
			return false
		}
	}
	return true
}

// overflow ends the connection because its peer does not keep up.
func (c *Conn) overflow() {
	if c.giveUp(ErrQueueFull, frame.StatusTryAgainLater) {
		c.life.limit(c.settings.CloseTimeout, c.expire)
	}
}

// dropSent drops what Send has queued.
func (o *outbound) dropSent() {
	o.lock()
	defer o.unlock()
	for o.pending.dropOldest() {
	}
}
