package socketio

import (
	"context"
	"encoding/json"
)

// An Adapter connects a namespace with the same one on other nodes. This node
// does everything for its own sockets first, whether or not an Adapter works:
// the Adapter tells the others, and what the others tell it does to Local.
// Without one there is this node alone.
//
// The methods are called from any goroutine, and must not wait unless they
// have a ctx. What they are given belongs to the caller: args, rooms and
// Target must be encoded before they return, or copied.
type Adapter interface {
	// Broadcast delivers an event to the sockets that t addresses.
	Broadcast(t Target, event string, args []any) error
	// Call delivers an event that asks for acknowledgements. It sends one
	// Replies for each other node as soon as that knows how many clients it
	// asks, and one for each answer, until ctx ends or none is missing, and
	// then returns. nodes is called once, with the number of other nodes,
	// before it.
	Call(ctx context.Context, t Target, event string, args []any, r Replies) error
	// Join and Leave make the sockets that t addresses join and leave rooms.
	Join(t Target, rooms []string) error
	Leave(t Target, rooms []string) error
	// Disconnect makes the sockets that t addresses leave the namespace, or
	// with connection set closes their connections.
	Disconnect(t Target, connection bool) error
	// Fetch returns the sockets that t addresses.
	Fetch(ctx context.Context, t Target) ([]RemoteSocket, error)
	// Rooms returns the rooms that have somebody in them.
	Rooms(ctx context.Context) ([]string, error)
	// ServerSideEmit delivers an event to the other servers. With answers set
	// it returns the first argument of each one's acknowledgement, what came
	// of them if there is an error too.
	ServerSideEmit(ctx context.Context, event string, args []any, answers bool) ([]json.RawMessage, error)
	// Close ends the adapter's work for the namespace.
	Close() error
}

// Replies collect the acknowledgements of other nodes' clients. They may be
// used from any goroutine.
type Replies interface {
	// Expect adds to the number of clients that were asked.
	Expect(clients int)
	// Reply brings the first argument of an acknowledgement, as JSON or, where
	// it was binary as a whole, as []byte.
	Reply(arg any)
}

// A Target says which sockets of a namespace are addressed. It is immutable.
type Target struct {
	Rooms  []string // those in any of them; none: all
	Except []string // but for those in any of these
	Flags  Flags
}

// Flags say how an event is delivered.
type Flags struct {
	Volatile   bool // dropped where it can't leave at once
	Uncompress bool // not compressed
}

// A RemoteSocket describes a socket of any node, as it was a moment ago.
type RemoteSocket struct {
	ID        string
	Rooms     []string
	Data      map[string]any
	Handshake Handshake
}

// Local is a namespace on this node, for its Adapter.
type Local struct{ n *Namespace }

// Name returns the namespace's name, which begins with a slash.
func (l *Local) Name() string { return l.n.name }

// HasRoom reports whether anybody on this node is in a room.
func (l *Local) HasRoom(room string) bool {
	r := &l.n.rooms
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sockets[room] != nil || r.members[room] != nil
}

// Rooms returns the rooms that have somebody of this node in them, sorted.
func (l *Local) Rooms() []string { return l.n.rooms.all() }

// Broadcast delivers an event to the sockets of this node that t addresses.
func (l *Local) Broadcast(t Target, event string, args []any) error {
	return l.n.broadcast(&t, event, args)
}

// Call delivers an event that asks for acknowledgements to the sockets of this
// node that t addresses. expect is called once with their number, reply with
// each answer, until all are there or ctx ends.
func (l *Local) Call(ctx context.Context, t Target, event string, args []any, expect func(clients int), reply func(*Args)) error {
	return l.n.call(ctx, &t, event, args, expect, reply)
}

// Join and Leave make the sockets of this node that t addresses join and leave
// rooms.
func (l *Local) Join(t Target, rooms []string) error { return l.n.joinSockets(&t, rooms) }

// Leave is described with Join.
func (l *Local) Leave(t Target, rooms []string) {
	for _, s := range l.n.rooms.selected(nil, &t) {
		l.n.rooms.leave(s, rooms)
	}
}

// Disconnect makes the sockets of this node that t addresses leave the
// namespace, or with connection set closes their connections.
func (l *Local) Disconnect(t Target, connection bool) {
	for _, s := range l.n.rooms.selected(nil, &t) {
		s.Disconnect(connection)
	}
}

// Fetch returns the sockets of this node that t addresses.
func (l *Local) Fetch(t Target) []RemoteSocket {
	var list []RemoteSocket
	for _, s := range l.n.rooms.selected(nil, &t) {
		list = append(list, s.describe())
	}
	return list
}

// ServerSideEvent hands an event of another server to the handlers of
// OnServerEvent. ack is nil if none was asked for.
func (l *Local) ServerSideEvent(event string, args []json.RawMessage, ack func(arg any)) {
	l.n.serverEvent(event, args, ack)
}
