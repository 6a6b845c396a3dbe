package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// A task is something that a socket's goroutine has to do: to handle an event, or
// to call a function.
type task struct {
	unit *packet.Unit
	do   func()
}

// smallQueue is the length of the longest queue of tasks whose memory is kept
// while the queue is empty.
const smallQueue = 4

// dispatch hands t to the socket's goroutine. If the socket has none it gets one
// from the crew.
func (s *Socket) dispatch(t task) {
	s.mu.Lock()
	s.tasks = append(s.tasks, t)
	begin := !s.running
	s.running = true
	s.mu.Unlock()
	if begin {
		s.namespace.server.work.run(s)
	}
}

// run is what the socket's goroutine does. It returns when nothing is left. If a
// handler ends the goroutine, by runtime.Goexit, another one goes on.
func (s *Socket) run() {
	var spare, tasks []task
	done, returned := 0, false
	defer func() {
		if !returned {
			s.handOver(tasks[done:])
		}
	}()
	for {
		s.mu.Lock()
		tasks, done = s.tasks, 0
		s.tasks = spare
		if len(tasks) == 0 {
			s.running = false
			s.mu.Unlock()
			returned = true
			return
		}
		s.mu.Unlock()
		if len(tasks) == 1 {
			done = 1
			s.perform(tasks[0])
		} else {
			s.performAll(tasks, &done)
		}
		clear(tasks)
		if spare = tasks[:0]; cap(spare) > smallQueue {
			spare = nil
		}
	}
}

// handOver lets another goroutine do the tasks that are left, and those that have
// come since.
func (s *Socket) handOver(left []task) {
	s.mu.Lock()
	s.tasks = slices.Concat(left, s.tasks)
	s.mu.Unlock()
	s.namespace.server.work.run(s)
}

// performAll performs several tasks, whose answers leave together. It counts those
// that it has begun in done.
func (s *Socket) performAll(tasks []task, done *int) {
	defer s.session.Cork().Release()
	for i, t := range tasks {
		*done = i + 1
		s.perform(t)
	}
}

// perform performs one task. A panic, or a handler that ends its goroutine, ends
// the socket and nothing else.
func (s *Socket) perform(t task) {
	returned := false
	defer func() {
		v := recover()
		if returned {
			return
		}
		if v == nil {
			v = "runtime.Goexit was called"
		}
		s.namespace.server.o.Logger.Error("socket.io: handler panicked", "panic", v,
			"namespace", s.namespace.name, "socket", s.id, "stack", string(debug.Stack()))
		s.fail()
	}()
	s.do(t)
	returned = true
}

func (s *Socket) do(t task) {
	if t.unit == nil {
		t.do()
		return
	}
	defer s.conn.handled(t.unit.Size())
	if s.finished {
		release(t.unit)
		return
	}
	s.event(t.unit)
}

// fail ends the socket because of a panic.
func (s *Socket) fail() {
	s.mu.Lock()
	early := s.state == connecting
	s.mu.Unlock()
	if early {
		s.refuse(errInternal)
	} else {
		s.leaveNamespace()
	}
}

// errInternal is what the client is told of a panic in middleware.
var errInternal error = &Error{Message: "Internal error"}

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
// that has come back gets what it had before that.
func (s *Socket) connect() {
	s.name()
	n, r := s.namespace, s.namespace.recovery
	middleware, handlers := n.registered()
	again := r != nil && r.claim(s)
	if again {
		defer r.unclaim(s)
	}
	if again && !r.o.RunMiddleware {
		middleware = nil
	}
	for _, f := range middleware {
		if err := f(s.Context(), s); err != nil {
			s.refuse(err)
			return
		}
	}
	entered, err := false, error(nil)
	switch {
	case r == nil:
		entered = s.enter()
	case again:
		entered, err = r.resume(s)
	default:
		entered = r.enter(s)
	}
	if err != nil {
		s.conn.violation(err)
	}
	if !entered {
		return
	}
	s.conn.joined()
	s.breathe()
	for _, f := range handlers {
		f(s)
	}
}

