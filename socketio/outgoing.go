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
	args  []any        // of the caller, until kept is set
	unit  *packet.Unit // what has come from another node; nil: the caller has emitted it
	kept  bool         // args may be kept
}

// outgoing encodes an event. If away is set it goes to other nodes too, and what they would
// refuse is an error. The caller releases it.
func (w *wire) outgoing(namespace, event string, args []any, away bool) (outgoing, error) {
	enc, err := w.newEncoder(namespace, func(e *encoder) error {
		err := e.event(event, args)
		if err == nil && away {
			err = e.refused(len(args))
		}
		if err == nil && away && w.parser.Binary() { // otherwise newEncoder checks
			err = e.check(e.start)
		}
		return err
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

// notify calls the handlers of OnAnyOutgoing of a socket: on the goroutine of the caller, who has
// emitted the event, or later if the event has come from another node. Called without any lock.
func (o *outgoing) notify(s *Socket) {
	if o.unit != nil {
		o.notifyLater(s)
	} else if s.hears() {
		s.notifyOutgoing(o.event, o.args)
	}
}

// notifyLater calls these handlers on the socket's goroutine: what panics, ends its goroutine or
// blocks must not be the adapter's. Since that goroutine may be busy for long, and whoever emits is
// not, the handlers miss the event if too much waits for them already.
func (o *outgoing) notifyLater(s *Socket) {
	if !s.hears() {
		return
	}
	size := o.size()
	if !s.expectUntold(size) {
		return
	}
	o.keep()
	event, args := o.event, o.args
	s.dispatch(task{do: func() {
		s.told(size)
		if !s.finished {
			s.notifyOutgoing(event, args)
		}
	}})
}

// What an event that waits takes beside its text and binary data, in bytes, about: the task, and
// each value of its JSON.
const (
	untoldOverhead = 256
	valueOverhead  = 64
)

// size returns about how much memory an event takes that waits, in bytes.
func (o *outgoing) size() int {
	e := o.encoded()
	values := bytes.Count(e.Data, []byte{','}) + bytes.Count(e.Data, []byte{'['}) + bytes.Count(e.Data, []byte{'{'})
	n := untoldOverhead + len(e.Data) + valueOverhead*values
	for _, data := range e.Attachments {
		n += len(data)
	}
	return n
}

// keep makes event and args independent of the caller's memory, and of the adapter's.
func (o *outgoing) keep() {
	if o.kept {
		return
	}
	u := o.unit
	if u == nil {
		u = new(packet.Unit)
		e := o.encoded()
		// It was encoded before: this can't fail.
		limits := parser.Limits{Attachments: len(e.Attachments), Arguments: math.MaxInt, Depth: math.MaxInt}
		_ = u.Read(parser.Event, e.Data, slices.Clone(e.Attachments), limits)
	}
	own(u)
	o.event, o.args, o.kept = string(u.Name()), readable(u), true
}

// expectUntold reports whether one more event, of a size, may wait for the handlers of
// OnAnyOutgoing. If so it counts until told is called.
func (s *Socket) expectUntold(size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.extra()
	if x.untold != 0 && x.untold+size > s.namespace.server.o.Limits.HandlerQueueBytes {
		return false
	}
	x.untold += size
	return true
}

func (s *Socket) told(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold -= size
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
