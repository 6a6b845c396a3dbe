package socketio

import (
	"context"
	"encoding/json"
)

// An Adapter connects a namespace with the same namespace on other nodes. Each
// node serves its own sockets itself, whether or not the Adapter works. The
// Adapter passes on to the other nodes what its methods are told, and does to
// Local what the other nodes tell it. Without an Adapter there is one node.
//
// The methods are called from any goroutine, with no lock held. A method without
// a ctx must not wait. The arguments belong to the caller: a method encodes or
// copies args, rooms and Target before it returns.
type Adapter interface {
	// Broadcast delivers an event to the sockets that t addresses.
	Broadcast(t Target, event string, args []any) error
	// Call delivers an event that asks for acknowledgements. For each other node
	// it calls r.Expect, as soon as the node knows how many clients it asks, and
	// for each acknowledgement r.Reply. It returns when none is missing, or when
	// ctx ends.
	Call(ctx context.Context, t Target, event string, args []any, r Replies) error
	// Join makes the sockets that t addresses join rooms.
	Join(t Target, rooms []string) error
	// Leave makes the sockets that t addresses leave rooms.
	Leave(t Target, rooms []string) error
	// Disconnect makes the sockets that t addresses leave the namespace. If
	// connection is set it closes their connections instead.
	Disconnect(t Target, connection bool) error
	// Fetch returns the sockets that t addresses.
	Fetch(ctx context.Context, t Target) ([]RemoteSocket, error)
	// Rooms returns the rooms that are not empty.
	Rooms(ctx context.Context) ([]string, error)
	// ServerSideEmit delivers an event to the other servers. If answers is set it
	// returns the first argument of each server's acknowledgement; with an error
	// it returns those that have come.
	ServerSideEmit(ctx context.Context, event string, args []any, answers bool) ([]json.RawMessage, error)
	// Close ends the adapter's work for the namespace.
	Close() error
}

// Replies collects the acknowledgements of other nodes' clients. Its methods may
// be called from any goroutine.
type Replies interface {
	// Expect adds to the number of clients that were asked.
	Expect(clients int)
	// Reply takes the first argument of an acknowledgement: a []byte if all of it
	// was binary, and JSON otherwise.
	Reply(arg any)
}

// A Target says which sockets of a namespace are addressed, and how. It must not
// be modified.
type Target struct {
	Rooms  []string // the sockets in any of these rooms; none: all sockets
	Except []string // without the sockets in any of these rooms
	Flags  Flags
}

// Flags say how an event is delivered.
type Flags struct {
	Volatile   bool // drop the event for sockets to which it can't leave at once
	Uncompress bool // don't compress the event
}

// Local is a namespace on this node, for its Adapter.
type Local struct{ n *Namespace }

// Name returns the namespace's name, which begins with a slash.
func (l *Local) Name() string { return l.n.name }

// HasRoom reports whether a socket of this node is in a room.
func (l *Local) HasRoom(room string) bool {
	r := &l.n.rooms
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sockets[room] != nil || r.members[room] != nil
}

// Rooms returns the rooms that sockets of this node are in, sorted.
func (l *Local) Rooms() []string { return l.n.rooms.all() }

// Broadcast delivers an event to the sockets of this node that t addresses.
func (l *Local) Broadcast(t Target, event string, args []any) error {
	return l.n.broadcast(&t, event, args)
}

// Call delivers an event that asks for acknowledgements to the sockets of this
// node that t addresses. It calls expect once, with their number, and reply with
// each acknowledgement. It returns when none is missing, or when ctx ends.
func (l *Local) Call(ctx context.Context, t Target, event string, args []any, expect func(clients int), reply func(*Args)) error {
	return l.n.callAll(ctx, &t, event, args, expect, reply)
}

// Join makes the sockets of this node that t addresses join rooms.
func (l *Local) Join(t Target, rooms []string) error { return l.n.joinSockets(&t, rooms) }

// Leave makes the sockets of this node that t addresses leave rooms.
func (l *Local) Leave(t Target, rooms []string) {
	for _, s := range l.n.rooms.selected(nil, &t) {
		l.n.rooms.leave(s, rooms)
	}
}

// Disconnect makes the sockets of this node that t addresses leave the
// namespace. If connection is set it closes their connections instead.
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
// OnServerEvent. ack is nil if the other server wants no acknowledgement.
func (l *Local) ServerSideEvent(event string, args []json.RawMessage, ack func(arg any)) {
	l.n.serverEvent(event, args, ack)
}
