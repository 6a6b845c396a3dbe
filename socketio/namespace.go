package socketio

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/engineio"
)

// A Namespace is a part of a server that has sockets, rooms and handlers of its
// own. All methods may be called from any goroutine. Middleware and handlers that
// are added apply to sockets that connect afterwards.
type Namespace struct {
	server   *Server
	name     string // "": a template for other namespaces
	template *Namespace
	rooms    rooms
	recovery *recovery // nil: off
	adapter  Adapter   // nil: there is only this node; set by attached
	ids      atomic.Uint64

	once    sync.Once // of attached
	failure error     // of Options.Adapter

	// Guarded by server.mu:
	users int  // number of sockets, and of calls that need the namespace
	fixed bool // the namespace is never forgotten
	ready bool // attached has succeeded

	mu           sync.RWMutex
	middleware   []func(context.Context, *Socket) error
	handlers     []func(*Socket)
	serverEvents map[string][]func(*ServerEvent)
}

func newNamespace(s *Server, name string, template *Namespace) *Namespace {
	n := &Namespace{server: s, name: name, template: template, rooms: newRooms()}
	if s.o.Recovery != nil {
		n.recovery = newRecovery(*s.o.Recovery)
	}
	return n
}

// attached connects n with other nodes when it is called for the first time. Other
// calls wait for the first. Nobody may look at n.adapter before it has returned.
func (n *Namespace) attached() error {
	s := n.server
	gone := false
	n.once.Do(func() {
		if s.o.Adapter != nil {
			n.adapter, n.failure = s.o.Adapter(&Local{n})
		}
		if n.failure != nil {
			n.adapter = nil
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		n.ready = s.namespaces[n.name] == n
		gone = !n.ready
	})
	if gone { // the server was shut down meanwhile
		n.detach()
	}
	return n.failure
}

// detach ends what attached has begun.
func (n *Namespace) detach() {
	if n.recovery != nil {
		n.recovery.stop()
	}
	if n.adapter != nil {
		if err := n.adapter.Close(); err != nil {
			n.server.o.Logger.Warn("socket.io: adapter", "namespace", n.name, "error", err)
		}
	}
}

// Name returns the namespace's name, which begins with a slash.
func (n *Namespace) Name() string { return n.name }

// Use adds middleware: a function that is called for each socket that wants to
// connect, in the order of registration, on the socket's own goroutine. If it
// returns an error the socket is refused, and the client gets the error's text,
// and the data of a *ConnectError. ctx ends with the socket.
func (n *Namespace) Use(f func(ctx context.Context, s *Socket) error) {
	need(f != nil, "Namespace.Use: nil function")
	n.mu.Lock()
	defer n.mu.Unlock()
	n.middleware = append(n.middleware, f)
}

// OnConnect adds a handler for sockets that have connected. It runs on the socket's
// own goroutine before the first event is handled, so that the handlers which it
// registers miss no event.
func (n *Namespace) OnConnect(f func(s *Socket)) {
	need(f != nil, "OnConnect: nil function")
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers = append(n.handlers, f)
}

// registered returns the middleware and the handlers of n, after those of its
// template.
func (n *Namespace) registered() (middleware []func(context.Context, *Socket) error, handlers []func(*Socket)) {
	if n.template != nil {
		middleware, handlers = n.template.registered()
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Concat(middleware, n.middleware), slices.Concat(handlers, n.handlers)
}

// children returns the namespaces that were made from the template n. Namespaces
// that are still being connected with other nodes have no sockets and are left
// out.
func (n *Namespace) children() []*Namespace {
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	var list []*Namespace
	for _, c := range n.server.namespaces {
		if c.template == n && c.ready {
			list = append(list, c)
		}
	}
	return list
}

// recipients holds the sockets that an event goes to, and their sessions.
type recipients struct {
	sockets  []*Socket
	sessions []*engineio.Session
}

// lists holds recipients that are used again.
var lists = sync.Pool{New: func() any { return new(recipients) }}

// broadcast delivers an event to the sockets of this node that t addresses.
func (n *Namespace) broadcast(t *Target, event string, args []any) error {
	if n.recovery != nil && !t.Flags.Volatile {
		return n.recovery.broadcast(n, t, event, args)
	}
	e, err := newEvent(n.name, event, args, nil, t.Flags)
	if err != nil {
		return err
	}
	n.deliver(t, e, event, args)
	return nil
}

// deliver sends an event, which is encoded in e, to the sockets of this node that t
// addresses.
func (n *Namespace) deliver(t *Target, e *emission, event string, args []any) {
	list := lists.Get().(*recipients)
	list.sockets = n.rooms.selected(list.sockets[:0], t)
	for _, s := range list.sockets {
		s.notifyOutgoing(event, args)
	}
	list.send(e, t.Flags.Volatile)
	clear(list.sockets)
	lists.Put(list)
}

// send sends e to all recipients.
func (r *recipients) send(e *emission, volatile bool) {
	r.sessions = r.sessions[:0]
	for _, s := range r.sockets {
		if !volatile || s.session.Writable() {
			r.sessions = append(r.sessions, s.session)
		}
	}
	engineio.SendAll(r.sessions, e.messages...)
	clear(r.sessions)
}

// joinSockets makes the sockets of this node that t addresses join rooms. It tries
// all of them and returns the first error.
func (n *Namespace) joinSockets(t *Target, rooms []string) (err error) {
	for _, s := range n.rooms.selected(nil, t) {
		if e := n.rooms.join(s, rooms, n.server.o.Limits.Rooms); err == nil {
			err = e
		}
	}
	return err
}

// A ServerEvent is an event that another server has sent with ServerSideEmit.
type ServerEvent struct {
	args []json.RawMessage
	ack  func(arg any)
}

// Len returns the number of arguments.
func (e *ServerEvent) Len() int { return len(e.args) }

// Decode reads argument i into v. If there is no argument i it leaves v as it is.
func (e *ServerEvent) Decode(i int, v any) error {
	if i >= len(e.args) {
		return nil
	}
	return json.Unmarshal(e.args[i], v)
}

// Ack sends the acknowledgement, if the other server wants one. It may be called
// once.
func (e *ServerEvent) Ack(arg any) {
	if e.ack != nil {
		e.ack(arg)
	}
}

// OnServerEvent adds a handler for events of other servers. The adapter's goroutine
// calls it.
func (n *Namespace) OnServerEvent(event string, f func(*ServerEvent)) {
	need(f != nil, "OnServerEvent: nil function")
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.serverEvents == nil {
		n.serverEvents = make(map[string][]func(*ServerEvent))
	}
	n.serverEvents[event] = append(n.serverEvents[event], f)
}

func (n *Namespace) serverEvent(event string, args []json.RawMessage, ack func(any)) {
	n.mu.RLock()
	handlers := n.serverEvents[event]
	n.mu.RUnlock()
	for _, f := range handlers {
		f(&ServerEvent{args, ack})
	}
}

// ServerSideEmit sends an event to the other servers. Without an adapter there
// are none.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	if n.adapter == nil {
		return nil
	}
	_, err := n.adapter.ServerSideEmit(context.Background(), event, args, false)
	return err
}

// ServerSideCall is ServerSideEmit with an acknowledgement from each other server.
// It returns the first argument of each, as JSON; with an error, those that have
// come. It waits until ctx ends, and no longer than Limits.AckTimeout.
func (n *Namespace) ServerSideCall(ctx context.Context, event string, args ...any) ([]json.RawMessage, error) {
	if n.adapter == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.server.o.Limits.AckTimeout)
	defer cancel()
	return n.adapter.ServerSideEmit(ctx, event, args, true)
}

// Rooms returns the rooms that are not empty, of all nodes, sorted.
func (n *Namespace) Rooms(ctx context.Context) ([]string, error) {
	rooms := n.rooms.all()
	if n.adapter == nil {
		return rooms, nil
	}
	more, err := n.adapter.Rooms(ctx)
	rooms = append(rooms, more...)
	slices.Sort(rooms)
	return slices.Compact(rooms), err
}
