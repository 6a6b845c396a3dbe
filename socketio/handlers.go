package socketio

import "slices"

// handlers holds the handlers of an actor. Each has its own, so it is kept small.
// Guarded by actor.mu.
type handlers struct {
	events []namedHandler // in the order of registration; empty once there is an index
	more   *moreHandlers  // nil: there are none; it is replaced, and never modified
}

type namedHandler struct {
	event string
	handler
}

// moreHandlers holds the kinds of handlers of which most sockets have few or none.
type moreHandlers struct {
	index         map[string][]handler // by event, if there are many; otherwise nil; guarded by actor.mu
	middleware    []func(*Event) error
	any           []func(*Event)
	anyOutgoing   []func(event string, args []any)
	disconnecting []func(Reason)
	disconnect    []func(Reason)
}

var noHandlers moreHandlers

// fewEvents is the number of handlers from which on there is an index. An empty map
// takes 400 bytes, so few handlers are searched one by one.
const fewEvents = 16

// add adds a handler for events with a name.
func (h *handlers) add(event string, f handler) {
	index := h.others().index
	switch {
	case index == nil && len(h.events) < fewEvents:
		h.events = append(h.events, namedHandler{event, f})
		return
	case index == nil:
		index = make(map[string][]handler)
		for _, n := range h.events {
			index[n.event] = append(index[n.event], n.handler)
		}
		h.events = nil
		h.change(func(m *moreHandlers) { m.index = index })
	}
	index[event] = append(index[event], f)
}

// change replaces moreHandlers by a changed copy.
func (h *handlers) change(change func(*moreHandlers)) {
	m := *h.others()
	change(&m)
	h.more = &m
}

// remove removes the handlers for events with a name.
func (h *handlers) remove(event string) {
	delete(h.others().index, event)
	h.events = slices.DeleteFunc(h.events, func(n namedHandler) bool { return n.event == event })
}

// named returns the handlers for events with a name. It puts them into buf if that
// has room.
func (h *handlers) named(buf []handler, event []byte) []handler {
	if index := h.others().index; index != nil {
		return index[string(event)]
	}
	for _, n := range h.events {
		if n.event == string(event) {
			buf = append(buf, n.handler)
		}
	}
	return buf
}

// others returns the handlers that are not for one name. The caller must not modify
// them.
func (h *handlers) others() *moreHandlers {
	if h.more == nil {
		return &noHandlers
	}
	return h.more
}

// OnEvent adds a handler for events with a name. The handler decodes the arguments
// itself and calls Event.Ack if the client asks for an acknowledgement. Its error
// is logged. On and Handle add handlers whose arguments have types.
func (a *actor) OnEvent(event string, f func(*Event) error) {
	need(f != nil, "OnEvent: nil function")
	a.listen(event, plainHandler(f))
}

// listen implements Listener.
func (a *actor) listen(event string, h handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers.add(event, h)
}

// Off removes the handlers for events with a name, those of On and Handle too.
func (a *actor) Off(event string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers.remove(event)
}

// Use adds a function that is called with each event before its handlers. If it
// returns an error the event is dropped, and the error is logged.
func (a *actor) Use(f func(*Event) error) {
	need(f != nil, "Socket.Use: nil function")
	a.handle(func(m *moreHandlers) { m.middleware = append(m.middleware, f) })
}

// OnAny adds a handler for all events. It is called before the handlers for the
// event's name.
func (a *actor) OnAny(f func(*Event)) {
	need(f != nil, "OnAny: nil function")
	a.handle(func(m *moreHandlers) { m.any = append(m.any, f) })
}

// OnAnyOutgoing adds a handler for all events that are sent to the client, or by a Client
// emitted: also those that wait then, or are dropped. The goroutine that emits an event
// calls it: before it sends the event, or after that if Options.Recovery is set. The handler
// must not modify args.
//
// If the event comes from another node, or a Log delivers it later, the socket's own goroutine
// calls the handler afterwards. Then args is what encoding/json makes of the event's JSON, with
// nil for a number that is out of range. While Limits.HandlerQueueBytes of such events wait for
// that goroutine, the handler misses further ones: each socket has so many bytes for itself.
func (a *actor) OnAnyOutgoing(f func(event string, args []any)) {
	need(f != nil, "OnAnyOutgoing: nil function")
	a.handle(func(m *moreHandlers) { m.anyOutgoing = append(m.anyOutgoing, f) })
	a.watched.Store(true)
}

// OnDisconnecting adds a handler for the end of the socket that is called while the
// socket is still in its rooms.
func (s *Socket) OnDisconnecting(f func(Reason)) {
	need(f != nil, "OnDisconnecting: nil function")
	s.handle(func(m *moreHandlers) { m.disconnecting = append(m.disconnecting, f) })
}

// OnDisconnect adds a handler for the end of the socket that is called once the
// socket has left its rooms. The socket's ctx has ended; a handler that needs a ctx
// uses context.WithoutCancel.
func (s *Socket) OnDisconnect(f func(Reason)) {
	need(f != nil, "OnDisconnect: nil function")
	s.handle(func(m *moreHandlers) { m.disconnect = append(m.disconnect, f) })
}

// handle adds a handler to a copy of moreHandlers, which becomes the socket's.
func (a *actor) handle(add func(*moreHandlers)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers.change(add)
}

// notifyOutgoing calls the handlers of OnAnyOutgoing. Called without any lock.
func (a *actor) notifyOutgoing(event string, args []any) {
	if !a.watched.Load() {
		return
	}
	a.mu.Lock()
	list := a.handlers.others().anyOutgoing
	a.mu.Unlock()
	for _, f := range list {
		f(event, args)
	}
}
