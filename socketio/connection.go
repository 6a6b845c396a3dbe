package socketio

import (
	"bytes"
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
	errSlow           error = &parser.Error{Reason: "attachments took too long"}
	errOutrun         error = &parser.Error{Reason: "client came back, but Recovery.EventBytes was exceeded before it was let in"}
	errStalled        error = &parser.Error{Reason: "more than Limits.HandlerQueueBytes waits for handlers, and none has returned for 2 minutes"}
	errLingering      error = &parser.Error{Reason: "more sockets than Limits.Namespaces have ended, and none of their handlers has returned for 2 minutes"}
)

// A connection is an Engine.IO session and the sockets on it, one in each
// namespace that the client has joined. It is the session's receiver.
type connection struct {
	server  *Server
	session *engineio.Session
	dialect *dialect // of the client

	assembler packet.Assembler // used by Message alone, of which one call runs at a time

	mu      sync.Mutex
	sockets []*Socket // those whose middleware still runs included
	sent    []string  // namespaces from which the server has disconnected the client
	closed  bool
	timer   *time.Timer // runs until a namespace is joined; nil then
	slow    *time.Timer // runs while attachments are awaited
	backlog int         // size of the events that wait for handlers or are with them
	living  int         // sockets that were added and whose handlers have not all returned
	relief  *sync.Cond  // wakes wait; nil: nobody has waited yet
	stall   *time.Timer // runs while wait waits, anew after each handler that returns
}

func newConnection(s *Server, session *engineio.Session) *connection {
	c := &connection{server: s, session: session, dialect: dialectOf(session)}
	c.timer = time.AfterFunc(s.o.Limits.ConnectTimeout, func() { c.violation(errNeverConnected) })
	if c.dialect.unasked {
		_ = c.join("/", json.RawMessage("{}")) // nothing was joined before
	}
	return c
}

// units holds Units that are used again.
var units = sync.Pool{New: func() any { return new(packet.Unit) }}

// release gives u back to units. The user may have kept its attachments, so
// those are not used again.
func release(u *packet.Unit) {
	if u.Held() > maxPooled {
		return
	}
	if poison {
		u.Poison()
	}
	u.Drop()
	units.Put(u)
}

// Message implements engineio.Receiver.
func (c *connection) Message(data []byte, binary bool) {
	whole, err := c.assemble(data, binary)
	if err == nil {
		c.watchAttachments(c.assembler.Awaiting())
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

// assemble takes a message. It returns a packet if that is complete, and nil while
// its attachments are awaited.
func (c *connection) assemble(data []byte, binary bool) (*packet.Unit, error) {
	w := &c.server.wire
	attachment, err := c.assembler.Judge(binary, w.parser.Binary())
	if err != nil {
		return nil, err
	}
	if attachment {
		return c.assembler.Attachment(bytes.Clone(data), c.server.o.Limits.AttachmentBytes)
	}
	u := units.Get().(*packet.Unit)
	if err := u.Parse(w.parser, data, w.limits); err != nil {
		return nil, err
	}
	return c.assembler.First(u), nil
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
	s := c.socket(u.Namespace)
	if s == nil || !s.Connected() {
		if c.crossed(u.Namespace) {
			release(u)
			return nil
		}
		return errNotJoined
	}
	switch u.Type {
	case parser.Event:
		c.mu.Lock()
		c.backlog += u.Size()
		c.mu.Unlock()
		s.dispatch(task{unit: u})
	case parser.Ack:
		s.acknowledged(u)
	default:
		s.close(ClientNamespaceDisconnect)
		release(u)
	}
	return nil
}

// connect handles a CONNECT.
func (c *connection) connect(u *packet.Unit) error {
	defer release(u)
	return c.join(c.dialect.asked(u))
}

// join makes the client join a namespace, or tells it why it may not.
func (c *connection) join(name string, auth json.RawMessage) error {
	if c.socket([]byte(name)) != nil {
		return errJoinedTwice
	}
	n := c.server.lookup(name, auth)
	if n == nil {
		c.send(c.server.wire.newControl(parser.ConnectError, name, connectError{Message: "Invalid namespace"}))
		return nil
	}
	s := newSocket(c, n, auth)
	if !c.add(s) {
		c.server.unuse(n)
		c.send(c.server.wire.newControl(parser.ConnectError, name, connectError{Message: "Too many namespaces"}))
		return nil
	}
	s.dispatch(task{do: s.connect})
	return nil
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

// crossed reports whether a packet for a namespace may have crossed the DISCONNECT
// that the server has sent: the client sent it before it knew, which is no
// violation.
func (c *connection) crossed(namespace []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.sent, func(name string) bool { return name == string(namespace) })
}

// joined stops the timer of clients that never join a namespace.
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

// left takes s off the connection. sent says that it was the server that has
// disconnected the client.
func (c *connection) left(s *Socket, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.sockets)
	c.sockets = slices.DeleteFunc(c.sockets, func(x *Socket) bool { return x == s })
	if sent && len(c.sockets) < before && len(c.sent) < c.server.o.Limits.Namespaces {
		c.sent = append(c.sent, s.namespace.name)
	}
}

// send sends a packet. It ignores an error, which means that the session has
// ended: Closed is called then.
func (c *connection) send(e *emission) { _ = c.session.Send(e.messages...) }

// stallTime is how long wait waits for a handler to return. Nothing is read from
// the client meanwhile, so nobody would notice that it has gone away.
const stallTime = 2 * time.Minute

// overloaded returns which limit is exceeded by what the handlers have to do, nil
// if none is. Called with mu held.
func (c *connection) overloaded() error {
	limits := &c.server.o.Limits
	switch {
	case c.closed:
		return nil
	case c.backlog > limits.HandlerQueueBytes:
		return errStalled
	case c.living-len(c.sockets) > limits.Namespaces:
		return errLingering
	}
	return nil
}

// wait waits while the handlers have too much to do.
func (c *connection) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for err := c.overloaded(); err != nil; err = c.overloaded() {
		if c.relief == nil {
			c.relief = sync.NewCond(&c.mu)
		}
		if c.stall == nil {
			c.stall = time.AfterFunc(stallTime, func() { c.violation(err) })
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

// handled takes an event of a size off the backlog.
func (c *connection) handled(size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.backlog -= size
	c.relieve()
}

// ended takes note that all handlers of a socket have returned.
func (c *connection) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.living--
	c.relieve()
}

// relieve wakes wait if it need not wait any longer. Called with mu held, after a
// handler has returned.
func (c *connection) relieve() {
	if c.stall != nil {
		c.stall.Reset(stallTime)
	}
	if c.relief != nil && c.overloaded() == nil {
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
