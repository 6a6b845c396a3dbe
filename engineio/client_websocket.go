package engineio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
)

// Why a session stays on long-polling.
var (
	errProbeTime = fmt.Errorf("not done within Limits.UpgradeTimeout: %w", os.ErrDeadlineExceeded)
	errProbe     = errors.New("the server does not answer the probe as it should")
)

// mayUpgrade reports whether a session that has opened over polling moves to
// WebSocket.
func (c *Client) mayUpgrade() bool {
	o := c.web.o
	return c.open.upgrade && !o.NoUpgrade && slices.Contains(o.Transports, websocketName)
}

// upgrade dials a WebSocket to move to.
func (c *Client) upgrade() {
	late := time.Now().Add(c.web.o.Limits.UpgradeTimeout)
	ctx, cancel := context.WithDeadlineCause(c.ctx, late, errProbeTime)
	defer cancel()
	ws, err := c.web.dial(ctx, c.open.sid)
	if err != nil {
		c.stays(err)
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if c.state.follow(&clientTransitions, attach) != keepProbe {
		c.start(func() {
			ws.CloseNow()
			<-ws.Done()
		})
		return
	}
	c.probing = ws
	c.probe = momentOf(late)
	c.arm()
	_ = ws.Send(askMessage.frame) // the reader learns of an error
	c.receive(ws)
}

// stays logs why the session stays on long-polling. Called without any lock.
func (c *Client) stays(err error) {
	c.web.o.Logger.Debug("engine.io: client stays on long-polling", "error", err, "session", shortID(c.open.sid))
}

// receive receives from a WebSocket until it ends, also from one that has been dropped and
// is about to be closed. Called with mu held.
func (c *Client) receive(ws *conn.Conn) {
	c.running++
	ws.Receive((*clientReceiver)(c))
}

// A clientReceiver is a Client as its WebSockets see it.
type clientReceiver Client

// Message implements conn.Receiver.
func (r *clientReceiver) Message(ws *conn.Conn, m conn.Message) error {
	(*Client)(r).received(ws, m)
	return nil
}

// Ended implements conn.Receiver.
func (r *clientReceiver) Ended(ws *conn.Conn, err error) {
	c := (*Client)(r)
	defer c.stop()
	c.lost(ws, err)
}

// lost is called at the end of a WebSocket, with the error that ended it. Where the client
// lets go of one, here or before, a goroutine waits until it is done.
func (c *Client) lost(ws *conn.Conn, err error) {
	c.mu.Lock()
	defer c.unlock()
	switch ws {
	case c.ws.Load():
		c.end(lossOf(err))
	case c.probing:
		c.dropProbe(err)
	}
}

// received handles a message of a WebSocket, which may be the transport or the one
// that is probed.
func (c *Client) received(ws *conn.Conn, m conn.Message) {
	if c.ws.Load() != ws {
		c.mu.Lock()
		defer c.unlock()
		c.probed(ws, m)
		return
	}
	c.delivery.Lock()
	defer c.delivery.Unlock()
	p, err := parse(m)
	if err != nil {
		c.lose(parseFailed(err))
		return
	}
	c.handle(p)
	c.renewal.after(ws, p.Type == packet.Ping)
}

// probed handles a message on the WebSocket that is probed: "3probe". For anything
// else the WebSocket is dropped. Called with mu held.
func (c *Client) probed(ws *conn.Conn, m conn.Message) {
	if c.probing != ws {
		return
	}
	if m.Type != conn.Text || string(m.Payload) != "3probe" || c.state != probing {
		c.dropProbe(errProbe)
		return
	}
	// The goroutine that sends GETs is running. It moves the session when it ends, unless a
	// POST ends later, which does so then.
	c.state.follow(&clientTransitions, probe)
}

// moveIfQuiet makes the WebSocket the transport, if the server has answered the probe
// and no request is under way. What is queued leaves first, in order. Called with mu
// held.
func (c *Client) moveIfQuiet() {
	if c.getting || c.posting || c.state.follow(&clientTransitions, switchTo) != moveOver {
		return
	}
	ws := c.probing
	c.ws.Store(ws)
	c.probing = nil
	c.probe = 0
	queue := c.queue
	c.queue, c.queued = nil, 0
	_ = c.transmit(append([]*Message{upgradeMessage}, queue...)) // the reader learns of an error
	c.wake()
	c.start(c.web.release(nil))
}

// dropProbe closes the WebSocket that is probed. The session goes on polling. Called
// with mu held.
func (c *Client) dropProbe(why error) {
	ws := c.probing
	if c.state.follow(&clientTransitions, abandon) != dropProbe {
		return
	}
	c.probing = nil
	c.probe = 0
	c.resume()
	c.start(func() {
		c.stays(why)
		ws.CloseNow()
		<-ws.Done()
	})
}
