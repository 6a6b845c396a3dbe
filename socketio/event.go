package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/socketio/internal/packet"
)

// errEventOver is what Decode returns once the handlers of an event have
// returned.
var errEventOver = errors.New("socket.io: event is over")

// An Event is an event that a client has sent. Its arguments are there until
// the handler returns; Ack may be called later. The methods may be called from
// any goroutine.
type Event struct {
	s        *Socket
	wantsAck bool
	id       uint64

	mu      sync.Mutex
	u       *packet.Unit // nil: the handlers have returned
	readers atomic.Int32 // those who decode u: with no lock, since types may decode themselves
	acked   bool
}

// end takes the arguments away. It reports whether their memory may be used
// again: nobody is still decoding them.
func (e *Event) end() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.u = nil
	return e.readers.Load() == 0
}

// borrow returns the arguments, nil once they are taken away. The caller gives
// them back.
func (e *Event) borrow() *packet.Unit {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.u != nil {
		e.readers.Add(1)
	}
	return e.u
}

func (e *Event) giveBack() { e.readers.Add(-1) }

// Socket returns the socket that the event came from.
func (e *Event) Socket() *Socket { return e.s }

// Context returns the ctx of the socket.
func (e *Event) Context() context.Context { return e.s.Context() }

// Name returns the event's name.
func (e *Event) Name() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.u == nil {
		return ""
	}
	return string(e.u.Name())
}

// Len returns the number of arguments, 0 once the handlers have returned.
func (e *Event) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.u == nil {
		return 0
	}
	return e.u.Len()
}

// Decode reads argument i, from 0 to Len()-1, into v, a pointer, as
// encoding/json does. Binary data goes into a []byte, or into an interface
// value as one, and is not copied: where one attachment stands in two places
// both share it. An argument that did not come leaves v as it is.
func (e *Event) Decode(i int, v any) error {
	u := e.borrow()
	if u == nil {
		return errEventOver
	}
	defer e.giveBack()
	return decode(u, i, v)
}

// Args returns all arguments, as encoding/json decodes them into interface
// values, with binary data as []byte.
func (e *Event) Args() ([]any, error) {
	u := e.borrow()
	if u == nil {
		return nil, errEventOver
	}
	defer e.giveBack()
	return decodeAll(u)
}

// decodeAll decodes all arguments.
func decodeAll(u *packet.Unit) ([]any, error) {
	args := make([]any, u.Len())
	for i := range args {
		if err := decode(u, i, &args[i]); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// WantsAck reports whether the client asks for an acknowledgement.
func (e *Event) WantsAck() bool { return e.wantsAck }

// Ack answers the client, if it asks for that. Only the first call counts. A
// []byte anywhere in args travels as binary. Ack never waits.
func (e *Event) Ack(args ...any) error {
	e.mu.Lock()
	first := !e.acked
	e.acked = true
	e.mu.Unlock()
	if !e.wantsAck || !first {
		return nil
	}
	a, err := newAck(e.s.namespace.name, e.id, args)
	if err != nil {
		return err
	}
	if !e.s.Connected() {
		return errDisconnected
	}
	e.s.conn.send(a)
	return nil
}

// On adds a handler for the events of a name, whose first argument is decoded
// into a T. An argument that did not come is the zero value, more of them are
// ignored. If the argument does not fit T the event is logged and f is not
// called. An error of f is logged. ctx ends with the socket.
//
// For events without arguments T may be any type.
func On[T any](s *Socket, event string, f func(ctx context.Context, arg T) error) {
	need(f != nil, "On: nil function")
	s.OnEvent(event, func(e *Event) error {
		var arg T
		if err := e.Decode(0, &arg); err != nil {
			return err
		}
		return f(e.Context(), arg)
	})
}

// On2 is On for events with two arguments.
func On2[T, U any](s *Socket, event string, f func(ctx context.Context, first T, second U) error) {
	need(f != nil, "On2: nil function")
	s.OnEvent(event, func(e *Event) error {
		var first T
		var second U
		if err := errors.Join(e.Decode(0, &first), e.Decode(1, &second)); err != nil {
			return err
		}
		return f(e.Context(), first, second)
	})
}

// Handle is On for a handler whose result is the acknowledgement, if the
// client asks for one. An error is logged, and the client gets none.
func Handle[In, Out any](s *Socket, event string, f func(ctx context.Context, in In) (Out, error)) {
	need(f != nil, "Handle: nil function")
	s.OnEvent(event, func(e *Event) error {
		var in In
		if err := e.Decode(0, &in); err != nil {
			return err
		}
		out, err := f(e.Context(), in)
		if err != nil {
			return err
		}
		return e.Ack(out)
	})
}

// Args are the arguments of an acknowledgement. They are kept as long as you
// like. Call gives all of them where its type is *Args.
type Args struct{ u *packet.Unit }

// Len returns the number of arguments.
func (a *Args) Len() int { return a.u.Len() }

// Decode is Event.Decode.
func (a *Args) Decode(i int, v any) error { return decode(a.u, i, v) }

// JSON returns argument i, which must not hold binary data, as JSON.
func (a *Args) JSON(i int) json.RawMessage { return a.u.Arg(i) }
