package socketio

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
)

// ErrDisconnected is the error of a Socket's methods once the socket has ended, and of
// a Call whose acknowledgement can't come any more because the Socket or Client was
// disconnected.
var ErrDisconnected = errors.New("socket.io: socket is disconnected")

// A Socket is a client in one namespace. All methods may be called from any
// goroutine.
//
// Middleware and handlers run on a goroutine of the socket's own, one after the
// other, in the order in which things have happened. The socket has that goroutine
// only while there is something to do.
type Socket struct {
	// A broadcast looks at these two, and at the first two fields of actor.
	id      string // fixed once the socket has connected
	session *engineio.Session
	actor   // its mu guards the fields at the end

	conn      *connection
	namespace *Namespace
	*extras   // nil until there are any; guarded by mu if the namespace has no recovery, otherwise constant
	recovered bool
	finished  bool // the handlers know of the end; used by the socket's goroutine alone

	// Guarded by mu:
	state    socketState
	reason   Reason
	welcomed bool // what the connect handlers do for the client is done; constant once state is over

	// Guarded by namespace.rooms.mu:
	left  bool                // the socket is in no room any more
	rooms map[string]struct{} // the rooms that it is in, without the room of its id
}

type socketState uint8

const (
	connecting socketState = iota // the middleware has not returned
	connected
	over
)

func newSocket(c *connection, n *Namespace, auth json.RawMessage) *Socket {
	s := &Socket{session: c.session, conn: c, namespace: n}
	s.owner = s
	if n.recovery != nil || !bytes.Equal(auth, noAuth) {
		s.extras = &extras{auth: auth}
	}
	return s
}

// A Socket owns its actor.
func (s *Socket) side() *side                   { return &s.namespace.server.side }
func (s *Socket) place() (namespace, id string) { return s.namespace.name, s.id }
func (s *Socket) handled(size int)              { s.conn.handled(size) }
func (s *Socket) cork() engineio.Cork           { return s.session.Cork() }

// deaf implements owner: a server that has disconnected a socket wants to hear no more
// of it. Called with mu held.
func (s *Socket) deaf() bool {
	return s.finished || s.state == over && s.reason == ServerNamespaceDisconnect
}

func (s *Socket) answer(a *emission, _ uint64) error {
	if !s.Connected() {
		return ErrDisconnected
	}
	s.conn.send(a)
	return nil
}

// name gives the socket its ids. Like everything that needs a deep stack it runs on
// the socket's goroutine: the stack of the goroutine that reads from the client
// would stay as large as it has once been.
func (s *Socket) name() {
	s.id = s.conn.dialect().id(s)
	if s.namespace.recovery != nil {
		s.track = &track{pid: randomID()}
	}
}

// pid identifies the client when it comes back; "" without recovery.
func (s *Socket) pid() string {
	if s.namespace.recovery == nil {
		return ""
	}
	return s.track.pid
}

// randomID returns 15 bytes from crypto/rand, as 20 characters.
func randomID() string {
	var b [15]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ID returns the socket's id, which the client knows too. A client has another id
// in each namespace.
func (s *Socket) ID() string { return s.id }

// Namespace returns the namespace that the socket is in.
func (s *Socket) Namespace() *Namespace { return s.namespace }

// Connected reports whether the socket has connected and has not ended.
func (s *Socket) Connected() bool { return s.now() == connected }

// now returns the state.
func (s *Socket) now() socketState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Recovered reports whether the client has come back after a moment, with its id,
// rooms and data, and the events that it had missed; see Recovery.
func (s *Socket) Recovered() bool { return s.recovered }

// Transport returns the transport that carries the client's packets: "polling" or
// "websocket".
func (s *Socket) Transport() string { return s.session.Transport() }

// describe returns what FetchSockets returns for s.
func (s *Socket) describe() RemoteSocket {
	return RemoteSocket{n: s.namespace, ID: s.id, Rooms: s.Rooms(), Data: s.cloneData(), Handshake: s.Handshake()}
}

// Join puts the socket into all of the rooms. It puts it into none and returns an
// error if the socket has ended, or if it would be in more than Limits.Rooms.
func (s *Socket) Join(rooms ...string) error {
	if s.now() == over {
		return ErrDisconnected
	}
	err := s.namespace.rooms.join(s, rooms, s.namespace.server.o.Limits.Rooms)
	s.roomsChanged()
	return err
}

// roomsChanged tells the adapter that s has joined or left rooms. Called without any
// lock.
func (s *Socket) roomsChanged() {
	s.namespace.rooms.tell()
	s.changed()
}

// changed tells a SessionWatcher that the session of s has changed. Called without any
// lock.
func (s *Socket) changed() {
	if r := s.namespace.logged(); r != nil && r.watcher != nil && s.settled() {
		r.watcher.SessionChanged(s.id)
	}
}

// settled reports whether the socket is connected, and its connect handlers have returned.
func (s *Socket) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == connected && s.welcomed
}

// Leave takes the socket out of rooms. A socket can't leave the room of its id.
func (s *Socket) Leave(rooms ...string) {
	s.namespace.rooms.leave(s, rooms)
	s.roomsChanged()
}

