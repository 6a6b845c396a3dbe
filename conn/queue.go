package conn

import (
	"github.com/parleyws/parley/frame"
)

// Send sends a prepared message without ever waiting: what the stream does
// not take at once is queued by reference and sent in order with what Write
// sends. When the queue is full (Limits.QueueBytes, Limits.QueueMessages) the
// connection's Overflow policy decides: it is failed with 1013 and Send returns
// ErrQueueFull, or the oldest messages of Send are dropped; ErrQueueFull then
// tells that this one is too long for the queue.
func (c *Conn) Send(p *Prepared) error {
	o := &c.out
	b, err := p.frame(o.deflate)
	if err != nil {
		return err
	}
	if o.try != nil && len(p.plain) <= c.limits.QueueBytes && o.enter() {
		return o.pass(b, nil)
	}
	o.lock()
	err = o.send(p, b)
	o.unlock()
	if err == ErrQueueFull && c.out.overflow == OverflowClose {
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
	return o.writing || o.pending.len() > 0 || o.token.held
}

// send queues p, whose frame is b, and sends what is pending as far as it goes.
func (o *outbound) send(p *Prepared, b []byte) error {
	switch {
	case o.closed():
		return o.ended()
	case !o.roomFor(p):
		return ErrQueueFull
	}
	x := ref{p: o.forPeer(b), sent: true}
	if o.token.held {
		o.pending.park(x)
		return nil
	}
	o.pending.share(x)
	return o.push(false)
}

// roomFor reports whether p may be queued, after dropping older messages if
// that is the policy.
func (o *outbound) roomFor(p *Prepared) bool {
	l := o.c.limits
	if len(p.plain) > l.QueueBytes { // no older message needs to go for it
		return false
	}
	full := func() bool {
		bytes, messages := o.pending.queued()
		return bytes+len(p.plain) > l.QueueBytes || messages >= l.QueueMessages
	}
	for full() {
		if o.overflow != OverflowDropOldest || !o.pending.dropOldest() {
			return false
		}
	}
	return true
}

// overflow fails the connection because its peer does not keep up.
// What is queued is dropped: it would keep the Close frame from leaving.
func (c *Conn) overflow() {
	if c.end.happens(localClose, ErrQueueFull) == sendClose {
		c.end.limit(c.limits.CloseTimeout, c.cut)
		c.out.lock()
		for c.out.pending.dropOldest() {
		}
		c.out.unlock()
		c.out.sendClose(frame.StatusTryAgainLater, "", false)
	}
}

// queued returns how many octets and how many shared frames are queued.
func (p *pending) queued() (bytes, messages int) {
	bytes, messages = p.refs.bytes, p.refs.len()
	if p.late != nil {
		bytes, messages = bytes+p.late.parked.bytes, messages+p.late.parked.len()
	}
	return bytes, messages
}

// dropOldest forgets the message of Send that was queued first.
func (p *pending) dropOldest() bool {
	if p.refs.dropOldest() {
		p.tidy()
		return true
	}
	return p.late != nil && p.late.parked.dropOldest()
}
