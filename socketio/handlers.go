package socketio

// handlers are what is called on a socket's events. Each socket has its own, so
// they are kept small. Guarded by Socket.mu.
type handlers struct {
	events []namedHandler                  // in the order of registration, as long as they are few
	index  map[string][]func(*Event) error // instead of events
	more   *moreHandlers                   // nil: none; replaced, and never modified
}

type namedHandler struct {
	event string
	f     func(*Event) error
}

// moreHandlers are those that most sockets have none or few of.
type moreHandlers struct {
	middleware    []func(*Event) error
	any           []func(*Event)
	anyOutgoing   []func(event string, args []any)
	disconnecting []func(Reason)
	disconnect    []func(Reason)
}

var noHandlers moreHandlers

// fewEvents is how many handlers are looked through for a name. A map takes
// 400 octets to begin with.
const fewEvents = 16

// add adds a handler for the events of a name.
func (h *handlers) add(event string, f func(*Event) error) {
	if h.index == nil && len(h.events) < fewEvents {
		h.events = append(h.events, namedHandler{event, f})
		return
	}
	if h.index == nil {
		h.index = make(map[string][]func(*Event) error)
		for _, n := range h.events {
			h.index[n.event] = append(h.index[n.event], n.f)
		}
		h.events = nil
	}
	h.index[event] = append(h.index[event], f)
}

// named returns the handlers for the events of a name, in buf if that has room.
func (h *handlers) named(buf []func(*Event) error, event []byte) []func(*Event) error {
	if h.index != nil {
		return h.index[string(event)]
	}
	for _, n := range h.events {
		if n.event == string(event) {
			buf = append(buf, n.f)
		}
	}
	return buf
}

// others returns the handlers that are not for the events of one name. They are
// not to be modified.
func (h *handlers) others() *moreHandlers {
	if h.more == nil {
		return &noHandlers
	}
	return h.more
}

// OnEvent adds a handler for the events of a name. It decodes the arguments
// itself, and answers by Event.Ack if the client asks. An error is logged. See
// On and Handle for handlers whose arguments have types.
func (s *Socket) OnEvent(event string, f func(*Event) error) {
	need(f != nil, "OnEvent: nil function")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers.add(event, f)
}

// Use adds a function that is called with each event, before its handlers. An
// error is logged, and the event is dropped.
func (s *Socket) Use(f func(*Event) error) {
	need(f != nil, "Socket.Use: nil function")
	s.handle(func(m *moreHandlers) { m.middleware = append(m.middleware, f) })
}

// OnAny adds a handler for all events, called before those of their name.
func (s *Socket) OnAny(f func(*Event)) {
	need(f != nil, "OnAny: nil function")
	s.handle(func(m *moreHandlers) { m.any = append(m.any, f) })
}

// OnAnyOutgoing adds a handler that is called with each event that is sent to
// the client, by the goroutine that sends it: before that, or with recovery on
// behind it. args are not to be modified.
func (s *Socket) OnAnyOutgoing(f func(event string, args []any)) {
	need(f != nil, "OnAnyOutgoing: nil function")
	s.handle(func(m *moreHandlers) { m.anyOutgoing = append(m.anyOutgoing, f) })
	s.watched.Store(true)
}

// OnDisconnecting adds a handler for the end of the socket, which still sees
// its rooms.
func (s *Socket) OnDisconnecting(f func(Reason)) {
	need(f != nil, "OnDisconnecting: nil function")
	s.handle(func(m *moreHandlers) { m.disconnecting = append(m.disconnecting, f) })
}

// OnDisconnect adds a handler for the end of the socket.
func (s *Socket) OnDisconnect(f func(Reason)) {
	need(f != nil, "OnDisconnect: nil function")
	s.handle(func(m *moreHandlers) { m.disconnect = append(m.disconnect, f) })
}

// handle adds a handler to a copy of the socket's.
func (s *Socket) handle(add func(*moreHandlers)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := *s.handlers.others()
	add(&m)
	s.handlers.more = &m
}

// notifyOutgoing tells of an event that was sent to the client.
func (s *Socket) notifyOutgoing(event string, args []any) {
	if !s.watched.Load() {
		return
	}
	s.mu.Lock()
	list := s.handlers.others().anyOutgoing
	s.mu.Unlock()
	for _, f := range list {
		f(event, args)
	}
}