// Rooms returns the rooms that the socket is in, sorted. Until it is disconnected
// the room of its id is among them.
func (s *Socket) Rooms() []string { return s.namespace.rooms.of(s) }

// Disconnect makes the socket leave its namespace. If connection is set it makes
// all sockets of the client leave theirs, and closes the connection. The
// JavaScript client does not come back by itself. Events of the socket that have
// arrived and were not handled yet are dropped. In middleware, Disconnect(false) refuses
// the client, with the message "Disconnected".
func (s *Socket) Disconnect(connection bool) {
	if !connection {
		s.end(ServerNamespaceDisconnect, errSentAway)
		return
	}
	s.conn.mu.Lock()
	sockets := append([]*Socket{}, s.conn.sockets...)
	s.conn.mu.Unlock()
	for _, x := range sockets {
		x.end(ServerNamespaceDisconnect, nil)
	}
	s.session.Close()
}

// emit sends an event to the client. What middleware emits goes out before the client is
// let in; clients keep it until then.
func (s *Socket) emit(f Flags, event string, args []any) error {
	state := s.now()
	k := s.namespace.keeper()
	kept := k != nil && !f.Volatile && (state == connected || state == over && k.awaits(s))
	if state == over && !kept {
		return ErrDisconnected
	}
	var a Adapter // a Log, which knows no other way, or nil
	if kept && s.namespace.logged() != nil {
		a, _ = s.namespace.remote()
	}
	o, err := s.namespace.server.wire.outgoing(s.namespace.name, event, args, a != nil)
	if err != nil {
		return err
	}
	if kept {
		return s.namespace.emit(&Target{Rooms: []string{s.id}, Flags: f}, &o, a)
	}
	defer o.release()
	e := o.emission(s.namespace, nil, f)
	s.notifyOutgoing(event, args)
	s.send(e, f.Volatile)
	return nil
}

// send sends e to the client. If volatile is set it drops e if that can't leave at
// once.
func (s *Socket) send(e *emission, volatile bool) {
	if !volatile || s.session.Writable() {
		s.conn.send(e)
	}
}

// mayComeBack reports whether the client of a socket that has ended for a reason may come
// back to what it had. It may not if its connect handlers were not done: it would be told
// that it has its rooms and data back, which nobody has given it yet.
func (s *Socket) mayComeBack(reason Reason) bool {
	return s.namespace.recovery != nil && s.welcomed && s.conn.dialect().recovers && reason.recoverable()
}

// gaveUp reports whether the client of a socket that was not let in has itself given up
// waiting: it was lost, or has asked again.
func (s *Socket) gaveUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == over && (s.reason.recoverable() || s.reason == ClientNamespaceDisconnect)
}

// close ends the socket for a reason that the client knows of.
func (s *Socket) close(reason Reason) { s.end(reason, nil) }

// end ends the socket. If it is the server that sends the client away, a DISCONNECT tells the
// client so. A client that has not been let in yet gets refusal instead, as a CONNECT_ERROR, or
// nothing if refusal is nil. The socket's goroutine tells the handlers, after it has handled
// everything that came before the end; if the server has disconnected the socket it drops the
// events that are left.
func (s *Socket) end(reason Reason, refusal error) {
	before := s.now()
	if before == over {
		return
	}
	told, panicked := s.farewell(before, reason, refusal)
	s.mu.Lock()
	if s.state != before { // it was let in meanwhile, or is over
		s.mu.Unlock()
		s.end(reason, refusal)
		return
	}
	s.state, s.reason = over, reason
	// The session lives on: the client may come back while s is in its rooms.
	s.parted.Store(reason == ClientNamespaceDisconnect || reason == ServerNamespaceDisconnect)
	pending := s.pending
	s.pending = nil
	if s.extras != nil && s.cancel != nil {
		s.cancel(&DisconnectError{reason})
	}
	s.mu.Unlock()
	for _, f := range pending {
		f(nil)
	}
	if s.mayComeBack(reason) {
		s.namespace.keeper().lose(s)
	}
	s.conn.left(s, before == connected && reason == ServerNamespaceDisconnect, told) // the client may come back at once
	s.dispatch(task{do: func() { s.ended(before == connected) }})
	if panicked {
		s.session.Close()
	}
}

// farewell returns what tells the client that the socket ends, nil if nothing does. A panic of
// Options.Parser, or of a MarshalJSON, keeps no socket alive: the connection of a client that
// can't be told is closed.
func (s *Socket) farewell(before socketState, reason Reason, refusal error) (told *emission, panicked bool) {
	panicked = true
	defer func() {
		v := recover()
		if !panicked {
			return
		}
		s.namespace.panicked(v)
		if v == nil { // runtime.Goexit, after which nobody closes the connection
			s.session.Close()
		}
	}()
	switch {
	case before == connecting && refusal != nil:
		told = s.refusal(refusal)
	case before == connected && reason == ServerNamespaceDisconnect:
		told = s.namespace.server.wire.newControl(parser.Disconnect, s.namespace.name, nil)
	}
	return told, false
}
