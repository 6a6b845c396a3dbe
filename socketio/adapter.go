package socketio

import "context"

// An Adapter connects a namespace with the same namespace on other nodes. Each
// node serves its own sockets itself, whether or not the Adapter works. The
// Adapter passes on to the other nodes what its methods are told, and does to
// Local what the other nodes tell it. Without an Adapter there is one node.
//
// The methods are called from any goroutine, with no lock held. A method without
// a ctx must not wait. The arguments belong to the caller and must not be modified:
// a method encodes or copies Target, Encoded and rooms before it returns.
//
// The tests of package adaptertest say what an Adapter must do, and try it. An Adapter
// may also be a RoomWatcher.
type Adapter interface {
	// Broadcast delivers an event to the sockets that t addresses.
	Broadcast(t Target, event Encoded) error
	// Call delivers an event that asks for acknowledgements. For each other node
	// it calls r.Expect, as soon as the node knows how many clients it asks, and
	// for each acknowledgement r.Reply. It returns when none is missing, or when
	// ctx ends, which it always does.
	Call(ctx context.Context, t Target, event Encoded, r Replies) error
	// Join makes the sockets that t addresses join rooms.
	Join(t Target, rooms []string) error
	// Leave makes the sockets that t addresses leave rooms.
	Leave(t Target, rooms []string) error
	// Disconnect makes the sockets that t addresses leave the namespace. If
	// connection is set it closes their connections instead.
	Disconnect(t Target, connection bool) error
	// Fetch returns the sockets that t addresses; with an error, those that have come.
	Fetch(ctx context.Context, t Target) ([]RemoteSocket, error)
	// Rooms returns the rooms that are not empty. An adapter that can't say returns
	// errors.ErrUnsupported.
	Rooms(ctx context.Context) ([]string, error)
	// Nodes returns how many nodes have the namespace, this one counted.
	Nodes(ctx context.Context) (int, error)
	// ServerSideEmit delivers an event to the other servers.
	ServerSideEmit(event Encoded) error
	// ServerSideCall delivers an event to the other servers. It calls r.Expect once,
	// with their number, and r.Reply with the answer of each. It returns when none is
	// missing, or when ctx ends, which it always does.
	ServerSideCall(ctx context.Context, event Encoded, r Replies) error
	// Close ends the adapter's work for the namespace: what it was told before still
	// leaves, and when it returns Local is used no more. If ctx ends first it drops
	// what is left and returns the error of ctx. The other methods may still be called
	// meanwhile and afterwards, for instance by a goroutine that emits: they do nothing
	// then, or return an error. A new adapter for a namespace of the same name may be
	// made before Close has returned.
	Close(ctx context.Context) error
}

// A RoomWatcher is an Adapter that wants to know which rooms have members on this
// node, the rooms of the sockets' ids among them. A client that may come back, with
// Options.Recovery, remains a member.
type RoomWatcher interface {
	Adapter
	// RoomsChanged is told of rooms that have got their first member, and of rooms
	// that have lost their last one. Calls come one after the other, in the order in
	// which that has happened, with no lock held; a room that changes back before
	// the call is left out. A socket may be in a room for a moment before the call.
	// RoomsChanged must not wait. Close is called after the last call of RoomsChanged has
	// returned, unless the ctx of Close ends first.
	RoomsChanged(opened, closed []string)
}

// Replies collects the acknowledgements of other nodes' clients, or the answers of
// other servers. Its methods may be called from any goroutine.
type Replies interface {
	// Expect adds to the number of answers that are expected.
	Expect(answers int)
	// Reply takes an answer, of which it keeps nothing.
	Reply(Encoded)
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
