package socketio

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// Violations that depend on earlier packets. Violations of one packet, and those
// of attachments, are in package packet.
var (
	errJoinedTwice    error = &parser.Error{Reason: "second CONNECT to a namespace"}
	errNotJoined      error = &parser.Error{Reason: "packet for a namespace that was not joined"}
	errUnasked        error = &parser.Error{Reason: "CONNECT_ERROR from a client"}
	errNeverConnected error = &parser.Error{Reason: "no namespace joined in time"}
	errOutrun         error = &parser.Error{Reason: "client came back, but Recovery.EventBytes was exceeded before it was let in"}
	errLingering      error = &parser.Error{Reason: "more sockets than Limits.Namespaces have ended, and none of their handlers has returned for 2 minutes"}
)

// A connection is an Engine.IO session and the sockets on it, one in each
// namespace that the client has joined. It is the session's receiver.
type connection struct {
	server  *Server
	session *engineio.Session

	backlog // its mu guards the fields below
	intake

	sockets []*Socket // those whose middleware still runs included
	living  int       // sockets that were added and whose handlers have not all returned
	*seldom           // nil if none of it is needed
}

// seldom is what a connection has at its beginning, while its client comes back, or if the
// server has disconnected the client from a namespace.
type seldom struct {
	timer  *time.Timer              // runs until a namespace is joined; nil then
	sent   []string                 // namespaces from which the server has disconnected the client
	claims map[string]chan struct{} // by namespace: the claim of the last socket there that wants back, until it is settled
}

func newConnection(s *Server, session *engineio.Session) *connection {
	c := &connection{server: s, session: session, seldom: new(seldom)}
	c.timer = time.AfterFunc(s.o.Limits.ConnectTimeout, func() { c.violation(errNeverConnected) })
	if c.dialect().unasked {
		_ = c.join("/", noAuth) // nothing was joined before
	}
	return c
}

// dialect returns that of the client.
func (c *connection) dialect() *dialect { return dialectOf(c.session) }

// side implements host.
func (c *connection) side() *side { return &c.server.side }

// events implements host.
func (c *connection) events() *backlog { return &c.backlog }

// Message implements engineio.Receiver.
func (c *connection) Message(data []byte, binary bool) { c.message(c, data, binary) }

// violation closes the connection because the client has broken a rule.
func (c *connection) violation(err error) {
	c.server.o.Logger.Info("socket.io: connection closed", "error", err, "address", c.session.Handshake().RemoteAddr)
	c.session.Close()
}

// handle handles a packet that is complete.
func (c *connection) handle(u *packet.Unit) error {
	switch u.Type {
	case parser.Connect:
		return c.connect(u)
	case parser.ConnectError:
		return errUnasked
	}
	s, err := c.addressed(u.Namespace)
	if s == nil {
		release(u)
		return err
	}
	switch u.Type {
	case parser.Event:
		c.queue(&s.actor, u, 0, c.session)
	case parser.Ack:
		s.acknowledged(u)
	default:
		s.close(ClientNamespaceDisconnect)
		c.left(s, false, nil) // if the server is about to send a DISCONNECT: the client may come back first
		release(u)
	}
	return nil
}

// connect handles a CONNECT.
func (c *connection) connect(u *packet.Unit) error {
	defer release(u)
	return c.join(c.dialect().asked(u))
}

// join makes the client join a namespace, or tells it why it may not.
//
// A client that gives up before it is let in has no DISCONNECT to send: it has not joined. If it
// asks again, its new socket takes the place of the old one, which is answered no more.
func (c *connection) join(name string, auth json.RawMessage) error {
	if s := c.socket([]byte(name)); s != nil {
		if s.now() == connected {
			return errJoinedTwice
		}
		s.close(ClientNamespaceDisconnect)
		c.left(s, false, nil) // if the server is about to send it away
	}
	n := c.server.lookup(name, auth)
	if n == nil {
		c.refuse(name, "Invalid namespace", "there is no such namespace")
		return nil
	}
	s := newSocket(c, n, auth)
	if !c.add(s) {
		c.server.unuse(n)
		c.refuse(name, "Too many namespaces", "Limits.Namespaces exceeded")
		return nil
	}
	c.begin(s)
	return nil
}

// begin has a socket connect, on its own goroutine. One that wants back what its client had waits
// for an earlier one on the connection, which may hold just that, until it has given that back: at
// most as long as the middleware takes to notice that its ctx has ended.
func (c *connection) begin(s *Socket) {
	if !s.wantsBack() {
		s.dispatch(task{do: func() { s.connect(func() {}) }})
		return
	}
	earlier, settled := c.claim(s.namespace.name)
	s.dispatch(task{do: func() {
		defer settled() // also if something panics
		if earlier != nil {
			<-earlier
		}
		s.connect(settled)
	}})
}

