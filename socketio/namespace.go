package socketio

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/engineio"
)

// A Namespace is a part of a server that has sockets, rooms and handlers of its
// own. All methods may be called from any goroutine. Middleware and handlers that
// are added apply to sockets that connect afterwards.
//
// A namespace that OfPattern or OfFunc has made is forgotten when nobody uses it,
// and made anew when somebody does. A *Namespace can be kept all the same: its
// methods act on the namespace that has the name at the time.
type Namespace struct {
	server   *Server
	name     string // "": a template for other namespaces
	rooms    rooms
	recovery *recovery // nil: off
	ids      atomic.Uint64

	fixed atomic.Bool // the namespace is never forgotten; set with server.mu held

	// Guarded by server.mu:
	template *Namespace // whose middleware and handlers it has too; nil: none
	declared bool       // it has middleware or connect handlers of its own
	users    int        // number of sockets, and of calls that need the namespace

	attaching chan struct{}        // full while a call of attached connects n with other nodes
	link      atomic.Pointer[link] // to other nodes; nil: none yet, or Options.Adapter is nil

	serverEvents serverEvents

	mu         sync.RWMutex
	middleware []func(context.Context, *Socket) error
	handlers   []func(*Socket)
}

// A link is what came of connecting a namespace with other nodes.
type link struct {
	adapter Adapter // nil after an error
	err     error   // of Options.Adapter
	logged  *logged // nil: the adapter is no Log, or recovery is off
}

// newLink makes the link of a namespace with an adapter. There are no sockets yet.
func newLink(n *Namespace, a Adapter) *link {
	if w, ok := a.(RoomWatcher); ok {
		n.rooms.watch(w)
	}
	l := &link{adapter: a}
	if log, ok := a.(Log); ok && n.recovery != nil {
		l.logged = &logged{n: n, log: log, age: n.recovery.o.MaxAge}
		l.logged.watcher, _ = a.(SessionWatcher)
	}
	return l
}

func newNamespace(s *Server, name string, template *Namespace) *Namespace {
	n := &Namespace{server: s, name: name, template: template, rooms: newRooms(), attaching: make(chan struct{}, 1)}
	n.serverEvents.n = n
	if s.o.Recovery != nil {
		n.recovery = newRecovery(n, *s.o.Recovery)
	}
	return n
}

// attached connects n with other nodes, unless that has been done. Calls that come
// meanwhile wait. After an error the next call tries again. The caller counts as a
// user of n.
func (n *Namespace) attached() error {
	s := n.server
	if s.o.Adapter == nil {
		return nil
	}
	n.attaching <- struct{}{}
	defer func() { <-n.attaching }()
	if l := n.link.Load(); l != nil && l.err == nil {
		return nil
	}
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over {
		n.link.Store(&link{err: errShutDown})
		return errShutDown
	}
	a, err := s.o.Adapter(&Local{n})
	if err != nil {
		n.link.Store(&link{err: err})
		return err
	}
	s.mu.Lock()
	gone := s.namespaces[n.name] != n // the server was shut down meanwhile
	n.link.Store(newLink(n, a))
	s.mu.Unlock()
	if gone {
		ctx, cancel := context.WithTimeout(context.Background(), detachTime)
		defer cancel()
		n.detach(ctx)
	}
	return nil
}

// remote returns the adapter, nil if there is none, or why there is none although
// Options asks for one.
func (n *Namespace) remote() (Adapter, error) {
	l := n.link.Load()
	if l == nil {
		return nil, nil
	}
	return l.adapter, l.err
}

// logged returns the keeper of a namespace whose adapter is a Log, nil otherwise.
func (n *Namespace) logged() *logged {
	if l := n.link.Load(); l != nil {
		return l.logged
	}
	return nil
}

// keeper returns what gives clients that come back what they had, nil if nothing does.
func (n *Namespace) keeper() keeper {
	if r := n.logged(); r != nil {
		return r
	}
	if n.recovery != nil {
		return n.recovery
	}
	return nil
}

// isReady reports whether clients may be in n. Called with server.mu held.
func (n *Namespace) isReady() bool {
	a, _ := n.remote()
	return a != nil || n.server.o.Adapter == nil
}

// detach ends what attached has begun. It waits for the adapter.
func (n *Namespace) detach(ctx context.Context) {
	if n.recovery != nil {
		n.recovery.stop()
	}
	n.rooms.unwatch(ctx)
	if a, _ := n.remote(); a != nil {
		if err := a.Close(ctx); err != nil {
			n.server.o.Logger.Warn("socket.io: adapter", "namespace", n.name, "error", err)
		}
	}
}

// acquire returns the namespace that has n's name: n itself, unless n was
// forgotten. It is not forgotten before release is called.
func (n *Namespace) acquire() (now *Namespace, release func()) {
	if n.name == "" || n.fixed.Load() {
		return n, func() {}
	}
	return n.revive()
}

// revive is acquire for a namespace that may be forgotten.
func (n *Namespace) revive() (now *Namespace, release func()) {
	s := n.server
	s.mu.Lock()
	held := s.hold(n.name, n.template)
	s.mu.Unlock()
	defer func() {
		if release == nil { // Options.Adapter has panicked
			s.unuse(held)
		}
	}()
	_ = held.attached() // whoever needs the adapter gets the error from remote
	return held, func() { s.linger(held) }
}

// Name returns the namespace's name, which begins with a slash.
func (n *Namespace) Name() string { return n.name }