// breath is how long breathe waits. Tests that look at virtual time set it to 0.
var breath = 3 * time.Millisecond

// breathe gives the client a moment to read the answer to its CONNECT before the
// handlers send something. On WebSocket, two messages that are written together
// arrive together. A client that listens for events only once it has the answer,
// as the protocol's own test suite does, would miss the first event. The JavaScript
// server leaves such a moment, because it writes its next packet in a later turn of
// its event loop. On long-polling each answer to a GET is such a turn.
func (s *Socket) breathe() {
	if breath > 0 && s.session.Transport() == "websocket" {
		time.Sleep(breath)
	}
}

// enter makes the socket connected and tells the client. It returns false if the
// socket is over.
func (s *Socket) enter() bool {
	s.mu.Lock()
	if s.state != connecting {
		s.mu.Unlock()
		return false
	}
	s.state = connected
	s.mu.Unlock()
	answer := s.namespace.server.wire.newControl(parser.Connect, s.namespace.name, s.conn.dialect.granted(s))
	s.namespace.rooms.add(s, func() { s.conn.send(answer) })
	return true
}

// refuse answers the CONNECT with a CONNECT_ERROR.
func (s *Socket) refuse(err error) {
	answer := connectError{Message: err.Error()}
	if e, ok := errors.AsType[*Error](err); ok {
		answer = connectError{e.Message, e.Data}
	}
	s.conn.left(s, false) // the client may try again at once
	if _, err := json.Marshal(answer.Data); err != nil {
		s.namespace.server.o.Logger.Error("socket.io: data of an Error", "error", err)
		answer.Data = nil
	}
	s.conn.send(s.namespace.server.wire.newControl(parser.ConnectError, s.namespace.name, s.conn.dialect.refused(answer)))
	s.close(ServerNamespaceDisconnect)
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
	defer n.rooms.remove(s)
	tell := func(handlers []func(Reason)) {
		for _, f := range handlers {
			s.perform(task{do: func() { f(s.reason) }}) // if it panics the others clean up all the same
		}
	}
	tell(h.disconnecting)
	if s.mayComeBack(s.reason) {
		n.recovery.save(s)
	}
	n.rooms.remove(s)
	tell(h.disconnect)
}

// event calls the handlers of an event, and releases u.
func (s *Socket) event(u *packet.Unit) {
	var few [4]func(*Event) error
	s.mu.Lock()
	named := s.handlers.named(few[:0], u.Name())
	more := s.handlers.others()
	expelled := s.state == over && s.reason == ServerNamespaceDisconnect // the server wants to hear no more of it
	s.mu.Unlock()
	if expelled || len(named)+len(more.middleware)+len(more.any) == 0 {
		release(u)
		return
	}
	e := &Event{s: s, u: u, wantsAck: u.HasID, id: u.ID}
	defer func() {
		if e.end() {
			release(u)
		}
	}()
	for _, f := range more.middleware {
		if err := f(e); err != nil {
			s.failed(e, err)
			return
		}
	}
	if e.replaced() {
		s.mu.Lock()
		named = s.handlers.named(few[:0], []byte(e.Name()))
		s.mu.Unlock()
	}
	for _, f := range more.any {
		f(e)
	}
	for _, f := range named {
		if err := f(e); err != nil {
			s.failed(e, err)
		}
	}
}

// failed hands the error of a handler to the user.
func (s *Socket) failed(e *Event, err error) {
	if f := s.namespace.server.o.OnError; f != nil {
		f(e, err)
		return
	}
	AnswerError(e, err)
}

// clip returns the start of an event's name, which a client has sent.
func clip(name []byte) string {
	const most = 100
	if len(name) > most {
		return fmt.Sprintf("%q...", name[:most])
	}
	return fmt.Sprintf("%q", name)
}
