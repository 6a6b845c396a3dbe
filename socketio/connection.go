package socketio

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/parleyws/parley/engineio"
)

// Violations that depend on what came before. Those of one packet are in
// packet.go, those of attachments in attachment.go.
var (
	errJoinedTwice    error = &PacketError{"second CONNECT to a namespace"}
	errNotJoined      error = &PacketError{"packet for a namespace that was not joined"}
	errUnasked        error = &PacketError{"CONNECT_ERROR from a client"}
	errNeverConnected error = &PacketError{"no namespace joined in time"}
	errSlow           error = &PacketError{"attachments took too long"}
	errStalled        error = &PacketError{"more than Limits.Backlog waits for handlers, and none has returned for 2 minutes"}
)

// A connection is a client: an Engine.IO session and the sockets on it, one in
// each namespace that it has joined. It is the session's receiver.
type connection struct {
	server  *Server
	session *engineio.Session

	assembler assembler // belongs to Message, which is called one at a time

	mu      sync.Mutex
	sockets []*Socket // also those whose middleware still runs
	sent    []string  // namespaces that the server has sent the client away from
	closed  bool
	timer   *time.Timer // until a namespace is joined, then nil
	slow    *time.Timer // while attachments are awaited
	backlog int         // octets that handlers have not dealt with
	relief  *sync.Cond  // backlog has shrunk, or closed; nil: nobody has waited
	stall   *time.Timer // while somebody waits and nothing is handled
}

func newConnection(s *Server, session *engineio.Session) *connection {
	c := &connection{server: s, session: session, assembler: assembler{limit: s.o.Limits.Attachments}}
	c.timer = time.AfterFunc(s.o.Limits.ConnectTimeout, func() { c.violation(errNeverConnected) })
	return c
}

// units holds units for reuse.
var units = sync.Pool{New: func() any { return new(unit) }}

// release gives u back. Its attachments may have been kept by the user.
func (u *unit) release() {
	if cap(u.buf) > maxPooled {
		return
	}
	if poison {
		for i := range u.buf {
			u.buf[i] = '!'
		}
	}
	clear(u.attachments)
	u.attachments = u.attachments[:0]
	units.Put(u)
}

// size is what u counts in the backlog.
func (u *unit) size() int {
	n := len(u.buf)
	for _, a := range u.attachments {
		n += len(a)
	}
	return n
}

// Message implements engineio.Receiver.
func (c *connection) Message(data []byte, binary bool) {
	var whole *unit
	var err error
	if binary {
		whole, err = c.assembler.binary(bytes.Clone(data))
	} else {
		u := units.Get().(*unit)
		if err = u.parse(data); err == nil {
			whole, err = c.assembler.text(u)
		}
	}
	if err == nil {
		c.watchAttachments(c.assembler.awaited != nil)
		if whole == nil {
			return
		}
		err = c.handle(whole)
	}
	if err != nil {
		c.violation(err)
		return
	}
	c.wait()
}

// watchAttachments starts or stops the timer of attachments.
func (c *connection) watchAttachments(awaited bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case awaited && c.slow == nil && !c.closed:
		c.slow = time.AfterFunc(c.server.o.Limits.AttachmentTimeout, func() { c.violation(errSlow) })
	case !awaited && c.slow != nil:
		c.slow.Stop()
		c.slow = nil
	}
}

// violation closes the connection: the client broke a rule.
func (c *connection) violation(err error) {
	c.server.o.Logger.Info("socket.io: connection closed", "error", err, "address", c.session.Handshake().RemoteAddr)
	c.session.Close()
}

