package socketio

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/parleyws/parley/socketio/internal/packet"
)

// Local is a namespace on this node, for its Adapter. Its methods may be called from
// any goroutine, and don't wait. They judge whatever they are given, since a broker may
// be anybody's, and keep nothing of it; errors are of type *parser.Error if it breaks a
// rule of the protocol. A panic of Options.Parser is logged and becomes an error: the goroutine
// is the adapter's, and without that the process would end.
type Local struct{ n *Namespace }

// errPanicked is returned for an event at which Options.Parser has panicked.
var errPanicked = errors.New("socket.io: panic while encoding")

// survived is deferred. It turns a panic into an error.
func (n *Namespace) survived(err *error) {
	if v := recover(); v != nil {
		n.panicked(v)
		*err = errPanicked
	}
}

// panicked logs a panic with something that was to be encoded. v is nil after runtime.Goexit.
func (n *Namespace) panicked(v any) {
	if v == nil {
		v = "runtime.Goexit was called"
	}
	n.server.o.Logger.Error("socket.io: panic while encoding", "panic", v, "namespace", n.name, "stack", string(debug.Stack()))
}

// Name returns the namespace's name, which begins with a slash.
func (l *Local) Name() string { return l.n.name }

// HasRoom reports whether a socket of this node is in a room, or was and its client may
// come back.
func (l *Local) HasRoom(room string) bool { return l.n.rooms.has(room) }

// Rooms returns the rooms that sockets of this node are in, sorted.
func (l *Local) Rooms() []string { return l.n.rooms.all() }

// Broadcast delivers an event to the sockets of this node that t addresses. An adapter that
// reads many events at once uses a Batch instead.
func (l *Local) Broadcast(t Target, event Encoded) error { return l.broadcast(nil, t, event) }

func (l *Local) broadcast(b *Batch, t Target, event Encoded) (err error) {
	defer l.n.survived(&err)
	o, err := l.n.server.wire.incoming(l.n.name, event)
	if err != nil {
		return err
	}
	defer o.release()
	l.n.broadcast(&t, &o, b)
	return nil
}

// Call delivers an event that asks for acknowledgements to the sockets of this node that
// t addresses, of which there are clients. Unless there is an error the caller calls
// wait, once: that calls reply with the first argument of each acknowledgement, valid
// until reply returns, and returns when none is missing, or when ctx ends.
func (l *Local) Call(t Target, event Encoded) (clients int, wait func(ctx context.Context, reply func(Encoded)) error, err error) {
	defer l.n.survived(&err)
	o, err := l.n.server.wire.incoming(l.n.name, event)
	if err != nil {
		return 0, nil, err
	}
	defer o.release()
	c := l.n.callAll(&t, &o)
	return c.clients, func(ctx context.Context, reply func(Encoded)) error {
		return c.wait(ctx, func(u *packet.Unit) { reply(answerOf(u)) })
	}, nil
}

// Join makes the sockets of this node that t addresses join rooms. It tries all of
// them and returns the first error.
func (l *Local) Join(t Target, rooms []string) (err error) {
	for _, s := range l.n.rooms.selected(nil, &t) {
		if e := s.Join(rooms...); err == nil {
			err = e
		}
	}
	return err
}

// Leave makes the sockets of this node that t addresses leave rooms.
func (l *Local) Leave(t Target, rooms []string) {
	for _, s := range l.n.rooms.selected(nil, &t) {
		s.Leave(rooms...)
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

// ServerSideEvent hands an event of another server to the handlers of OnServerEvent,
// which run after it has returned, one event after the other. answer, which may be
// nil, is called at most once, with what a handler acknowledges the event with, from
// any goroutine. The event is dropped, which is an error, if too many wait.
func (l *Local) ServerSideEvent(event Encoded, answer func(Encoded)) error {
	return l.n.serverEvents.add(event, answer)
}
