package socketio

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/parleyws/parley/socketio/internal/packet"
)

// errManyPending is the error of Call for a socket that owes too many
// acknowledgements.
var errManyPending = errors.New("socket.io: Limits.PendingAcks exceeded")

// errNoAck is the error of CallAll if not all acknowledgements have come.
var errNoAck = errors.New("socket.io: not all have answered")

// expect registers f for the acknowledgement of a packet; see actor.await.
func (s *Socket) expect(id uint64, f func(*packet.Unit)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != connected {
		return ErrDisconnected
	}
	return s.await(id, f)
}

// withTimeout returns ctx with a timeout, if that is not 0. If ctx has none either the
// timeout is that of the side: no acknowledgement is awaited for ever.
func (x *side) withTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout > 0 {
		return context.WithTimeout(ctx, timeout)
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, x.ackTimeout)
}

// A Callee is somebody that Call can ask: a *Socket or a *Client, or the Emitter or
// ClientEmitter of one.
type Callee interface {
	call(ctx context.Context, event string, args []any) (*Args, error)
}

// Call sends an event to one socket, or from a client to its server, waits for the
// acknowledgement and decodes its first argument into an R. If R is *Args the result
// has all arguments. Call waits until ctx ends, for the time of Emitter.Timeout, or for
// Limits.AckTimeout if there is neither (DialOptions.AckTimeout of a client); it
// returns ErrDisconnected when the socket or client is disconnected.
//
// While a handler of the socket or client is in Call, its other events wait.
func Call[R any](ctx context.Context, to Callee, event string, args ...any) (R, error) {
	var zero R
	answer, err := to.call(ctx, event, args)
	if err != nil {
		return zero, fmt.Errorf("socket.io: call: %w", err)
	}
	return decodeAnswer[R](answer)
}

// errManySockets is the error of Call for an Emitter of more than one socket.
var errManySockets = errors.New("not for one socket, see CallAll")

func (e Emitter) call(ctx context.Context, event string, args []any) (*Args, error) {
	if !e.single() {
		return nil, errManySockets
	}
	ctx, cancel := e.self.side().withTimeout(ctx, e.timeout)
	defer cancel()
	return e.self.ask(ctx, e.t.Flags, event, args)
}

func (s *Socket) call(ctx context.Context, event string, args []any) (*Args, error) {
	return s.emitter().call(ctx, event, args)
}

func decodeAnswer[R any](a *Args) (r R, err error) {
	if all, ok := any(&r).(**Args); ok {
		*all = a
		return r, nil
	}
	err = a.Decode(0, &r)
	return r, err
}

