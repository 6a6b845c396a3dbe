package socketio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// errDisconnected is what methods of a socket return once it is over.
var errDisconnected = errors.New("socket.io: socket is disconnected")

// A Socket is a client in one namespace. All methods may be called from any
// goroutine.
//
// Its middleware and handlers run on a goroutine of the socket's own, one after
// the other, in the order in which things happened. The socket has one only
// while there is something for it.
type Socket struct {
	// What a broadcast looks at.
	id      string      // fixed once the socket has connected
	watched atomic.Bool // there is a handler for outgoing events
	session *engineio.Session

	conn      *connection
	namespace *Namespace
	auth      json.RawMessage
	pid       string // for recovery, "" if that is off
	recovered bool
	finished  bool // handlers know of the end; belongs to the socket's goroutine

	left  bool                // it is in no room any more; guarded by namespace.rooms, as are
	rooms map[string]struct{} // the rooms beside its own

	mu       sync.Mutex
	state    socketState
	reason   Reason
	data     map[string]any
	ctx      context.Context // nil until somebody asks
	cancel   context.CancelCauseFunc
	pending  map[uint64]func(*packet.Unit) // acknowledgements that are awaited; nil: the socket is over
	handlers handlers
	tasks    []task // for the socket's goroutine
	running  bool   // there is one
}

type socketState uint8

const (
	connecting socketState = iota // middleware has not run to its end
	connected
	over
)

func newSocket(c *connection, n *Namespace, auth json.RawMessage) *Socket {
	return &Socket{session: c.session, conn: c, namespace: n, auth: auth}
}

// name gives the socket its ids. It is done on the socket's goroutine, as is
// all that needs a deep stack: that of the goroutine which reads the client
// would stay as large as it once was.
func (s *Socket) name() {
	s.id = randomID()
	if s.namespace.recovery != nil {
		s.pid = randomID()
	}
}

// randomID returns 15 octets from crypto/rand, as text.
func randomID() string {
	var b [15]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ID returns the socket's id, which its client knows too. It differs in each
// namespace.
func (s *Socket) ID() string { return s.id }

// Namespace returns the namespace that the socket is in.
func (s *Socket) Namespace() *Namespace { return s.namespace }

// Connected reports whether the socket has connected and has not ended.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == connected
}

// Recovered reports whether the client came back to a session that it had lost
// for a moment, with its id, rooms, data and missed events.
func (s *Socket) Recovered() bool { return s.recovered }

// Transport returns what carries the client's packets: "polling" or
// "websocket".
func (s *Socket) Transport() string { return s.session.Transport() }

// A Handshake is what is known of the request and the CONNECT packet that a
// socket came with.
type Handshake struct {
	Header  http.Header // of the request
	Time    time.Time
	Issued  int64  // Time in milliseconds since 1970
	Address string // without a port; behind a proxy, the proxy's
	XDomain bool   // the request bore an Origin
	Secure  bool   // TLS ended at this server
	URL     string // path and query
	Query   url.Values
	Auth    json.RawMessage // a JSON object; not to be modified
}

// Handshake returns what the socket came with. Each call makes it anew, but for
// Auth.
func (s *Socket) Handshake() Handshake {
	h := s.session.Handshake()
	address, _, err := net.SplitHostPort(h.RemoteAddr)
	if err != nil {
		address = h.RemoteAddr
	}
	return Handshake{
		Header: h.Header, Time: h.Time, Issued: h.Time.UnixMilli(), Address: address,
		XDomain: h.Header.Get("Origin") != "", Secure: h.Secure,
		URL: h.URL.RequestURI(), Query: h.URL.Query(), Auth: s.auth,
	}
}

// Context returns a ctx that ends with the socket; its cause is a
// *DisconnectError.
func (s *Socket) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancelCause(context.Background())
		if s.state == over {
			s.cancel(&DisconnectError{s.reason})
		}
	}
	return s.ctx
}

// Set keeps a value with the socket. It travels with FetchSockets, as JSON from
// other nodes, and comes back with recovery.
func (s *Socket) Set(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = make(map[string]any)
	}
	s.data[key] = value
}

// Value returns what Set has kept, nil if there is nothing.
func (s *Socket) Value(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data[key]
}

// describe returns what FetchSockets tells of s.
func (s *Socket) describe() RemoteSocket {
	rooms := s.Rooms()
	s.mu.Lock()
	defer s.mu.Unlock()
	return RemoteSocket{ID: s.id, Rooms: rooms, Data: maps.Clone(s.data), Handshake: s.Handshake()}
}

// Join puts the socket into rooms. It fails once the socket is over, or if it
// would be in more than Limits.Rooms.
func (s *Socket) Join(rooms ...string) error {
	s.mu.Lock()
	gone := s.state == over
	s.mu.Unlock()
	if gone {
		return errDisconnected
	}
	return s.namespace.rooms.join(s, rooms, s.namespace.server.o.Limits.Rooms)
}

// Leave takes the socket out of rooms. The room of its own id can't be left.
func (s *Socket) Leave(rooms ...string) { s.namespace.rooms.leave(s, rooms) }

// Rooms returns the rooms that the socket is in, sorted. There is always that
// of its id, until it is disconnected.
func (s *Socket) Rooms() []string { return s.namespace.rooms.of(s) }

// Disconnect makes the socket leave its namespace, or with connection set
// closes the connection, with all sockets on it. The JavaScript client does
// not come back by itself.
func (s *Socket) Disconnect(connection bool) {
	if !connection {
		s.leaveNamespace()
		return
	}
	s.conn.mu.Lock()
	sockets := append([]*Socket{}, s.conn.sockets...)
	s.conn.mu.Unlock()
	for _, x := range sockets {
		x.leaveNamespace()
	}
	s.session.Close()
}

func (s *Socket) leaveNamespace() {
	here := s.Connected()
	s.conn.left(s, here) // the client may come back at once
	if here {
		s.conn.send(newControl(packet.Disconnect, s.namespace.name, nil))
	}
	s.close(ServerNamespaceDisconnect)
}

// emit sends an event to the client.
func (s *Socket) emit(f Flags, event string, args []any) error {
	if !s.Connected() {
		return errDisconnected
	}
	if s.namespace.recovery != nil && !f.Volatile {
		return s.namespace.broadcast(&Target{Rooms: []string{s.id}, Flags: f}, event, args)
	}
	e, err := newEvent(s.namespace.name, event, args, nil, f)
	if err != nil {
		return err
	}
	s.notifyOutgoing(event, args)
	s.send(e, f.Volatile)
	return nil
}

// send sends what is encoded.
func (s *Socket) send(e *emission, volatile bool) {
	if !volatile || s.session.Writable() {
		s.conn.send(e)
	}
}

// close ends the socket. What handlers have to know they learn on the
// socket's goroutine, behind all that came before.
func (s *Socket) close(reason Reason) {
	s.mu.Lock()
	before := s.state
	if before == over {
		s.mu.Unlock()
		return
	}
	s.state, s.reason = over, reason
	pending := s.pending
	s.pending = nil
	if s.cancel != nil {
		s.cancel(&DisconnectError{reason})
	}
	s.mu.Unlock()
	for _, f := range pending {
		f(nil)
	}
	s.conn.left(s, before == connected && reason == ServerNamespaceDisconnect)
	s.dispatch(task{do: func() { s.ended(before == connected) }})
}
