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

// A clientConn is an Engine.IO session of a manager. It is the session's receiver.
type clientConn struct {
	m       *manager
	session *engineio.Client
	intake
}

// end takes note that the session is over, or about to be closed. Called with m.mu
// held.
func (conn *clientConn) end() {
	conn.mu.Lock()
	defer conn.mu.Unlock()
	conn.close()
}

// Closed implements engineio.Receiver.
func (conn *clientConn) Closed(reason engineio.Reason) {
	go func() { // the session counts until nothing is left of it
		defer conn.m.stop()
		<-conn.session.Done()
	}()
	conn.m.lost(conn, fromEngine(reason), conn.session.Err())
}

// overload implements host.
func (conn *clientConn) overload() error { return nil }

// violation implements host.
func (conn *clientConn) violation(err error) {
	conn.m.lost(conn, ParseError, err)
	conn.session.Close()
}

// handle implements host. A packet for a namespace that is not joined is no violation:
// it may have crossed our DISCONNECT.
func (conn *clientConn) handle(u *packet.Unit) error {
	m := conn.m
	m.mu.Lock()
	defer m.unlock()
	c := m.client(u.Namespace)
	if c == nil || m.conn != conn {
		release(u)
		return nil
	}
	switch {
	case u.Type == parser.Connect:
		c.granted(u)
	case u.Type == parser.ConnectError:
		c.refused(refusal(c.name, u.Data))
	case u.Type == parser.Disconnect:
		c.expelled()
	case u.Type == parser.Event && c.state == joined:
		c.admit(u)
		return nil
	case u.Type == parser.Event && c.state == asking && c.asked:
		c.hear(u)
		return nil
	case u.Type == parser.Ack && c.state == joined:
		m.later = append(m.later, func() { c.acknowledged(u) })
		return nil
	}
	release(u)
	return nil
}

// hear takes an event that has come before the server's consent. Node's server sends what a
// middleware emits so, and the events that a client with recovery has missed. They wait
// for the consent, but for those that exceed the limit: these can only go to the handlers,
// for whom the session is held back. Called with m.mu held.
func (c *Client) hear(u *packet.Unit) {
	c.early = append(c.early, u)
	if c.earlySize += u.Size(); c.earlySize > c.m.waiting.limit {
		for _, u := range c.early {
			c.admit(u)
		}
		c.early = nil
	}
}

// admit hands an event to the handlers. Called with m.mu held.
func (c *Client) admit(u *packet.Unit) {
	c.note(u)
	c.m.conn.queue(&c.actor, u)
}

// maxOffset is the length of the longest offset that is believed to be one. Those of
// servers have some 30 bytes.
const maxOffset = 1 << 10

// note keeps the offset of an event, which is its last argument if the server has
// recovery. Called with m.mu held.
func (c *Client) note(u *packet.Unit) {
	if c.pid == "" || u.Len() == 0 {
		return
	}
	if last := u.Arg(u.Len() - 1); last[0] == '"' && len(last) <= maxOffset {
		c.offset = append(c.offset[:0], last...)
	}
}

// ask asks the server to let the Client in, once AuthFunc has said what with. Called
// with m.mu held, while there is a session.
func (c *Client) ask() {
	c.state = asking
	c.dispatch(task{do: func() { c.mute.Store(false) }}) // after the events that Disconnect dropped
	if c.asked {                                         // Disconnect and Connect were called meanwhile; one answer is enough
		c.limitAnswer()
		return
	}
	if c.m.o.AuthFunc == nil {
		auth, _ := authObject(c.m.o.Auth) // was checked
		c.sendConnect(auth)
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // lose ends it
	c.unasked = cancel
	c.m.start(func() {
		defer cancel()
		c.authorize(ctx)
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
	c.tellConnectError(err)
	if c.m.o.Reconnection.Off {
		c.unasked = nil
		c.refuse(err)
		return false
	}
	return true
}

// callAuth calls AuthFunc. A panic of it is an error.
func (c *Client) callAuth(ctx context.Context) (auth json.RawMessage, err error) {
	returned := false
	defer func() {
		if v := recover(); !returned {
			err = fmt.Errorf("socket.io: DialOptions.AuthFunc panicked: %v", v)
		}
	}()
	value, err := c.m.o.AuthFunc(ctx, c.name)
	returned = true
	if err != nil {
		return nil, err
	}
	return authObject(value)
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
	c.limit = time.AfterFunc(c.m.o.Limits.JoinTimeout, func() { conn.violation(errNoAnswer) })
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
	for _, u := range c.early {
		release(u)
	}
	c.early, c.earlySize = nil, 0
	c.unlimit()
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
	case err != nil || in.SID == "":
		c.tellConnectError(errNoSID)
		c.refuse(errNoSID)
	case c.state != asking: // Disconnect was called meanwhile
		c.sendDisconnect()
	default:
		c.enter(in, early)
	}
}

// enter makes the Client joined, and hands early events to the handlers. Called with m.mu
// held.
func (c *Client) enter(in connectAnswer, early []*packet.Unit) {
	c.state = joined
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
	c.mute.Store(true)
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
	c.tellDisconnect(reason, err)
}

// settle tells Dial. Called with m.mu held.
func (c *Client) settle(err error) {
	if c.settled != nil {
		c.settled <- err // there is room
		c.settled = nil
	}
}
