package socketio

import (
	"context"
	"errors"
	"slices"
	"time"
)

// An Emitter says which sockets an event goes to, and how. It is an immutable
// value, which may be kept and used again, and refined further, from any
// goroutine:
//
//	s.To("a").Except("b").Volatile().Emit("event")
//
// Called on a socket, the methods To, In, Except, Local and Broadcast address other
// sockets: that socket is left out. Volatile, Compress and Timeout alone address
// the socket itself. Called on a namespace or server, no method leaves out a
// socket.
type Emitter struct {
	n       *Namespace
	self    *Socket // the socket that it was made from; nil: it was made from a namespace
	others  bool    // self is left out; otherwise only self is addressed
	local   bool
	t       Target
	timeout time.Duration
}

// An Endpoint is something that events can be sent to: a *Socket, *Namespace,
// *Server or Emitter.
type Endpoint interface{ emitter() Emitter }

func (e Emitter) emitter() Emitter    { return e }
func (n *Namespace) emitter() Emitter { return Emitter{n: n} }
func (s *Socket) emitter() Emitter    { return Emitter{n: s.namespace, self: s} }

// To addresses the sockets in any of the rooms, in addition to those in rooms that
// e addresses already.
func (e Emitter) To(rooms ...string) Emitter {
	e.t.Rooms = slices.Concat(e.t.Rooms, rooms)
	e.others = true
	return e
}

// In is the same as To.
func (e Emitter) In(rooms ...string) Emitter { return e.To(rooms...) }

// Except leaves out the sockets in any of the rooms.
func (e Emitter) Except(rooms ...string) Emitter {
	e.t.Except = slices.Concat(e.t.Except, rooms)
	e.others = true
	return e
}

// Local addresses sockets of this node only.
func (e Emitter) Local() Emitter {
	e.local, e.others = true, true
	return e
}

// Broadcast addresses all sockets but the one that e was made from.
func (e Emitter) Broadcast() Emitter {
	e.others = true
	return e
}

// Volatile drops the event for each socket to which it can't leave at once: on
// long-polling because no request waits, on WebSocket because something is still
// unsent.
func (e Emitter) Volatile() Emitter {
	e.t.Flags.Volatile = true
	return e
}

// Compress says whether the event may be compressed, which by default it may.
// Nothing is compressed unless Options.Engine.Deflate is set.
func (e Emitter) Compress(on bool) Emitter {
	e.t.Flags.Uncompress = !on
	return e
}

// Timeout sets how long Call and CallAll wait for acknowledgements.
func (e Emitter) Timeout(d time.Duration) Emitter {
	e.timeout = d
	return e
}

// single reports whether e addresses only the socket that it was made from.
func (e *Emitter) single() bool { return e.self != nil && !e.others }

// target returns which sockets are addressed.
func (e *Emitter) target() Target {
	t := e.t
	if e.self == nil {
		return t
	}
	if e.others {
		t.Except = append(t.Except[:len(t.Except):len(t.Except)], e.self.id)
	} else {
		t.Rooms = []string{e.self.id}
	}
	return t
}

// spaces returns the namespaces that are addressed: for a template, those that were
// made from it. The caller releases them.
func (e *Emitter) spaces() (list []*Namespace, release func()) {
	if e.n.name == "" {
		return e.n.children()
	}
	n, release := e.n.acquire()
	return []*Namespace{n}, release
}

// remote returns the adapter of one of the spaces, nil if there is none or if only
// this node is addressed.
func (e *Emitter) remote(n *Namespace) (Adapter, error) {
	if e.local || e.single() {
		return nil, nil
	}
	return n.remote()
}

// Emit sends an event, which is encoded once. A []byte anywhere in args travels
// as binary, up to Limits.Attachments of them. Emit never waits, and does not
// keep args. It returns an error if args can't be encoded, if the name is
// reserved, if only one socket is addressed and has ended, or if the adapter
// fails; in the last case the sockets of this node get the event. An object that clients
// would take for a placeholder of binary data can't be encoded beside such data. With
// Options.Adapter what other nodes would refuse is an error, and nobody gets it: such an
// object, more than MaxArguments, or what is nested deeper than MaxDepth.
func (e Emitter) Emit(event string, args ...any) error {
	if e.single() {
		return e.self.emit(e.t.Flags, event, args)
	}
	t := e.target()
	if e.n.name != "" {
		n, release := e.n.acquire()
		defer release()
		return e.emitIn(n, &t, event, args)
	}
	children, release := e.n.children()
	defer release()
	var first error
	for _, n := range children {
		if err := e.emitIn(n, &t, event, args); first == nil {
			first = err
		}
	}
	return first
}

func (e *Emitter) emitIn(n *Namespace, t *Target, event string, args []any) error {
	a, failed := e.remote(n)
	o, err := n.server.wire.outgoing(n.name, event, args, a != nil)
	if err != nil {
		return err
	}
	if err := n.emit(t, &o, a); err != nil {
		return err
	}
	return failed
}

