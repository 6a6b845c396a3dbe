package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// A ClientEmitter says how a Client sends an event. It is an immutable value, which may
// be kept and used again, from any goroutine:
//
//	c.Volatile().Emit("position", x, y)
type ClientEmitter struct {
	c       *Client
	flags   Flags
	timeout time.Duration
}

// Volatile drops an event that can't leave at once: because the namespace is not
// joined, or something is still unsent.
func (c *Client) Volatile() ClientEmitter { return ClientEmitter{c: c}.Volatile() }

// Compress says whether the event may be compressed, which by default it may. Nothing is
// compressed unless DialOptions.Engine.Deflate is set.
func (c *Client) Compress(on bool) ClientEmitter { return ClientEmitter{c: c}.Compress(on) }

// Timeout sets how long Call waits for the acknowledgement. With DialOptions.Retries that is
// the time after which the event is sent again, and ctx alone bounds Call while the
// namespace is not joined.
func (c *Client) Timeout(d time.Duration) ClientEmitter { return ClientEmitter{c: c}.Timeout(d) }

// Volatile is Client.Volatile.
func (e ClientEmitter) Volatile() ClientEmitter {
	e.flags.Volatile = true
	return e
}

// Compress is Client.Compress.
func (e ClientEmitter) Compress(on bool) ClientEmitter {
	e.flags.Uncompress = !on
	return e
}

// Timeout is Client.Timeout.
func (e ClientEmitter) Timeout(d time.Duration) ClientEmitter {
	e.timeout = d
	return e
}

// Emit sends an event to the server. A []byte anywhere in args travels as binary, up to
// ClientLimits.Attachments of them. Emit never waits, and does not keep args.
//
// While the namespace is not joined the event waits in a buffer, whose events are sent
// in order once it is, before the handlers of OnConnect are called. An event that is
// sent is not sent again, even if it is lost with the connection, unless
// DialOptions.Retries is set.
//
// Emit returns an error, and the event is not sent, if args can't be encoded or the
// name is reserved; ErrBufferFull if the buffer is full; engineio.ErrTooLarge if the
// server takes no message of that size, engineio.ErrQueueFull if too much is unsent;
// and ErrClosed after Close.
func (c *Client) Emit(event string, args ...any) error {
	return ClientEmitter{c: c}.Emit(event, args...)
}

// Emit is Client.Emit, as e says.
func (e ClientEmitter) Emit(event string, args ...any) error {
	p, err := e.c.newParcel(e, event, args, nil)
	if err != nil {
		return err
	}
	return e.c.post(p, e.flags.Volatile)
}

// newParcel encodes an event. reply is nil if nobody waits for an acknowledgement.
func (c *Client) newParcel(e ClientEmitter, event string, args []any, reply func(*packet.Unit, error)) (*parcel, error) {
	p := &parcel{name: event, reply: reply, timeout: e.timeout, retried: c.retries(e.flags)}
	if p.timeout <= 0 {
		p.timeout = c.m.ackTimeout
	}
	var id *uint64
	if p.asks = reply != nil || p.retried; p.asks {
		c.m.mu.Lock()
		p.id = c.ids
		c.ids++
		c.m.mu.Unlock()
		id = &p.id
	}
	var err error
	if p.e, err = c.m.wire.newEvent(c.name, event, args, id, e.flags); err != nil {
		return nil, err
	}
	c.notifyOutgoing(event, args)
	return p, nil
}

// retries reports whether an event with flags f is sent again if need be.
func (c *Client) retries(f Flags) bool { return c.m.o.Retries > 0 && !f.Volatile }

// post sends p, or keeps it until it can be sent.
func (c *Client) post(p *parcel, volatile bool) error {
	m := c.m
	m.mu.Lock()
	defer m.unlock()
	switch {
	case m.closed:
		return ErrClosed
	case volatile:
		if c.state == joined && m.conn.session.Writable() {
			return c.send(p)
		}
		return nil
	case p.retried:
		if err := c.keep(p); err != nil {
			return err
		}
		c.sendFirst()
		return nil
	case c.state == joined:
		if err := c.send(p); !errors.Is(err, engineio.ErrClosed) {
			return err
		}
		// The session has ended, and lost is about to be called.
	}
	return c.keep(p)
}

// keep puts p into the outbox. All outboxes of the connection share one bound. Called with
// m.mu held.
func (c *Client) keep(p *parcel) error {
	c.outbox.mostBytes = c.m.o.Limits.BufferBytes
	for _, other := range c.m.clients {
		if other != c {
			c.outbox.mostBytes -= other.outbox.bytes
		}
	}
	dropped, err := c.outbox.push(p)
	for _, old := range dropped {
		c.giveBack(old, ErrBufferFull)
	}
	if len(dropped) > 0 {
		c.wake()
	}
	return err
}

