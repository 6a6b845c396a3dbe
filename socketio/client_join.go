package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// This file is how a Client gets into a namespace and out of it.

// ask asks the server to let the Client in, once AuthFunc has said what with. Called
// with m.mu held, while there is a session.
func (c *Client) ask() {
	c.state = asking
	if n := c.leaves; n > 0 {
		c.leaves = 0
		c.dispatch(task{do: func() { c.mute.Add(-n) }}) // after the events that Disconnect dropped
	}
	if c.asked { // Disconnect and Connect were called meanwhile; one answer is enough
		c.limitAnswer()
		return
	}
	if c.m.o.AuthFunc == nil {
		c.sendConnect(c.m.auth)
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // lose ends it
	c.unasked = cancel
	conn := c.m.conn
	c.m.start(func() {
		returned := false
		defer func() {
			cancel()
			if !returned {
				conn.violation(errAuthGone)
			}
		}()
		c.authorize(ctx)
		returned = true
	})
}

// authorize calls AuthFunc until it succeeds, and then sends CONNECT.
func (c *Client) authorize(ctx context.Context) {
	for n := 0; ; n++ {
		auth, err := c.callAuth(ctx)
		if !c.authorized(ctx, auth, err) {
			return
		}
		timer := time.NewTimer(c.m.o.Reconnection.delay(n, rand.Float64()))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// authorized takes what AuthFunc has returned. It reports whether AuthFunc is to be
// called again.
func (c *Client) authorized(ctx context.Context, auth json.RawMessage, err error) (again bool) {
	c.m.mu.Lock()
	defer c.m.unlock()
	switch {
	case ctx.Err() != nil: // it ends with the mutex held
		return false
	case err == nil:
		c.unasked = nil
		c.sendConnect(auth)
		return false
	}
	c.m.last = err
	c.tellConnectError(err)
	if c.m.o.Reconnection.Off {
		c.unasked = nil
		c.refuse(err)
		return false
	}
	return true
}

// callAuth calls AuthFunc, and writes what it returns. A panic of the user's code is an
// error.
func (c *Client) callAuth(ctx context.Context) (auth json.RawMessage, err error) {
	returned := false
	defer func() {
		if v := recover(); !returned {
			err = fmt.Errorf("socket.io: DialOptions.AuthFunc panicked: %v", v)
		}
	}()
	value, err := c.m.o.AuthFunc(ctx, c.name)
	if err == nil {
		auth, err = authObject(value) // which calls the user's MarshalJSON
	}
	returned = true
	return auth, err
}

// sendConnect sends CONNECT with auth, an object or nil, and with what a server with recovery
// needs to know. Called with m.mu held.
func (c *Client) sendConnect(auth json.RawMessage) {
	if c.pid != "" {
		auth = withRecovery(c.pid, c.offset, auth)
	}
	var data any
	if auth != nil {
		data = auth
	}
	m := c.m
	conn := m.conn
	c.asked = true
	c.limitAnswer()
	err := conn.session.Send(m.wire.newControl(parser.Connect, c.name, data).messages...)
	if errors.Is(err, engineio.ErrTooLarge) { // other errors end the session
		c.answered()
		c.tellConnectError(err)
		c.refuse(err)
	}
}

// limitAnswer starts the time that the server has to answer CONNECT. Called with m.mu held.
func (c *Client) limitAnswer() {
	conn := c.m.conn
	var limit *time.Timer
	limit = time.AfterFunc(c.m.o.Limits.JoinTimeout, func() {
		c.m.mu.Lock()
		late := c.limit == limit // and the answer is not just being handled
		c.m.mu.Unlock()
		if late {
			conn.violation(errNoAnswer)
		}
	})
	c.limit = limit
}

// unlimit stops what limitAnswer has started. Called with m.mu held.
func (c *Client) unlimit() {
	if c.limit != nil {
		c.limit.Stop()
		c.limit = nil
	}
}

// withRecovery adds pid and offset to auth, where they count unless auth has them.
func withRecovery(pid string, offset []byte, auth json.RawMessage) json.RawMessage {
	out := append([]byte(`{"pid":`), appendString(nil, pid)...)
	if len(offset) > 0 {
		out = append(append(out, `,"offset":`...), offset...)
	}
	if len(auth) <= len("{}") {
		return append(out, '}')
	}
	return append(append(out, ','), auth[1:]...)
}

// answered takes note that the server has answered CONNECT, or never will. Early events are
// dropped. Called with m.mu held.
func (c *Client) answered() {
	c.asked = false
	c.dropEarly()
	c.unlimit()
}

// dropEarly drops early events. Called with m.mu held.
func (c *Client) dropEarly() {
	for _, u := range c.early {
		release(u)
	}
	c.early, c.earlySize = nil, 0
}

// granted takes the server's consent. Called with m.mu held.
func (c *Client) granted(u *packet.Unit) {
	if !c.asked {
		return
	}
	early := c.early
	c.early = nil
	c.answered()
	var in connectAnswer
	err := json.Unmarshal(u.Data, &in)
	switch {
	case c.state != asking: // Disconnect was called meanwhile
		c.sendDisconnect()
	case err != nil || in.SID == "":
		c.tellConnectError(errNoSID)
		c.refuse(errNoSID)
	default:
		c.enter(in, early)
	}
}

// enter makes the Client joined, and hands early events to the handlers. Called with m.mu
// held.
func (c *Client) enter(in connectAnswer, early []*packet.Unit) {
	c.state = joined
	if len(in.PID) > maxOffset {
		in.PID = "" // it would make the next CONNECT too large
	}
	if c.recovered = in.PID != "" && in.PID == c.pid; !c.recovered {
		c.offset = nil
	}
	c.id, c.pid = in.SID, in.PID
	c.sendBuffered()
	for _, u := range early {
		c.admit(u)
	}
	c.tellConnect()
	c.settle(nil)
}

// refused takes the server's refusal. Called with m.mu held.
func (c *Client) refused(err *ConnectError) {
	if !c.asked {
		return
	}
	c.answered()
	if c.state == asking {
		c.tellConnectError(err)
		c.refuse(err)
	}
}

// refuse puts the Client aside because of err, of which its handlers were told. Called
// with m.mu held.
func (c *Client) refuse(err error) {
	c.m.log(slog.LevelWarn, "socket.io: namespace not joined", "namespace", c.name, "error", err)
	c.state = aside
	c.settle(err)
	c.m.rest()
}

// expelled takes the server's DISCONNECT. Called with m.mu held.
func (c *Client) expelled() {
	c.answered()
	if c.state == asking {
		c.tellConnectError(ErrDisconnected)
	}
	if c.state != aside {
		c.lose(aside, IOServerDisconnect, nil)
		c.settle(ErrDisconnected)
		c.m.rest()
	}
}

// leave puts the Client aside because the user wants it so. Called with m.mu held.
func (c *Client) leave() {
	if c.state == joined {
		c.sendDisconnect()
	}
	c.leaves++
	c.mute.Add(1)
	c.dropEarly()
	c.lose(aside, IOClientDisconnect, nil)
	c.settle(ErrDisconnected)
}

func (c *Client) sendDisconnect() {
	_ = c.m.conn.session.Send(c.m.wire.newControl(parser.Disconnect, c.name, nil).messages...)
}

// lose takes the Client to the state away or aside. If it was joined its handlers are
// told, and acknowledgements are not awaited any more. The answer to CONNECT is, unless
// answered is called too. Called with m.mu held.
func (c *Client) lose(next clientState, reason Reason, err error) {
	was := c.state
	c.era++
	c.state, c.id, c.recovered = next, "", false
	if c.unasked != nil {
		c.unasked()
		c.unasked = nil
	}
	c.unlimit()
	if was != joined {
		return
	}
	c.actor.mu.Lock()
	pending := c.pending
	c.pending = nil
	c.actor.mu.Unlock()
	for _, f := range pending {
		c.m.later = append(c.m.later, func() { f(nil) })
	}
	if p := c.outbox.first(); p != nil && p.away {
		c.again(p, ErrDisconnected)
	}
	c.tellDisconnect(reason, err)
}

// settle tells Dial. Called with m.mu held.
func (c *Client) settle(err error) {
	if c.settled != nil {
		c.settled <- err // there is room
		c.settled = nil
	}
}
