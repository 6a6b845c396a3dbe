package socketio

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// An outgoing is an event on its way to sockets, as JSON: it becomes an emission for
// those of this node, and leaves as Encoded for those of others. The caller has emitted
// it, or it has come from another node.
type outgoing struct {
	enc   *encoder     // holds the JSON
	event string       // these two as OnAnyOutgoing has them
	args  []any        // nil while unit has them
	unit  *packet.Unit // what has come from another node; nil: the caller has emitted it
}

// outgoing encodes an event. If away is set it goes to other nodes too, and what they would
// refuse is an error. The caller releases it.
func (w *wire) outgoing(namespace, event string, args []any, away bool) (outgoing, error) {
	enc, err := w.newEncoder(namespace, func(e *encoder) error {
		err := e.event(event, args)
		switch {
		case err != nil || !away:
			return err
		case len(args) > w.limits.Arguments:
			return errManyArguments
		case packet.DeeperThan(e.buf[e.start:], w.limits.Depth):
			return errDeep
		case w.parser.Binary(): // otherwise newEncoder checks
			return e.check(e.start)
		}
		return nil
	})
	return outgoing{enc: enc, event: event, args: args}, err
}

// incoming returns an event that has come from another node, if it is one. The caller
// releases it.
func (w *wire) incoming(namespace string, event Encoded) (outgoing, error) {
	u := units.Get().(*packet.Unit)
	if err := u.Read(parser.Event, event.Data, event.Attachments, w.limits); err != nil {
		release(u)
		return outgoing{}, err
	}
	enc, _ := w.newEncoder(namespace, func(e *encoder) error {
		e.buf = append(e.buf, u.Data...)
		e.packet.Placeholders = append(e.packet.Placeholders, u.Placeholders...)
		e.packet.Binary = append(e.packet.Binary, u.Binary...)
		return nil
	})
	return outgoing{enc: enc, unit: u}, nil
}

// release gives back the memory of o.
func (o *outgoing) release() {
	o.enc.release()
	if o.unit != nil {
		release(o.unit)
	}
}

// encoded returns o as other nodes get it. It is valid until o is released.
func (o *outgoing) encoded() Encoded {
	p := &o.enc.packet
	return Encoded{Data: o.enc.buf[o.enc.start:], Attachments: p.Binary, Placeholders: p.Placeholders}
}

// emission returns o as clients get it.
func (o *outgoing) emission(n *Namespace, id *uint64, f Flags) *emission {
	return n.server.wire.emission(o.enc, parser.Event, n.name, id, f)
}

// emissionAt is emission with an offset as one more argument, unless that is "".
func (o *outgoing) emissionAt(n *Namespace, offset string, f Flags) *emission {
	if offset == "" {
		return o.emission(n, nil, f)
	}
	bare := o.enc.offset(offset)
	defer o.enc.restore(bare) // also if Options.Parser panics
	return o.emission(n, nil, f)
}

// own makes o independent of the memory of whoever has emitted it, but for what notify
// uses.
func (o *outgoing) own() {
	b := o.enc.packet.Binary
	for i, data := range b {
		b[i] = bytes.Clone(data)
	}
}

// hears reports whether a socket has handlers of OnAnyOutgoing that may be called.
func (s *Socket) hears() bool { return s.watched.Load() && !s.parted.Load() }

// notifyLater calls the handlers of OnAnyOutgoing of a socket on the socket's goroutine.
func (o *outgoing) notifyLater(s *Socket) {
	if !s.hears() {
		return
	}
	u := new(packet.Unit)
	e := o.encoded()
	// It was encoded, or read, before: this can't fail.
	limits := parser.Limits{Attachments: len(e.Attachments), Arguments: math.MaxInt, Depth: math.MaxInt}
	_ = u.Read(parser.Event, e.Data, slices.Clone(e.Attachments), limits)
	s.tellLater(string(u.Name()), readable(u))
}

// notify calls the handlers of OnAnyOutgoing of a socket: on the goroutine of the caller, who has
// emitted the event, or on the socket's if the event has come from another node. What panics,
// ends its goroutine or blocks must not be the adapter's. Called without any lock.
func (o *outgoing) notify(s *Socket) {
	if !s.hears() {
		return
	}
	if o.unit == nil {
		s.notifyOutgoing(o.event, o.args)
		return
	}
	if o.args == nil {
		own(o.unit) // the handlers may keep what they get
		o.event, o.args = string(o.unit.Name()), readable(o.unit)
	}
	s.tellLater(o.event, o.args)
}

// maxUntold is how many events may wait for the handlers of OnAnyOutgoing of a socket.
const maxUntold = 1024

// tellLater calls the handlers of OnAnyOutgoing on the socket's goroutine. They miss the event if
// too many wait already: the goroutine may be busy for long, and the other nodes are not.
func (s *Socket) tellLater(event string, args []any) {
	s.mu.Lock()
	x := s.extra()
	full := x.untold == maxUntold
	if !full {
		x.untold++
	}
	s.mu.Unlock()
	if full {
		return
	}
	s.dispatch(task{do: func() {
		s.mu.Lock()
		x.untold--
		s.mu.Unlock()
		if s.hears() {
			s.notifyOutgoing(event, args)
		}
	}})
}

// readable returns the arguments of u as far as encoding/json can read them. nil stands for
// a number that no float64 holds, and for an argument that has one beside binary data, or
// is nested deeper than 10,000.
func readable(u *packet.Unit) []any {
	args := make([]any, u.Len())
	for i := range args {
		_ = decode(u, i, &args[i])
	}
	return args
}

// own replaces the binary data of u, which is an adapter's, by copies.
func own(u *packet.Unit) {
	for i, data := range u.Binary {
		u.Binary[i] = append([]byte{}, data...)
	}
}

// answer returns arg as an answer to other nodes. The array around it, which counts as one
// level, is not there yet.
func (w *wire) answer(arg any) (Encoded, error) {
	e := encoder{limit: w.limits.Attachments}
	if err := e.value(arg); err != nil {
		return Encoded{}, err
	}
	if packet.DeeperThan(e.buf, w.limits.Depth-1) {
		return Encoded{}, errDeep
	}
	if err := e.check(0); err != nil {
		return Encoded{}, err
	}
	return Encoded{Data: e.buf, Attachments: e.packet.Binary, Placeholders: e.packet.Placeholders}, nil
}

// answerOf returns the first argument of an acknowledgement as an answer. It is valid
// as long as u is.
func answerOf(u *packet.Unit) Encoded {
	if u.Len() == 0 {
		return Encoded{Data: json.RawMessage("null")}
	}
	span := u.Span(0)
	within := u.Within(span)
	if len(within) == 0 {
		return Encoded{Data: u.Arg(0)}
	}
	// The attachments of the other arguments are left out, so the numbers change.
	var e encoder
	e.limit = len(within)
	at := span.Start
	for _, p := range within {
		e.buf = append(e.buf, u.Data[at:p.Start]...)
		_ = e.placeholder(u.Binary[p.Num]) // there are no more than within
		at = p.End
	}
	e.buf = append(e.buf, u.Data[at:span.End]...)
	return Encoded{Data: e.buf, Attachments: e.packet.Binary, Placeholders: e.packet.Placeholders}
}