// send sends p. Called with m.mu held, in the state joined.
func (c *Client) send(p *parcel) error {
	if p.asks {
		c.actor.mu.Lock()
		err := c.await(p.id, func(u *packet.Unit) { c.acked(p, u) })
		c.actor.mu.Unlock()
		if err != nil {
			return err
		}
	}
	err := c.m.conn.session.Send(p.e.messages...)
	if err != nil && p.asks {
		c.unexpect(p.id)
	}
	return err
}

// sendBuffered sends what has waited, in order. Called with m.mu held, when the
// namespace was joined.
func (c *Client) sendBuffered() {
	if c.m.o.Retries > 0 {
		c.sendFirst()
		return
	}
	for p := c.outbox.first(); p != nil; p = c.outbox.first() {
		err := c.send(p)
		if errors.Is(err, engineio.ErrClosed) {
			return // and so it waits again
		}
		c.outbox.remove(p)
		if err != nil {
			c.giveBack(p, err)
		}
	}
	c.wake()
}

// giveBack tells whoever waits for the acknowledgement of p that there is none: p was
// not sent, or is given up. Called with m.mu held; p is not in the outbox.
func (c *Client) giveBack(p *parcel, err error) {
	if p.reply == nil {
		c.m.log(slog.LevelWarn, "socket.io: event given up", "namespace", c.name, "event", clip([]byte(p.name)), "error", err)
		return
	}
	c.m.later = append(c.m.later, func() { p.reply(nil, err) })
}

// acked is told the acknowledgement of p, or nil when the Client was disconnected.
func (c *Client) acked(p *parcel, u *packet.Unit) {
	switch {
	case u == nil && p.retried: // lose has dealt with p
	case u == nil:
		p.reply(nil, ErrDisconnected)
	case p.retried:
		c.confirmed(p, u)
	default:
		p.reply(u, nil)
	}
}

// withdraw forgets p, for whose acknowledgement nobody waits any longer.
func (c *Client) withdraw(p *parcel) {
	c.m.mu.Lock()
	defer c.m.unlock()
	c.unexpect(p.id)
	if c.outbox.remove(p) {
		if p.timer != nil {
			p.timer.Stop()
		}
		c.wake()
		c.sendFirst()
	}
}

func (c *Client) call(ctx context.Context, event string, args []any) (*Args, error) {
	return ClientEmitter{c: c}.call(ctx, event, args)
}

func (e ClientEmitter) call(ctx context.Context, event string, args []any) (*Args, error) {
	if !e.c.retries(e.flags) { // otherwise the time is that of each try
		var cancel context.CancelFunc
		ctx, cancel = e.c.m.withTimeout(ctx, e.timeout)
		defer cancel()
	}
	type result struct {
		u   *packet.Unit
		err error
	}
	answer := make(chan result, 1)
	p, err := e.c.newParcel(e, event, args, func(u *packet.Unit, err error) { answer <- result{u, err} })
	if err != nil {
		return nil, err
	}
	if err := e.c.post(p, e.flags.Volatile); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		if r.err != nil {
			return nil, r.err
		}
		return &Args{r.u}, nil
	case <-ctx.Done():
		e.c.withdraw(p)
		return nil, context.Cause(ctx)
	}
}

// drop empties the outbox because of err. Called with m.mu held.
func (c *Client) drop(err error) {
	for _, p := range c.outbox.take() {
		if p.timer != nil {
			p.timer.Stop()
		}
		if p.reply != nil {
			c.giveBack(p, err)
		}
	}
	c.wake()
}

// Flush waits until all events that were emitted before it was called are written, or
// were dropped: an event that waits for the namespace to be joined is not. With
// DialOptions.Retries it waits for their acknowledgements. It returns an error that
// wraps that of ctx when ctx ends; ErrDisconnected, wrapped, if the connection is lost
// while they are written; and ErrClosed after Close.
func (c *Client) Flush(ctx context.Context) error {
	m := c.m
	m.mu.Lock()
	end := c.outbox.numbers
	for !c.outbox.passed(end) {
		if c.moved == nil {
			c.moved = make(chan struct{})
		}
		moved := c.moved
		m.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("socket.io: flush: %w", context.Cause(ctx))
		}
		m.mu.Lock()
	}
	conn, closed := m.conn, m.closed
	m.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case conn == nil:
		return nil
	}
	err := conn.session.Flush(ctx)
	if !errors.Is(err, engineio.ErrClosed) {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return errLost
}

// wake wakes the calls of Flush. Called with m.mu held.
func (c *Client) wake() {
	if c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
}

// Buffered returns the number of events that wait to be sent: while the namespace is
// not joined or, with DialOptions.Retries, until they are acknowledged.
func (c *Client) Buffered() int {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return len(c.outbox.parcels)
}

// Dropped returns the number of events that a full buffer has dropped; see
// DialOptions.DropOldest.
func (c *Client) Dropped() uint64 {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return c.outbox.dropped
}
