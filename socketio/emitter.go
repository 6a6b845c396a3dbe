package socketio

import (
	"context"
	"errors"
	"slices"
	"time"
)

// An Emitter says to whom events go, and how. It is an immutable value, which
// may be kept, used again and refined further, from any goroutine:
//
//	s.To("a").Except("b").Volatile().Emit("event")
//
// From a socket, To, In, Except, Local and Broadcast address others: that
// socket is left out. Volatile, Compress and Timeout alone address the socket
// itself. From a namespace or server nobody is left out.
type Emitter struct {
	n       *Namespace
	self    *Socket // that it comes from, nil for a namespace
	others  bool    // self is left out; else it is the only one
	local   bool
	t       Target
	timeout time.Duration
}

// An Endpoint is what events can be sent to: a *Socket, *Namespace, *Server or
// Emitter.
type Endpoint interface{ emitter() Emitter }

func (e Emitter) emitter() Emitter    { return e }
func (n *Namespace) emitter() Emitter { return Emitter{n: n} }
func (s *Socket) emitter() Emitter    { return Emitter{n: s.namespace, self: s} }

// To addresses the sockets in any of the rooms, beside those in rooms that
// were named before.
func (e Emitter) To(rooms ...string) Emitter {
	e.t.Rooms = slices.Concat(e.t.Rooms, rooms)
	e.others = true
	return e
}

// In is To.
func (e Emitter) In(rooms ...string) Emitter { return e.To(rooms...) }

// Except leaves out the sockets in any of the rooms.
func (e Emitter) Except(rooms ...string) Emitter {
	e.t.Except = slices.Concat(e.t.Except, rooms)
	e.others = true
	return e
}

// Local addresses sockets of this node alone.
func (e Emitter) Local() Emitter {
	e.local, e.others = true, true
	return e
}

// Broadcast addresses all others.
func (e Emitter) Broadcast() Emitter {
	e.others = true
	return e
}

// Volatile drops events where they can't leave at once: no request waits for
// them, or something is still unsent.
func (e Emitter) Volatile() Emitter {
	e.t.Flags.Volatile = true
	return e
}

// Compress says whether events may be compressed, where Options.Engine.Deflate
// is set. They may by default.
func (e Emitter) Compress(on bool) Emitter {
	e.t.Flags.Uncompress = !on
	return e
}

// Timeout is how long Call and CallAll wait for acknowledgements.
func (e Emitter) Timeout(d time.Duration) Emitter {
	e.timeout = d
	return e
}

// single reports whether e addresses nobody but the socket it comes from.
func (e *Emitter) single() bool { return e.self != nil && !e.others }

// target returns who is addressed.
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

// spaces returns the namespaces that are addressed: of a template, those that
// clients have made.
func (e *Emitter) spaces() []*Namespace {
	if e.n.name == "" {
		return e.n.children()
	}
	return []*Namespace{e.n}
}

// Emit sends an event, which is encoded once. A []byte anywhere in args travels
// as binary, at most ten of them. Emit never waits; args are not kept. An
// error says that args can't be encoded, that the name is reserved, that the
// one socket is gone, or that the adapter failed; who else was addressed has
// got the event then.
func (e Emitter) Emit(event string, args ...any) error {
	if e.single() {
		return e.self.emit(e.t.Flags, event, args)
	}
	t := e.target()
	if e.n.name != "" {
		return e.emitIn(e.n, &t, event, args)
	}
	for _, n := range e.n.children() {
		if err := e.emitIn(n, &t, event, args); err != nil {
			return err
		}
	}
	return nil
}

func (e *Emitter) emitIn(n *Namespace, t *Target, event string, args []any) error {
	if err := n.broadcast(t, event, args); err != nil || n.adapter == nil || e.local {
		return err
	}
	return n.adapter.Broadcast(*t, event, args)
}