// FetchSockets returns the addressed sockets of all nodes.
func (e Emitter) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	t := e.target()
	var list []RemoteSocket
	spaces, release := e.spaces()
	defer release()
	for _, n := range spaces {
		list = append(list, (&Local{n}).Fetch(t)...)
		a, err := e.remote(n)
		if a != nil {
			var more []RemoteSocket
			more, err = a.Fetch(ctx, t)
			for i := range more {
				more[i].n = n
			}
			list = append(list, more...)
		}
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// each calls here for the addressed sockets of this node, and there for those of
// other nodes.
func (e *Emitter) each(here func(*Local, Target) error, there func(Adapter, Target) error) error {
	t := e.target()
	var errs []error
	spaces, release := e.spaces()
	defer release()
	for _, n := range spaces {
		errs = append(errs, here(&Local{n}, t))
		a, err := e.remote(n)
		if a != nil {
			err = there(a, t)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// SocketsJoin makes the addressed sockets join rooms.
func (e Emitter) SocketsJoin(rooms ...string) error {
	return e.each(func(l *Local, t Target) error { return l.Join(t, rooms) },
		func(a Adapter, t Target) error { return a.Join(t, rooms) })
}

// SocketsLeave makes the addressed sockets leave rooms.
func (e Emitter) SocketsLeave(rooms ...string) error {
	return e.each(func(l *Local, t Target) error { l.Leave(t, rooms); return nil },
		func(a Adapter, t Target) error { return a.Leave(t, rooms) })
}

// DisconnectSockets makes the addressed sockets leave the namespace. If connection
// is set it closes their connections instead.
func (e Emitter) DisconnectSockets(connection bool) error {
	return e.each(func(l *Local, t Target) error { l.Disconnect(t, connection); return nil },
		func(a Adapter, t Target) error { return a.Disconnect(t, connection) })
}

// A Namespace has the methods of an Emitter that addresses all its sockets.

// To addresses the sockets in any of the rooms.
func (n *Namespace) To(rooms ...string) Emitter { return n.emitter().To(rooms...) }

// In is the same as To.
func (n *Namespace) In(rooms ...string) Emitter { return n.emitter().To(rooms...) }

// Except addresses the sockets that are in none of the rooms.
func (n *Namespace) Except(rooms ...string) Emitter { return n.emitter().Except(rooms...) }

// Local addresses the sockets of this node.
func (n *Namespace) Local() Emitter { return n.emitter().Local() }

// Volatile addresses all sockets; see Emitter.Volatile.
func (n *Namespace) Volatile() Emitter { return n.emitter().Volatile() }

// Compress addresses all sockets; see Emitter.Compress.
func (n *Namespace) Compress(on bool) Emitter { return n.emitter().Compress(on) }

// Timeout addresses all sockets; see Emitter.Timeout.
func (n *Namespace) Timeout(d time.Duration) Emitter { return n.emitter().Timeout(d) }

// Emit sends an event to all sockets; see Emitter.Emit.
func (n *Namespace) Emit(event string, args ...any) error { return n.emitter().Emit(event, args...) }

// FetchSockets returns all sockets, of all nodes.
func (n *Namespace) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	return n.emitter().FetchSockets(ctx)
}

// SocketsJoin makes all sockets join rooms.
func (n *Namespace) SocketsJoin(rooms ...string) error { return n.emitter().SocketsJoin(rooms...) }

// SocketsLeave makes all sockets leave rooms.
func (n *Namespace) SocketsLeave(rooms ...string) error { return n.emitter().SocketsLeave(rooms...) }

// DisconnectSockets makes all sockets leave the namespace. If connection is set it
// closes their connections instead.
func (n *Namespace) DisconnectSockets(connection bool) error {
	return n.emitter().DisconnectSockets(connection)
}

// A Socket has the methods of an Emitter too.

// To addresses the sockets in any of the rooms, but not s.
func (s *Socket) To(rooms ...string) Emitter { return s.emitter().To(rooms...) }

// In is the same as To.
func (s *Socket) In(rooms ...string) Emitter { return s.emitter().To(rooms...) }

// Except addresses the sockets that are in none of the rooms, but not s.
func (s *Socket) Except(rooms ...string) Emitter { return s.emitter().Except(rooms...) }

// Local addresses the sockets of this node, but not s.
func (s *Socket) Local() Emitter { return s.emitter().Local() }

// Broadcast addresses all sockets but s.
func (s *Socket) Broadcast() Emitter { return s.emitter().Broadcast() }

// Volatile addresses s; see Emitter.Volatile.
func (s *Socket) Volatile() Emitter { return s.emitter().Volatile() }

// Compress addresses s; see Emitter.Compress.
func (s *Socket) Compress(on bool) Emitter { return s.emitter().Compress(on) }

// Timeout addresses s; see Emitter.Timeout.
func (s *Socket) Timeout(d time.Duration) Emitter { return s.emitter().Timeout(d) }

// Emit sends an event to the client; see Emitter.Emit.
func (s *Socket) Emit(event string, args ...any) error { return s.emit(Flags{}, event, args) }
