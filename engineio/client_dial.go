package engineio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
)

// Dial opens a session with the server at url, whose scheme is http, https, ws or wss.
// Its path is the server's, and /engine.io/ if there is none; Socket.IO servers have
// /socket.io/. Parameters of its query are sent with each request.
//
// open is called with the Client once the session is open, and returns the receiver
// of its messages, which must not be nil. It may send already. o may be nil. ctx and
// Limits.OpenTimeout bound the opening, and have no effect on the session afterwards.
//
// While the receiver's Message runs nothing is read, and so no ping of the server is answered:
// the server ends the session if that takes longer than its pingTimeout.
//
// Errors say over which transport the session did not open, and wrap why: a
// *ResponseError if there was a response, a *ProtocolError if that was no open packet,
// the error of ctx, or one of the net. With TryAllTransports the error is those of all
// transports, joined.
func Dial(ctx context.Context, url string, open func(*Client) Receiver, o *DialOptions) (*Client, error) {
	if open == nil {
		return nil, errors.New("engine.io: Dial: open is nil: it must return the Receiver of the session")
	}
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, transport := range o.Transports {
		w, err := newWeb(url, o)
		if err != nil {
			return nil, fmt.Errorf("engine.io: dial: %w", err)
		}
		c := newClient(w)
		if err = c.dial(ctx, transport); err == nil {
			if err = c.begin(open); err != nil {
				return nil, err
			}
			return c, nil
		}
		c.cancel()
		w.release(err)()
		failures = append(failures, fmt.Errorf("engine.io: dial over %s: %w", transport, err))
		if !o.TryAllTransports || ctx.Err() != nil {
			break
		}
	}
	if len(failures) == 1 {
		return nil, failures[0]
	}
	return nil, errors.Join(failures...)
}

// Check reports what Dial refuses before it sends anything: what is wrong with the
// options or with url, or nil if both are right. o may be nil. A program that dials
// again after an error calls Check first, because such an error stays.
func (o *DialOptions) Check(url string) error {
	resolved, err := o.resolve()
	if err != nil {
		return err
	}
	w, err := newWeb(url, resolved)
	if err == nil && slices.Contains(resolved.Transports, websocketName) {
		h := w.handshake()
		err = h.Check(w.target(websocketName, ""))
	}
	if err != nil {
		return fmt.Errorf("engine.io: dial: %w", err)
	}
	return nil
}

func newClient(w *web) *Client {
	c := &Client{web: w, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// dial opens the session over a transport.
func (c *Client) dial(ctx context.Context, transport string) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.web.o.Limits.OpenTimeout, errOpenTime)
	defer cancel()
	if transport == websocketName {
		err = c.dialWebSocket(ctx)
	} else {
		err = c.dialPolling(ctx)
	}
	if err != nil {
		return err
	}
	c.rhythm = rhythmOf(&Limits{PingInterval: c.open.interval, PingTimeout: c.open.timeout}, true)
	c.beat.start(time.Now(), c.rhythm)
	return nil
}

// dialPolling opens the session over long-polling.
func (c *Client) dialPolling(ctx context.Context) error {
	c.web.preparePolling()
	body, err := c.web.get(ctx, "")
	if err != nil {
		return err
	}
	first, rest, _ := bytes.Cut(body, []byte{packet.Separator})
	if c.open, err = parseFirst(first); err != nil {
		return notPackets(body, err)
	}
	c.first = rest
	return nil
}

// dialWebSocket opens the session over WebSocket.
func (c *Client) dialWebSocket(ctx context.Context) error {
	ws, err := c.web.dial(ctx, "")
	if err != nil {
		return err
	}
	t, first, err := ws.Read(ctx)
	if err != nil {
		err = ended(ctx, err)
	} else if t == conn.Binary {
		err = broken("first packet is binary, want an open packet")
	} else {
		c.open, err = parseFirst(first)
	}
	if err != nil {
		ws.CloseNow()
		select {
		case <-ws.Done(): // at once, but for a WebSocket that the server has ended
		case <-ctx.Done():
		}
		return err
	}
	c.ws.Store(ws)
	c.state = upgraded
	return nil
}

// parseFirst reads the first packet of a server.
func parseFirst(b []byte) (opening, error) {
	p, err := packet.Parse(b)
	switch {
	case err != nil:
		return opening{}, err
	case p.Type != packet.Open:
		return opening{}, broken("first packet is %v, want open", p.Type)
	}
	return parseOpening(p.Data)
}

// begin gets the receiver from Dial's open and starts what carries messages.
func (c *Client) begin(open func(*Client) Receiver) error {
	var r Receiver
	defer func() {
		c.mu.Lock()
		defer c.unlock()
		c.begun, c.receiver = true, r
		if r == nil { // open has panicked, or returned nil
			c.end(badReceiver)
			return
		}
		c.carry()
	}()
	if r = open(c); r == nil {
		return errors.New("engine.io: Dial: open has returned nil: it must return the Receiver of the session")
	}
	return nil
}

// carry starts what carries messages, unless open has closed the session. Called with
// mu held.
func (c *Client) carry() {
	switch c.state {
	case closed:
		return
	case upgraded:
		c.receive(c.ws.Load())
	default:
		c.resume()
		if c.mayUpgrade() {
			c.start(c.upgrade)
		}
	}
	c.arm()
}
