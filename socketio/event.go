package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// errEventOver is the error of Decode once the handlers of an event have returned.
var errEventOver = errors.New("socket.io: event is over")

// An Event is an event that the other end has sent: a client, or to a Client its
// server. Its arguments can be decoded until
// its handlers have returned; Ack may be called later. The methods may be called
// from any goroutine.
type Event struct {
	a        *actor
	wantsAck bool
	id       uint64
	era      uint64 // see Client.era

	mu      sync.Mutex
	u       *packet.Unit // nil: the handlers have returned
	readers atomic.Int32 // calls that decode u, with no lock held: that calls the user's UnmarshalJSON
	changed bool         // by Replace
	acked   bool
}

// Replace makes the event one with another name and other arguments, for Socket.Use:
// what was received is forgotten, but for the acknowledgement that is asked for. It
// returns an error if args can't be encoded, if the name is reserved, or if the
// handlers have returned.
func (e *Event) Replace(event string, args ...any) error {
	u, err := e.a.owner.side().wire.loop(parser.Event, func(enc *encoder) error { return enc.event(event, args) })
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.u == nil {
		return errEventOver
	}
	e.u, e.changed = u, true
	return nil
}

// replaced reports whether Replace was called.
func (e *Event) replaced() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// end takes the arguments away. It reports whether their memory may be used again,
// which it may if no call still decodes them.
func (e *Event) end() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.u = nil
	return e.readers.Load() == 0
}

// borrow returns the arguments, nil after end. The caller gives them back.
func (e *Event) borrow() *packet.Unit {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.u != nil {
		e.readers.Add(1)
	}
	return e.u
}

func (e *Event) giveBack() { e.readers.Add(-1) }

// Socket returns the socket that the event came from, nil if it came from a server.
func (e *Event) Socket() *Socket {
	s, _ := e.a.owner.(*Socket)
	return s
}

// Client returns the client that has received the event, nil on a server.
func (e *Event) Client() *Client {
	c, _ := e.a.owner.(*Client)
	return c
}

// Context returns the ctx of the Socket or Client.
func (e *Event) Context() context.Context { return e.a.owner.Context() }

// Name returns the event's name.
func (e *Event) Name() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.u == nil {
		return ""
	}
	return string(e.u.Name())
}

// Len returns the number of arguments. It is 0 once the handlers have returned.
func (e *Event) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.u == nil {
		return 0
	}
	return e.u.Len()
}

// Decode reads argument i, from 0 to Len()-1, into v, a pointer, as encoding/json
// does. Binary data is stored in a []byte, or in an interface value as a []byte. It
// belongs to the caller and is not copied: if an attachment is in two places they
// share it. If there is no argument i, Decode leaves v as it is.
func (e *Event) Decode(i int, v any) error {
	u := e.borrow()
	if u == nil {
		return errEventOver
	}
	defer e.giveBack()
	return decode(u, i, v)
}

// Args returns all arguments, as encoding/json decodes them into interface values.
// Binary data is a []byte.
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

// Ack sends the acknowledgement, if the client asks for one. Only the first call
// whose args can be encoded sends it. A []byte anywhere in args travels as binary. Ack
// never waits.
func (e *Event) Ack(args ...any) error {
	if !e.wantsAck || e.answered() {
		return nil
	}
	// No lock is held yet: encoding calls the user's MarshalJSON.
	namespace, _ := e.a.owner.place()
	a, err := e.a.owner.side().wire.newAck(namespace, e.id, args)
	if err != nil {
		return err
	}
	e.mu.Lock()
	first := !e.acked
	e.acked = true
	e.mu.Unlock()
	if !first {
		return nil
	}
	return e.a.owner.answer(a, e.era)
}

// answered reports whether Ack has sent the acknowledgement.
func (e *Event) answered() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.acked
}

// fit decodes the first arguments into targets.
func (e *Event) fit(targets ...any) error {
	for i, t := range targets {
		if err := e.Decode(i, t); err != nil {
			return &argumentError{err}
		}
	}
	return nil
}

// Args are the arguments of an acknowledgement. They belong to the caller. Call
// returns them if its type parameter is *Args.
type Args struct{ u *packet.Unit }

// Len returns the number of arguments.
func (a *Args) Len() int { return a.u.Len() }

// Decode reads argument i into v; see Event.Decode.
func (a *Args) Decode(i int, v any) error { return decode(a.u, i, v) }

// JSON returns the JSON of argument i, from 0 to Len()-1, which must not hold
// binary data.
func (a *Args) JSON(i int) json.RawMessage { return a.u.Arg(i) }
