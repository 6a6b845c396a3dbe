package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/parser"
)

// fail ends the socket because of a panic.
func (s *Socket) fail() { s.refuse(errInternal) }

// errInternal is what the client is told of a panic in middleware.
var errInternal error = &Error{Message: "Internal error"}

// errSentAway is what the client is told if Disconnect is called before the client is let in:
// by middleware, or by somebody who has got the socket from middleware.
var errSentAway error = &Error{Message: "Disconnected"}

// connectError is the data of a CONNECT_ERROR.
type connectError struct {
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// connectAnswer is the data of the CONNECT that grants a namespace.
type connectAnswer struct {
	SID string `json:"sid"`
	PID string `json:"pid,omitempty"`
}

// connect runs the middleware, and then connects or refuses the socket. A client
// that has come back gets what it had before that; settled is called when it is known
// whether the socket keeps that.
func (s *Socket) connect(settled func()) {
	if s.now() == over {
		return // its client has gone, or has asked again meanwhile
	}
	s.name()
	k := s.namespace.keeper()
	middleware, handlers := s.namespace.registered()
	entered := false
	switch {
	case k == nil:
		entered = s.passes(middleware) && s.enter()
	case s.conn.dialect().recovers && k.claim(s):
		entered = s.comeBack(k, middleware, settled)
	default:
		settled()
		entered = s.passes(middleware) && k.enter(s)
	}
	if !entered {
		return
	}
	s.roomsChanged()
	s.conn.joined()
	s.breathe()
	for _, f := range handlers {
		f(s)
	}
	if s.welcome() {
		s.changed()
	}
}

// wantsBack reports whether the client seems to ask for what it had, where that is kept. The
// socket's own goroutine reads what it asks for.
func (s *Socket) wantsBack() bool {
	return s.namespace.keeper() != nil && bytes.Contains(s.auth, []byte(`"pid"`))
}

// claim returns the id and the offset by which the client asks for what it had; "" is none.
// The namespace has a keeper.
func (s *Socket) claim() (pid, offset string) {
	var claim struct{ PID, Offset string }
	if json.Unmarshal(s.auth, &claim) != nil {
		return "", ""
	}
	return claim.PID, claim.Offset
}

// welcome notes that the connect handlers have returned. It returns false if that says
// nothing new of the socket's client: it has come back, or is gone.
func (s *Socket) welcome() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != connected || s.welcomed {
		return false
	}
	s.welcomed = true
	return true
}

// passes runs the middleware. It refuses the socket, and returns false, if one of these
// does.
func (s *Socket) passes(middleware []func(context.Context, *Socket) error) bool {
	for _, f := range middleware {
		if err := f(s.Context(), s); err != nil {
			s.refuse(err)
			return false
		}
	}
	return true
}

// comeBack connects a socket that has claimed what its client had. It returns false if
// the socket is refused or over.
func (s *Socket) comeBack(k keeper, middleware []func(context.Context, *Socket) error, settled func()) bool {
	settle := func() {
		k.unclaim(s)
		settled()
	}
	defer settle() // also if the middleware panics
	run := s.namespace.recovery.o.RunMiddleware
	if run && !s.passes(middleware) {
		return false
	}
	entered, err := k.resume(s)
	switch {
	case err == nil:
		return entered
	case run: // the middleware has seen the client as it was: let that try again
		s.conn.violation(err)
		return false
	}
	s.namespace.server.o.Logger.Info("socket.io: a client that has come back is new", "namespace", s.namespace.name, "error", err)
	settle()
	s.anew()
	return s.passes(middleware) && k.enter(s)
}

// anew takes what the client had away from a socket that nobody has seen yet.
func (s *Socket) anew() {
	s.namespace.rooms.leave(s, s.Rooms())
	s.mu.Lock()
	s.data = nil
	s.mu.Unlock()
	s.recovered = false
	s.name()
}

// breath is how long breathe waits.
const breath = 3 * time.Millisecond

// breathless is set by tests that look at virtual time: breathe does not wait.
var breathless atomic.Bool

// breathe gives the client a moment to read the answer to its CONNECT before the
// handlers send something. On WebSocket, two messages that are written together
// arrive together. A client that listens for events only once it has the answer,
// as the protocol's own test suite does, would miss the first event. The JavaScript
// server leaves such a moment, because it writes its next packet in a later turn of
// its event loop. On long-polling each answer to a GET is such a turn.
func (s *Socket) breathe() {
	if !breathless.Load() && s.session.Transport() == "websocket" {
		time.Sleep(breath)
	}
}

// enter makes the socket connected and tells the client. It returns false if the
// socket is over. Whoever sees that the socket is connected sends the client what comes
// after that.
func (s *Socket) enter() bool {
	// Options.Parser may panic here: the socket must not be connected yet.
	answer := s.namespace.server.wire.newControl(parser.Connect, s.namespace.name, s.conn.dialect().granted(s))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != connecting {
		return false
	}
	s.state, s.welcomed = connected, s.recovered
	s.namespace.rooms.add(s, func() { s.conn.send(answer) })
	return true
}

// refuse ends the socket. If the client has not been let in yet, it is told err.
func (s *Socket) refuse(err error) { s.end(ServerNamespaceDisconnect, err) }

// refusal returns the CONNECT_ERROR that tells a client of err.
func (s *Socket) refusal(err error) *emission {
	answer := connectError{Message: err.Error()}
	if e, ok := errors.AsType[*Error](err); ok {
		answer = connectError{e.Message, e.Data}
	}
	if answer.Data != nil {
		data, err := json.Marshal(answer.Data)
		if answer.Data = json.RawMessage(data); err != nil {
			s.namespace.server.o.Logger.Error("socket.io: data of an Error", "error", err)
			answer.Data = nil
		}
	}
	return s.namespace.server.wire.newControl(parser.ConnectError, s.namespace.name, s.conn.dialect().refused(answer))
}

// ended tells the handlers of the end, and takes the socket out of its rooms.
func (s *Socket) ended(wasConnected bool) {
	n := s.namespace
	s.finished = true
	defer s.conn.ended()
	defer n.server.unuse(n)
	if !wasConnected {
		return
	}
	s.mu.Lock()
	h := s.handlers.others()
	s.mu.Unlock()
	defer n.rooms.tell()
	defer n.rooms.remove(s)
	tell := func(handlers []func(Reason)) {
		for _, f := range handlers {
			s.perform(task{do: func() { f(s.reason) }}) // if it panics the others clean up all the same
		}
	}
	tell(h.disconnecting)
	if s.mayComeBack(s.reason) {
		n.keeper().save(s)
	}
	n.rooms.remove(s)
	n.rooms.tell()
	if r := n.logged(); r != nil && r.watcher != nil {
		r.watcher.SessionEnded(s.id)
	}
	tell(h.disconnect)
}