// FetchSockets returns the sockets that are addressed, of all nodes.
func (e Emitter) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	t := e.target()
	var list []RemoteSocket
	for _, n := range e.spaces() {
		list = append(list, (&Local{n}).Fetch(t)...)
		if n.adapter == nil || e.local || e.single() {
			continue
		}
		more, err := n.adapter.Fetch(ctx, t)
		list = append(list, more...)
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// each does something with the sockets that are addressed, here and elsewhere.
func (e *Emitter) each(here func(*Local, Target) error, there func(Adapter, Target) error) error {
	t := e.target()
	var errs []error
	for _, n := range e.spaces() {
		errs = append(errs, here(&Local{n}, t))
		if n.adapter != nil && !e.local && !e.single() {
			errs = append(errs, there(n.adapter, t))
		}
	}
	return errors.Join(errs...)
}

// SocketsJoin makes the sockets that are addressed join rooms.
func (e Emitter) SocketsJoin(rooms ...string) error {
	return e.each(func(l *Local, t Target) error { return l.Join(t, rooms) },
		func(a Adapter, t Target) error { return a.Join(t, rooms) })
}

// SocketsLeave makes the sockets that are addressed leave rooms.
func (e Emitter) SocketsLeave(rooms ...string) error {
	return e.each(func(l *Local, t Target) error { l.Leave(t, rooms); return nil },
		func(a Adapter, t Target) error { return a.Leave(t, rooms) })
}

// DisconnectSockets makes the sockets that are addressed leave the namespace,
// or with connection set closes their connections.
func (e Emitter) DisconnectSockets(connection bool) error {
	return e.each(func(l *Local, t Target) error { l.Disconnect(t, connection); return nil },
		func(a Adapter, t Target) error { return a.Disconnect(t, connection) })
}

// The methods of a Namespace that address its sockets are those of Emitter.

// To addresses the sockets in any of the rooms.
func (n *Namespace) To(rooms ...string) Emitter { return n.emitter().To(rooms...) }

// In is To.
func (n *Namespace) In(rooms ...string) Emitter { return n.emitter().To(rooms...) }

// Except addresses the sockets that are in none of the rooms.
func (n *Namespace) Except(rooms ...string) Emitter { return n.emitter().Except(rooms...) }

// Local addresses the sockets of this node.
func (n *Namespace) Local() Emitter { return n.emitter().Local() }

// Volatile addresses all sockets, for events that may be dropped.
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

// DisconnectSockets makes all sockets leave the namespace, or with connection
// set closes their connections.
func (n *Namespace) DisconnectSockets(connection bool) error {
	return n.emitter().DisconnectSockets(connection)
}

// Those of a Socket, which are described with Emitter:

// To addresses the sockets in any of the rooms, but not s.
func (s *Socket) To(rooms ...string) Emitter { return s.emitter().To(rooms...) }

// In is To.
func (s *Socket) In(rooms ...string) Emitter { return s.emitter().To(rooms...) }

// Except addresses the sockets that are in none of the rooms, but not s.
func (s *Socket) Except(rooms ...string) Emitter { return s.emitter().Except(rooms...) }

// Local addresses the sockets of this node, but not s.
func (s *Socket) Local() Emitter { return s.emitter().Local() }

// Broadcast addresses all sockets but s.
func (s *Socket) Broadcast() Emitter { return s.emitter().Broadcast() }

// Volatile addresses s, for events that may be dropped.
func (s *Socket) Volatile() Emitter { return s.emitter().Volatile() }

// Compress addresses s; see Emitter.Compress.
func (s *Socket) Compress(on bool) Emitter { return s.emitter().Compress(on) }

// Timeout addresses s; see Emitter.Timeout.
func (s *Socket) Timeout(d time.Duration) Emitter { return s.emitter().Timeout(d) }

// Emit sends an event to the client; see Emitter.Emit.
func (s *Socket) Emit(event string, args ...any) error { return s.emit(Flags{}, event, args) }