// Use adds middleware: a function that is called for each socket that wants to
// connect, in the order of registration, on the socket's own goroutine. If it
// returns an error the socket is refused, and the client gets the error's text,
// and the data of a *Error. ctx ends with the socket.
func (n *Namespace) Use(f func(ctx context.Context, s *Socket) error) {
	need(f != nil, "Namespace.Use: nil function")
	n.register(true, func(n *Namespace) { n.middleware = append(n.middleware, f) })
}

// OnConnect adds a handler for sockets that have connected. It runs on the socket's
// own goroutine before the first event is handled, so that the handlers which it
// registers miss no event.
func (n *Namespace) OnConnect(f func(s *Socket)) {
	need(f != nil, "OnConnect: nil function")
	n.register(true, func(n *Namespace) { n.handlers = append(n.handlers, f) })
}

// register calls add, which adds a function to the namespace. A namespace with
// functions of its own is never forgotten, also if it is adopted by a pattern meanwhile;
// declares tells that they say who may connect and what happens then.
func (n *Namespace) register(declares bool, add func(*Namespace)) {
	s := n.server
	if n.name != "" {
		s.mu.Lock()
		n = s.hold(n.name, n.template)
		s.mu.Unlock()
		defer s.linger(n)
		if !n.fixed.Load() {
			_ = n.attached() // whoever needs the adapter gets the error from remote
		}
	}
	func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		add(n)
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	n.declared = n.declared || declares
	n.fixed.Store(true)
}

// registered returns the middleware and the handlers of n, after those of its
// template.
func (n *Namespace) registered() (middleware []func(context.Context, *Socket) error, handlers []func(*Socket)) {
	n.server.mu.Lock()
	template := n.template
	n.server.mu.Unlock()
	if template != nil {
		middleware, handlers = template.registered()
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Concat(middleware, n.middleware), slices.Concat(handlers, n.handlers)
}

// children returns the namespaces that were made from the template n. Namespaces
// that are still being connected with other nodes have no sockets and are left
// out. None is forgotten before release is called.
func (n *Namespace) children() (list []*Namespace, release func()) {
	s := n.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.namespaces {
		if c.template == n && c.isReady() {
			c.users++
			list = append(list, c)
		}
	}
	return list, func() {
		for _, c := range list {
			s.unuse(c)
		}
	}
}

// recipients holds the sockets that an event goes to, and their sessions.
type recipients struct {
	sockets  []*Socket
	sessions []*engineio.Session
}

// lists holds recipients that are used again.
var lists = sync.Pool{New: func() any { return new(recipients) }}

// emit delivers an event to the sockets that t addresses: through a to those of other
// nodes, or to those of this node only if a is nil. It releases o.
func (n *Namespace) emit(t *Target, o *outgoing, a Adapter) error {
	if r := n.logged(); r != nil && a != nil && !t.Flags.Volatile {
		return r.append(t, o)
	}
	defer o.release()
	n.broadcast(t, o, nil)
	if a == nil {
		return nil
	}
	return a.Broadcast(*t, o.encoded())
}

// broadcast delivers an event to the sockets of this node that t addresses.
func (n *Namespace) broadcast(t *Target, o *outgoing, b *Batch) {
	if n.recovery != nil && !t.Flags.Volatile && n.logged() == nil {
		n.recovery.broadcast(t, o, b)
		return
	}
	list := lists.Get().(*recipients)
	list.sockets = n.rooms.selected(list.sockets[:0], t)
	if len(list.sockets) > 0 { // of many nodes few have members of a room
		e := o.emission(n, nil, t.Flags)
		for _, s := range list.sockets {
			o.notify(s)
		}
		list.send(e, t.Flags.Volatile, b)
		clear(list.sockets)
	}
	lists.Put(list)
}

// send sends e to all recipients whose client is still there, in a batch unless that is nil.
func (r *recipients) send(e *emission, volatile bool, b *Batch) {
	r.sessions = r.sessions[:0]
	for _, s := range r.sockets {
		if !s.parted.Load() && (!volatile || s.session.Writable()) {
			r.sessions = append(r.sessions, s.session)
		}
	}
	b.hold(r.sessions)
	engineio.SendAll(r.sessions, e.messages...)
	clear(r.sessions)
}

// Socket returns the socket with an id, if it is connected to this node. To emit to
// a socket wherever it is use To(id), to act on it In(id).
func (n *Namespace) Socket(id string) (*Socket, bool) {
	n, release := n.acquire()
	defer release()
	return n.rooms.socket(id)
}

// Count returns how many sockets of this node are in the namespace, without looking
// at each of them.
func (n *Namespace) Count() int {
	n, release := n.acquire()
	defer release()
	return n.rooms.count()
}

// CountIn returns how many sockets of this node are in a room, without looking at
// each of them.
func (n *Namespace) CountIn(room string) int {
	n, release := n.acquire()
	defer release()
	return n.rooms.countIn(room)
}

// Nodes returns how many nodes have the namespace, this one counted: 1 without an
// adapter.
func (n *Namespace) Nodes(ctx context.Context) (int, error) {
	n, release := n.acquire()
	defer release()
	a, err := n.remote()
	if a == nil {
		return 1, err
	}
	return a.Nodes(ctx)
}

// Rooms returns the rooms that are not empty, of all nodes, sorted. With an error, which
// is errors.ErrUnsupported if the adapter can't say, it returns those that it knows.
func (n *Namespace) Rooms(ctx context.Context) ([]string, error) {
	n, release := n.acquire()
	defer release()
	rooms := n.rooms.all()
	a, err := n.remote()
	if a == nil {
		return rooms, err
	}
	more, err := a.Rooms(ctx)
	rooms = append(rooms, more...)
	slices.Sort(rooms)
	return slices.Compact(rooms), err
}
