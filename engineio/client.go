package engineio

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
	alarms "github.com/parleyws/parley/internal/alarm"
)

// A Client is a session with a server, seen from the client: what a Session is to
// the server. Dial opens it. All methods may be called from any goroutine at any
// time.
//
// A Client must be ended, by its server or by Close. It speaks version 4 of the
// protocol, and does not come back by itself.
type Client struct {
	web    *web
	open   opening
	ws     atomic.Pointer[conn.Conn] // the transport, if that is a WebSocket; set with mu held
	ctx    context.Context           // of the requests
	cancel context.CancelFunc        // cuts them

	mu         sync.Mutex
	state      state
	told       bool       // the receiver knows of the end, or is about to
	begun      bool       // Dial's open has returned
	over       bool       // all goroutines have ended, after the session
	delivering bool       // Receiver.Message runs
	getting    bool       // the goroutine that sends GETs runs
	posting    bool       // the goroutine that sends POSTs runs
	leaving    bool       // Close was called: what is queued is still posted
	why        *cause     // of the end; nil before it
	receiver   Receiver   // nil until Dial's open has returned
	probing    *conn.Conn // the WebSocket that is probed, in the states probing and probed
	queue      []*Message // to be sent by polling
	queued     int        // size of the queue, in bytes
	sent       uint64     // messages that were ever queued
	left       uint64     // those of them that have left
	progress   chan struct{}
	rhythm     rhythm // constant
	beat       heartbeat
	probe      moment // drop the probing WebSocket
	forget     moment // what is queued has had its time
	alarm      alarm
	place      int32 // in clock
	clock      alarms.Clock
	running    int // goroutines

	// delivery is the turn to deliver messages. It guards the field below and nothing
	// that a Receiver may call.
	delivery sync.Mutex
	renewal  renewal // of the goroutine that reads the WebSocket

	first []byte // packets that came in one body with the open packet; nil: none did
	done  chan struct{}
}

// ID returns the session's id, which is a secret between client and server.
func (c *Client) ID() string { return c.open.sid }

// Transport returns the transport that carries the session's packets: "polling" or
// "websocket". It may change once, from the former to the latter.
func (c *Client) Transport() string {
	if c.ws.Load() != nil {
		return websocketName
	}
	return pollingName
}

// Done returns a channel that is closed when the session has ended and holds nothing
// any more: no goroutine and no connection, but for idle connections of a Transport
// that the user gave. After Close that is once what was queued has left, or after 5 s
// on long-polling, and as conn.Conn.Done says on WebSocket. The Receiver must not wait
// for it.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the session has ended, as an *EndError, and nil as long as it is
// open.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil {
		return nil
	}
	return &EndError{c.why.reason, c.why.err}
}

// Send sends messages one after the other, with nothing but control packets between
// them. It never waits, and may be called with locks held: it calls neither the
// receiver nor the logger. Messages that can't leave are queued; a session whose queue
// exceeds Limits.QueueBytes ends, and Send returns ErrQueueFull. If one of the
// messages is larger than the server takes nothing is sent, and Send returns
// ErrTooLarge. After the end it returns ErrClosed. Messages are delivered at most
// once, in the order of the calls.
func (c *Client) Send(ms ...*Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.send(ms)
	if c.untold() {
		c.start(c.tell)
	}
	return err
}

// send is Send. Called with mu held.
func (c *Client) send(ms []*Message) error {
	switch {
	case c.state == closed:
		return ErrClosed
	case c.tooLarge(ms):
		return ErrTooLarge
	case c.state == upgraded:
		return c.transmit(ms)
	}
	return c.queueUp(ms...)
}

// tooLarge reports whether the server does not take one of the messages.
func (c *Client) tooLarge(ms []*Message) bool {
	most := c.open.maxPayload
	if most == 0 {
		return false
	}
	for _, m := range ms {
		size := int64(m.frame.Len())
		if c.state != upgraded {
			size = m.payloadSize()
		}
		if size > most {
			return true
		}
	}
	return false
}

// transmit sends messages over the WebSocket. Called with mu held, which keeps them
// together.
func (c *Client) transmit(ms []*Message) error {
	err := transmit(c.ws.Load(), packet.V4, ms)
	if err == ErrQueueFull {
		c.end(queueOverrun)
	}
	return err
}

// Writable reports whether a message would leave at once: no POST is under way and
// nothing is queued, or everything that was sent over the WebSocket has left.
func (c *Client) Writable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case closed, probed:
		return false
	case upgraded:
		return !c.ws.Load().Unsent()
	}
	return !c.posting // which it is while something is queued
}

// Cork holds back what is sent over the WebSocket until the Cork is released; see
// Session.Cork.
func (c *Client) Cork() Cork {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != upgraded {
		return Cork{}
	}
	return c.ws.Load().Cork()
}

// Flush waits until all messages of earlier calls of Send have left: the server has
// answered the POSTs that carry them, or the stream of the WebSocket has taken them.
// When ctx ends it returns the error of ctx, and what is unsent still goes out. Once
// the session has ended it returns ErrClosed at once.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	sent := c.sent
	for c.state < upgraded && c.left < sent {
		if c.progress == nil {
			c.progress = make(chan struct{})
		}
		progress := c.progress
		c.mu.Unlock()
		select {
		case <-progress:
		case <-ctx.Done():
			return fmt.Errorf("engine.io: flush: %w", ctx.Err())
		}
		c.mu.Lock()
	}
	state, ws := c.state, c.ws.Load()
	c.mu.Unlock()
	switch {
	case state == closed:
		return ErrClosed
	case state < upgraded:
		return nil
	}
	if err := ws.Flush(ctx); err != nil && ctx.Err() == nil {
		return ErrClosed
	} else if err != nil {
		return fmt.Errorf("engine.io: flush: %w", ctx.Err())
	}
	return nil
}

// wake wakes the calls of Flush. Called with mu held.
func (c *Client) wake() {
	if c.progress != nil {
		close(c.progress)
		c.progress = nil
	}
}

// handle handles a packet from the server, of either transport. ok is false if the
// session has ended. The caller holds delivery.
func (c *Client) handle(p packet.Packet) (ok bool) {
	if p.Type == packet.Message {
		return c.deliver(p.Data, p.Binary)
	}
	c.mu.Lock()
	defer c.unlock()
	switch p.Type {
	case packet.Ping:
		c.beat.heard(time.Now(), c.rhythm)
		c.arm()
		c.control(pongMessage)
	case packet.Close:
		c.end(serverClosed)
	case packet.Open, packet.Pong, packet.Upgrade:
		c.end(unexpected[p.Type])
	}
	return c.state != closed
}

// control sends a packet that is not the application's. Called with mu held.
func (c *Client) control(m *Message) {
	switch c.state {
	case closed:
	case upgraded:
		_ = c.transmit([]*Message{m}) // the reader learns of an error
	default:
		_ = c.queueUp(m) // a server that pings and takes no pongs ends the session so
	}
}

// deliver hands a message to the receiver. The caller holds delivery.
func (c *Client) deliver(data []byte, binary bool) (ok bool) {
	c.mu.Lock()
	if c.state == closed {
		c.mu.Unlock()
		return false
	}
	c.delivering = true
	c.mu.Unlock()
	handed := false
	defer func() { // also if the receiver has ended the goroutine
		c.mu.Lock()
		defer c.unlock()
		if c.delivering = false; !handed {
			c.end(badReceiver)
		}
		ok = c.state != closed
	}()
	handed = hand(c.receiver, c.web.o.Logger, data, binary)
	return // the deferred function sets ok
}