// claim notes that a socket is about to claim what its client had in a namespace. earlier is closed
// when the claim before this one is settled; nil: there is none. The caller calls settled.
func (c *connection) claim(name string) (earlier <-chan struct{}, settled func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seldom == nil {
		c.seldom = new(seldom)
	}
	if c.claims == nil {
		c.claims = make(map[string]chan struct{})
	}
	earlier = c.claims[name]
	end := make(chan struct{})
	c.claims[name] = end
	return earlier, sync.OnceFunc(func() {
		defer close(end) // last: as long as a later claim waits for it, claims has that one
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.claims[name] == end {
			delete(c.claims, name)
			c.tidy()
		}
	})
}

// refuse tells the client that it may not join a namespace, and the operator why. The client
// may ask as often as it likes, and so that is no line of the level Info.
func (c *connection) refuse(name, message, why string) {
	c.server.o.Logger.Debug("socket.io: namespace refused", "namespace", clip([]byte(name)), "error", why, "address", c.session.Handshake().RemoteAddr)
	c.send(c.server.wire.newControl(parser.ConnectError, name, connectError{Message: message}))
}

// add puts s on the connection. It returns false if the connection is over or has
// too many sockets.
func (c *connection) add(s *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.sockets) >= c.server.o.Limits.Namespaces {
		return false
	}
	c.sockets = append(c.sockets, s)
	c.living++
	if c.seldom != nil {
		c.sent = slices.DeleteFunc(c.sent, func(name string) bool { return name == s.namespace.name })
	}
	return true
}

// socket returns the socket in a namespace, nil if there is none.
func (c *connection) socket(namespace []byte) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.namespace.name == string(namespace) {
			return s
		}
	}
	return nil
}

// addressed returns the socket in a namespace that the client has been let into. It returns
// nil and no error for a packet that is to be dropped, but is no violation: the client may
// have sent it before the DISCONNECT of the server reached it, or the session has ended while
// the packet was read. Until the server has sent the DISCONNECT a packet finds the socket,
// which drops it.
func (c *connection) addressed(namespace []byte) (*Socket, error) {
	if s := c.socket(namespace); s != nil {
		if s.now() == connecting {
			return nil, errNotJoined
		}
		return s, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.seldom != nil && slices.ContainsFunc(c.sent, func(name string) bool { return name == string(namespace) }) {
		return nil, nil
	}
	return nil, errNotJoined
}

// joined stops the timer of clients that never join a namespace.
func (c *connection) joined() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopTimer()
}

// stopTimer stops the timer. Called with mu held.
func (c *connection) stopTimer() {
	if c.seldom == nil || c.timer == nil {
		return
	}
	c.timer.Stop()
	c.timer = nil
	c.tidy()
}

// tidy lets go of seldom if nothing is in it. Called with mu held.
func (c *connection) tidy() {
	if c.timer == nil && c.sent == nil && len(c.claims) == 0 {
		c.seldom = nil
	}
}

// left takes s off the connection. sent says that it is the server that disconnects the
// client. told is what tells the client of the end; nil is nothing. left sends told with mu
// held, so that it precedes the answer to the client's next CONNECT: after that, the client
// would take it for the end of its next socket. If s has been taken off before, the client
// knows of the end, and left sends nothing.
func (c *connection) left(s *Socket, sent bool, told *emission) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.sockets)
	c.sockets = slices.DeleteFunc(c.sockets, func(x *Socket) bool { return x == s })
	if len(c.sockets) == before {
		return
	}
	if told != nil {
		c.send(told)
	}
	if !sent {
		return
	}
	if c.seldom == nil {
		c.seldom = new(seldom)
	}
	if len(c.sent) < c.server.o.Limits.Namespaces {
		c.sent = append(c.sent, s.namespace.name)
	}
}

// send sends a packet. It ignores an error, which means that the session has
// ended: Closed is called then.
func (c *connection) send(e *emission) { _ = c.session.Send(e.messages...) }

// hurry implements host.
func (c *connection) hurry() { c.session.Hurry() }

// overload implements host: so many sockets that have left may still be busy.
func (c *connection) overload() error {
	if most := c.server.o.Limits.Namespaces; c.living-len(c.sockets) > most {
		return errLingering
	}
	return nil
}

// ended takes note that all handlers of a socket have returned.
func (c *connection) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.living--
	c.relieve()
}

// Closed implements engineio.Receiver.
func (c *connection) Closed(reason engineio.Reason) {
	c.mu.Lock()
	c.close(&c.backlog)
	c.stopTimer()
	sockets := c.sockets
	c.sockets = nil
	c.mu.Unlock()
	for _, s := range sockets {
		s.close(fromEngine(reason))
	}
}
