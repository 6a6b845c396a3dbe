package socketio

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// A ServerEvent is an event that another server has sent with ServerSideEmit or
// ServerSideCall. Its methods may be called from any goroutine, also after the handler
// has returned.
type ServerEvent struct {
	n      *Namespace
	u      *packet.Unit
	answer func(Encoded) // nil: the other server wants none
	acked  atomic.Bool
}

// Len returns the number of arguments.
func (e *ServerEvent) Len() int { return e.u.Len() }

// Decode reads argument i, from 0 to Len()-1, into v; see Event.Decode.
func (e *ServerEvent) Decode(i int, v any) error { return decode(e.u, i, v) }

// WantsAck reports whether the other server asks for an acknowledgement.
func (e *ServerEvent) WantsAck() bool { return e.answer != nil }

// Ack sends the acknowledgement, if the other server asks for one. Only the first call
// whose arg can be encoded sends it. A []byte anywhere in arg travels as binary.
func (e *ServerEvent) Ack(arg any) error {
	if e.answer == nil {
		return nil
	}
	encoded, err := e.n.server.wire.answer(arg)
	if err != nil {
		return err
	}
	if e.acked.CompareAndSwap(false, true) {
		e.answer(encoded)
	}
	return nil
}

// OnServerEvent adds a handler for events of other servers. The handlers of a namespace
// run one after the other, on a goroutine of their own. A panic of the handler is
// logged, and that is all.
func (n *Namespace) OnServerEvent(event string, f func(*ServerEvent)) {
	need(f != nil, "OnServerEvent: nil function")
	n.register(false, func(n *Namespace) { n.serverEvents.handle(event, f) })
}

// serverEvents holds the handlers of OnServerEvent of a namespace, and the events that
// wait for them.
type serverEvents struct {
	n *Namespace

	mu       sync.Mutex
	handlers map[string][]func(*ServerEvent)
	waiting  []*ServerEvent
	bytes    int  // the size of those that wait, and of the one that is handled
	running  bool // there is a goroutine
}

func (q *serverEvents) handle(event string, f func(*ServerEvent)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.handlers == nil {
		q.handlers = make(map[string][]func(*ServerEvent))
	}
	q.handlers[event] = append(q.handlers[event], f)
}

// any reports whether there are handlers.
func (q *serverEvents) any() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.handlers != nil
}

// errServerEvents is the error for an event of another server that comes while too many
// wait.
var errServerEvents error = &parser.Error{Reason: "more than Limits.HandlerQueueBytes of other servers' events wait for handlers"}

// add is Local.ServerSideEvent.
func (q *serverEvents) add(event Encoded, answer func(Encoded)) error {
	server := q.n.server
	e := &ServerEvent{n: q.n, u: new(packet.Unit), answer: answer}
	if err := e.u.Read(parser.Event, event.Data, event.Attachments, server.wire.limits); err != nil {
		return err
	}
	q.mu.Lock()
	if len(q.handlers[string(e.u.Name())]) == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.bytes > server.o.Limits.HandlerQueueBytes {
		q.mu.Unlock()
		return errServerEvents
	}
	own(e.u)
	q.bytes += e.u.Size()
	q.waiting = append(q.waiting, e)
	begin := !q.running
	q.running = true
	q.mu.Unlock()
	if begin {
		server.work.run(q)
	}
	return nil
}

// run implements worker: it handles the events that wait. If a handler ends the
// goroutine, by runtime.Goexit, another one goes on.
func (q *serverEvents) run() {
	returned := false
	defer func() {
		if !returned {
			q.n.server.work.run(q)
		}
	}()
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running, q.waiting = false, nil
			q.mu.Unlock()
			returned = true
			return
		}
		e := q.waiting[0]
		q.waiting = q.waiting[1:]
		handlers := q.handlers[string(e.u.Name())]
		q.mu.Unlock()
		q.perform(e, handlers)
	}
}

// perform calls the handlers of an event.
func (q *serverEvents) perform(e *ServerEvent, handlers []func(*ServerEvent)) {
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.bytes -= e.u.Size()
	}()
	for _, f := range handlers {
		q.call(f, e)
	}
}

// call calls a handler. If that panics, or ends its goroutine, it is logged.
func (q *serverEvents) call(f func(*ServerEvent), e *ServerEvent) {
	returned := false
	defer func() {
		v := recover()
		if returned {
			return
		}
		if v == nil {
			v = "runtime.Goexit was called"
		}
		q.n.server.o.Logger.Error("socket.io: handler panicked", "panic", v, "namespace", q.n.name, "stack", string(debug.Stack()))
	}()
	f(e)
	returned = true
}

// ServerSideEmit sends an event to the other servers. Without an adapter there
// are none. A []byte anywhere in args travels as binary. What the others would refuse is an
// error; see Emitter.Emit.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	n, release := n.acquire()
	defer release()
	a, err := n.remote()
	if a == nil {
		return err
	}
	o, err := n.server.wire.outgoing(n.name, event, args, true)
	if err != nil {
		return err
	}
	defer o.release()
	return a.ServerSideEmit(o.encoded())
}

// ServerSideCall is ServerSideEmit with an acknowledgement from each other server,
// each of which has one argument. With an error it returns those that have come; one is
// missing, for instance, if the server has no handler. It waits until ctx ends, and no
// longer than Limits.AckTimeout.
func (n *Namespace) ServerSideCall(ctx context.Context, event string, args ...any) ([]*Args, error) {
	n, release := n.acquire()
	defer release()
	a, err := n.remote()
	if a == nil {
		return nil, err
	}
	o, err := n.server.wire.outgoing(n.name, event, args, true)
	if err != nil {
		return nil, err
	}
	defer o.release()
	ctx, cancel := context.WithTimeout(ctx, n.server.o.Limits.AckTimeout)
	defer cancel()
	c := collector[*Args]{wire: &n.server.wire}
	c.fail(a.ServerSideCall(ctx, o.encoded(), &c))
	return c.result()
}