// ask sends an event and waits for its acknowledgement.
func (s *Socket) ask(ctx context.Context, f Flags, event string, args []any) (*Args, error) {
	id := s.namespace.ids.Add(1) - 1
	e, err := s.namespace.server.wire.newEvent(s.namespace.name, event, args, &id, f)
	if err != nil {
		return nil, err
	}
	answer := make(chan *packet.Unit, 1)
	if err := s.expect(id, func(u *packet.Unit) { answer <- u }); err != nil {
		return nil, err
	}
	defer s.unexpect(id)
	s.notifyOutgoing(event, args)
	s.send(e, f.Volatile)
	select {
	case u := <-answer:
		if u == nil {
			return nil, ErrDisconnected
		}
		return &Args{u}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// A callAll is an event that was sent to sockets of this node, whose acknowledgements
// are awaited.
type callAll struct {
	id      uint64
	sockets []*Socket         // that have been asked
	answers chan *packet.Unit // has room for all; nil stands for a socket that has ended
	clients int               // that should be asked: some may have ended, or owe too much
}

// callAll sends an event that asks for acknowledgements to the sockets of this node that
// t addresses. The caller calls wait.
func (n *Namespace) callAll(t *Target, o *outgoing) *callAll {
	c := &callAll{id: n.ids.Add(1) - 1}
	e := o.emission(n, &c.id, t.Flags)
	list := slices.DeleteFunc(n.rooms.selected(nil, t), func(s *Socket) bool { return s.parted.Load() })
	c.clients = len(list)
	c.answers = make(chan *packet.Unit, len(list))
	for _, s := range list { // before anything is expected: a handler may panic
		o.notify(s)
	}
	for _, s := range list {
		if s.expect(c.id, func(u *packet.Unit) { c.answers <- u }) == nil {
			c.sockets = append(c.sockets, s)
		}
	}
	for _, s := range list {
		if !s.parted.Load() { // a handler may have sent it away
			s.send(e, t.Flags.Volatile)
		}
	}
	return c
}

// wait calls reply with each acknowledgement, which belongs to reply. It returns when
// none is missing, or when ctx ends.
func (c *callAll) wait(ctx context.Context, reply func(*packet.Unit)) error {
	defer func() {
		for _, s := range c.sockets {
			s.unexpect(c.id)
		}
	}()
	missing := c.clients - len(c.sockets)
	for range c.sockets {
		select {
		case u := <-c.answers:
			if u == nil {
				missing++
			} else {
				reply(u)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if missing > 0 {
		return errNoAck
	}
	return nil
}

// CallAll sends an event to all addressed sockets, on all nodes, and waits for
// their acknowledgements, as long as Call does. It returns the first argument of
// each acknowledgement, in the order of their arrival. If an acknowledgement is
// missing or does not fit R, it returns the others and an error. Emitter.Emit has the
// errors of what can't be sent.
func CallAll[R any](ctx context.Context, to Endpoint, event string, args ...any) ([]R, error) {
	e := to.emitter()
	ctx, cancel := e.n.server.withTimeout(ctx, e.timeout)
	defer cancel()
	c := collector[R]{wire: &e.n.server.wire}
	var nodes sync.WaitGroup
	t := e.target()
	spaces, release := e.spaces()
	defer release()
	for _, n := range spaces {
		a, failed := e.remote(n)
		o, err := n.server.wire.outgoing(n.name, event, args, a != nil)
		if err != nil {
			c.fail(err)
			break
		}
		defer o.release()
		away := o.encoded()
		nodes.Go(func() {
			c.run(func() error {
				here := n.callAll(&t, &o)
				c.Expect(here.clients)
				return here.wait(ctx, c.local)
			})
		})
		c.fail(failed)
		if a != nil {
			nodes.Go(func() { c.run(func() error { return a.Call(ctx, t, away, &c) }) })
		}
	}
	nodes.Wait()
	return c.result()
}

// A collector collects the acknowledgements of all nodes, or the answers of servers.
type collector[R any] struct {
	wire     *wire
	mu       sync.Mutex
	expected int // acknowledgements
	came     int // how many of them have come
	list     []R
	err      error // the first
	panicked any   // what a function of the user's has panicked with
}

// result returns what has come, once all nodes have been asked and have answered, or ctx has
// ended. An adapter may call Reply even then, and the caller may append to the list: the two
// must not write to the same memory, so the list has no room.
func (c *collector[R]) result() ([]R, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.panicked != nil {
		panic(c.panicked)
	}
	if c.err == nil && c.came < c.expected {
		c.err = errNoAck
	}
	list := slices.Clip(c.list)
	if c.err != nil {
		return list, fmt.Errorf("socket.io: call: %w", c.err)
	}
	return list, nil
}

// run calls f, which asks a node or takes an answer. A panic of f is kept for CallAll,
// whose caller may recover from it: on a goroutine of our own it would end the process.
func (c *collector[R]) run(f func() error) {
	returned := false
	defer func() {
		v := recover()
		if returned {
			return
		}
		if v == nil {
			v = "runtime.Goexit was called"
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.panicked = fmt.Sprintf("%v\n\n%s", v, debug.Stack())
	}()
	c.fail(f())
	returned = true
}

// Expect implements Replies.
func (c *collector[R]) Expect(clients int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected += clients
}

// Reply implements Replies.
func (c *collector[R]) Reply(answer Encoded) {
	c.run(func() error {
		a, err := answer.asArgument(c.wire.limits)
		if err == nil {
			own(a.u)
			c.take(a)
		}
		return err
	})
}

func (c *collector[R]) local(u *packet.Unit) { c.take(&Args{u}) }

func (c *collector[R]) take(a *Args) {
	r, err := decodeAnswer[R](a)
	c.fail(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.came++
	if err == nil {
		c.list = append(c.list, r)
	}
}

func (c *collector[R]) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}