// handle deals with a packet that is complete.
func (c *connection) handle(u *unit) error {
	p := &u.packet
	switch p.Type {
	case TypeConnect:
		return c.connect(u)
	case TypeConnectError:
		return errUnasked
	}
	s := c.socket(p.Namespace)
	if s == nil || !s.Connected() {
		if c.crossed(p.Namespace) {
			u.release()
			return nil
		}
		return errNotJoined
	}
	switch p.Type {
	case TypeEvent, TypeBinaryEvent:
		c.mu.Lock()
		c.backlog += u.size()
		c.mu.Unlock()
		s.dispatch(task{unit: u})
	case TypeAck, TypeBinaryAck:
		s.acknowledged(u)
	default:
		s.close(ClientNamespaceDisconnect)
		u.release()
	}
	return nil
}

// connect answers a CONNECT.
func (c *connection) connect(u *unit) error {
	defer u.release()
	name := string(u.packet.Namespace)
	auth := json.RawMessage(bytes.Clone(u.packet.Data))
	if len(auth) == 0 {
		auth = json.RawMessage("{}")
	}
	if c.socket(u.packet.Namespace) != nil {
		return errJoinedTwice
	}
	n := c.server.lookup(name, auth)
	if n == nil {
		c.send(newControl(TypeConnectError, name, connectError{Message: "Invalid namespace"}))
		return nil
	}
	s := newSocket(c, n, auth)
	if !c.add(s) {
		c.server.unuse(n)
		c.send(newControl(TypeConnectError, name, connectError{Message: "Too many namespaces"}))
		return nil
	}
	s.dispatch(task{do: s.connect})
	return nil
}

// add puts s on the connection, unless that is over or has enough of them.
func (c *connection) add(s *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.sockets) >= c.server.o.Limits.Namespaces {
		return false
	}
	c.sockets = append(c.sockets, s)
	c.sent = slices.DeleteFunc(c.sent, func(name string) bool { return name == s.namespace.name })
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

// crossed reports whether a packet for a namespace may have crossed the packet
// that sent the client away: what it sent before it knew is no violation.
func (c *connection) crossed(namespace []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.sent, func(name string) bool { return name == string(namespace) })
}

// joined stops the timer of those who never join.
func (c *connection) joined() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopTimer()
}

func (c *connection) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// left takes s off the connection. sent tells that the server has sent the
// client away.
func (c *connection) left(s *Socket, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.sockets)
	c.sockets = slices.DeleteFunc(c.sockets, func(x *Socket) bool { return x == s })
	if sent && len(c.sockets) < before && len(c.sent) < c.server.o.Limits.Namespaces {
		c.sent = append(c.sent, s.namespace.name)
	}
}

// send sends a packet. An error means that the session has ended, of which
// Closed tells.
func (c *connection) send(e *emission) { _ = c.session.Send(e.messages...) }

// stallTime is how long a client waits for handlers of which none returns,
// before it is given up. It is not read from meanwhile, so that nobody would
// know if it went away.
const stallTime = 2 * time.Minute

// wait waits while the handlers have too much before them.
func (c *connection) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.backlog > c.server.o.Limits.Backlog && !c.closed {
		if c.relief == nil {
			c.relief = sync.NewCond(&c.mu)
		}
		if c.stall == nil {
			c.stall = time.AfterFunc(stallTime, func() { c.violation(errStalled) })
		}
		c.relief.Wait()
	}
	c.stopStall()
}

func (c *connection) stopStall() {
	if c.stall != nil {
		c.stall.Stop()
		c.stall = nil
	}
}

// handled takes n octets off the backlog.
func (c *connection) handled(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.backlog -= n
	if c.stall != nil {
		c.stall.Reset(stallTime)
	}
	if c.relief != nil && c.backlog <= c.server.o.Limits.Backlog {
		c.relief.Broadcast()
	}
}

// Closed implements engineio.Receiver.
func (c *connection) Closed(reason engineio.Reason) {
	c.mu.Lock()
	c.closed = true
	c.stopTimer()
	c.stopStall()
	if c.slow != nil {
		c.slow.Stop()
	}
	if c.relief != nil {
		c.relief.Broadcast()
	}
	sockets := c.sockets
	c.sockets = nil
	c.mu.Unlock()
	for _, s := range sockets {
		s.close(fromEngine(reason))
	}
}
