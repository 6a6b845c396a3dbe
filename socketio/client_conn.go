package socketio

import (
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
	b := conn.events()
	b.mu.Lock()
	defer b.mu.Unlock()
	conn.close(b)
}

// Closed implements engineio.Receiver.
func (conn *clientConn) Closed(reason engineio.Reason) {
	go func() { // the session counts until nothing is left of it
		defer conn.m.stop()
		<-conn.session.Done()
	}()
	conn.m.lost(conn, fromEngine(reason), conn.session.Err())
}

// side implements host.
func (conn *clientConn) side() *side { return &conn.m.side }

// events implements host.
func (conn *clientConn) events() *backlog { return &conn.m.waiting }

// Message implements engineio.Receiver.
func (conn *clientConn) Message(data []byte, binary bool) { conn.message(conn, data, binary) }

// overload implements host.
func (conn *clientConn) overload() error { return nil }

// hurry implements host. No handler waits: each has a goroutine.
func (conn *clientConn) hurry() {}

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
	case u.Type == parser.Ack:
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
	if c.earlySize += u.Size(); c.earlySize > c.m.side.intake.eventBytes {
		for _, u := range c.early {
			c.admit(u)
		}
		c.early = nil
	}
}

// admit hands an event to the handlers. Called with m.mu held.
func (c *Client) admit(u *packet.Unit) {
	c.note(u)
	c.m.waiting.queue(&c.actor, u, c.era, nil)
}

// maxOffset is the length of the longest offset that is believed to be one. Those of
// servers have some 30 bytes.
const maxOffset = 1 << 10

// note keeps the offset of an event, which is its last argument if the server has
// recovery. A server adds none to an event that asks for an acknowledgement. Called with
// m.mu held.
func (c *Client) note(u *packet.Unit) {
	if c.pid == "" || u.HasID || u.Len() == 0 {
		return
	}
	if last := u.Arg(u.Len() - 1); last[0] == '"' && len(last) <= maxOffset {
		c.offset = append(c.offset[:0], last...)
	}
}
