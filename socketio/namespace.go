package socketio

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/engineio"
)

// A Namespace is a part of a server with sockets, rooms and handlers of its
// own. All methods may be called from any goroutine. Middleware and handlers
// are for sockets that connect afterwards.
type Namespace struct {
	server   *Server
	name     string // "": a template for children
	template *Namespace
	rooms    rooms
	recovery *recovery // nil: off
	adapter  Adapter   // nil: this node alone; set by attach
	ids      atomic.Uint64

	once    sync.Once // attaches
	failure error     // of attaching

	// Guarded by server.mu:
	users int  // sockets, also those whose middleware runs
	fixed bool // never forgotten
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

// attached connects n with other nodes when it is called first. Other calls wait
// for that. It must have returned before anybody looks at n.adapter.
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

// detach ends what attach began.
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

// Use adds middleware: it is called for each socket that wants to connect, in
// the order of registration, on the socket's own goroutine. An error refuses
// the socket: the client gets its text, and the data of a *ConnectError. ctx
// ends with the socket.
func (n *Namespace) Use(f func(ctx context.Context, s *Socket) error) {
	need(f != nil, "Namespace.Use: nil function")
	n.mu.Lock()
	defer n.mu.Unlock()
	n.middleware = append(n.middleware, f)
}

// OnConnect adds a handler for sockets that have connected. It runs on the
// socket's own goroutine before the first event is handled: the handlers that
// it registers miss nothing.
func (n *Namespace) OnConnect(f func(s *Socket)) {
	need(f != nil, "OnConnect: nil function")
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers = append(n.handlers, f)
}

// registered returns middleware and handlers, the template's first.
func (n *Namespace) registered() (middleware []func(context.Context, *Socket) error, handlers []func(*Socket)) {
	if n.template != nil {
		middleware, handlers = n.template.registered()
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Concat(middleware, n.middleware), slices.Concat(handlers, n.handlers)
}

// children returns the namespaces that n is the template of. Those that are
// still being connected with other nodes have nobody in them.
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

// Recipients are the sockets that an event goes to, and their sessions.
type recipients struct {
	sockets  []*Socket
	sessions []*engineio.Session
}

// lists holds recipients for reuse.
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

// deliver sends an event that is encoded.
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

// send sends what is encoded to all.
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

// joinSockets makes sockets of this node join rooms. The first error is
// returned, but all are tried.
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

// Decode reads argument i into v. One that did not come leaves v as it is.
func (e *ServerEvent) Decode(i int, v any) error {
	if i >= len(e.args) {
		return nil
	}
	return json.Unmarshal(e.args[i], v)
}

// Ack answers, if an answer is wanted. It may be called once.
func (e *ServerEvent) Ack(arg any) {
	if e.ack != nil {
		e.ack(arg)
	}
}

// OnServerEvent adds a handler for events of other servers. It is called by
// the adapter's goroutine.
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

// ServerSideCall is ServerSideEmit with an answer from each of the other
// servers: the first argument of its acknowledgement, as JSON. With an error it
// returns what came before.
func (n *Namespace) ServerSideCall(ctx context.Context, event string, args ...any) ([]json.RawMessage, error) {
	if n.adapter == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.server.o.Limits.AckTimeout)
	defer cancel()
	return n.adapter.ServerSideEmit(ctx, event, args, true)
}

// Rooms returns the rooms that have somebody in them, on all nodes, sorted.
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
