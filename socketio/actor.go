package socketio

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// An actor is what a Socket and a Client have in common, each of which embeds one:
// handlers of events, a queue of what has come for them, and the acknowledgements that
// are awaited. It does one thing after the other, on a goroutine that it has only
// while there is something to do.
type actor struct {
	watched atomic.Bool // there is a handler of OnAnyOutgoing; a broadcast looks at it
	parted  atomic.Bool // a Socket's client has left the namespace, or was sent away; a broadcast looks at it too
	owner   owner       // the Socket or Client

	mu       sync.Mutex
	pending  map[uint64]func(*packet.Unit) // the acknowledgements that are awaited, by id
	handlers handlers
	tasks    *queue // of the goroutine; nil while there is none
}

// An owner is the Socket or Client that has an actor.
type owner interface {
	Listener
	Callee
	side() *side
	// place returns the namespace, and the id in it for the log.
	place() (namespace, id string)
	// deaf reports whether events that wait are dropped. Called with mu held.
	deaf() bool
	// handled is told that the handlers of an event of a size have returned.
	handled(size int)
	// answer sends the acknowledgement of an event of an era.
	answer(a *emission, era uint64) error
	// fail is told that a handler has panicked, or ended its goroutine.
	fail()
	// cork holds back what is sent until it is released.
	cork() engineio.Cork
}

// A side is what is the same for all actors of a server, or of a client.
type side struct {
	wire        wire
	work        crew // has the goroutines
	logger      *slog.Logger
	onError     func(*Event, error)
	pendingAcks int           // the most acknowledgements that an actor awaits
	ackTimeout  time.Duration // of a call without a time of its own
	intake      intakeLimits
}

// dispatch hands t to the actor's goroutine. If the actor has none it gets one
// from the crew.
func (a *actor) dispatch(t task) {
	if a.add(t) {
		a.owner.side().work.run(a)
	}
}

// dispatchLater is dispatch for what handles a message of a session: the goroutine
// that delivers it may become the actor's.
func (a *actor) dispatchLater(t task, s *engineio.Session) {
	if !a.add(t) {
		return
	}
	work := &a.owner.side().work
	if s != nil && s.Later((*errand)(a)) {
		work.borrow()
	} else {
		work.run(a)
	}
}

// add queues t. It returns true if the actor needs a goroutine.
func (a *actor) add(t task) (begin bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if begin = a.tasks == nil; begin {
		a.tasks = queues.Get().(*queue)
	}
	a.tasks.waiting = append(a.tasks.waiting, t)
	return begin
}

// An errand is an actor for which another goroutine than one of the crew runs.
type errand actor

// Run implements conn.Work.
func (e *errand) Run() {
	a := (*actor)(e)
	defer a.owner.side().work.done()
	a.run()
}

// run is what the actor's goroutine does. It returns when nothing is left. If a
// handler ends the goroutine, by runtime.Goexit, another one goes on.
func (a *actor) run() {
	returned := false
	defer func() {
		if !returned {
			a.handOver()
		}
	}()
	for q := a.next(); q != nil; q = a.next() {
		if len(q.taken) == 1 {
			q.done = 1
			a.perform(q.taken[0])
		} else {
			a.performAll(q)
		}
	}
	returned = true
}

// next returns the queue when it has taken what is to be done next. If nothing is left the
// actor has no goroutine any more, and next returns nil.
func (a *actor) next() *queue {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.tasks
	if q.take() {
		return q
	}
	a.tasks = nil
	queues.Put(q)
	return nil
}

// handOver lets another goroutine do the tasks that are left, and those that have
// come since.
func (a *actor) handOver() {
	a.mu.Lock()
	a.tasks.putBack()
	a.mu.Unlock()
	a.owner.side().work.run(a)
}

// performAll performs several tasks, whose answers leave together.
func (a *actor) performAll(q *queue) {
	defer a.owner.cork().Release()
	for i, t := range q.taken {
		q.done = i + 1
		a.perform(t)
	}
}

// perform performs one task. A panic, or a handler that ends its goroutine, is the
// owner's to deal with and ends nothing else.
func (a *actor) perform(t task) {
	returned := false
	defer func() {
		v := recover()
		if returned {
			return
		}
		if v == nil {
			v = "runtime.Goexit was called"
		}
		namespace, id := a.owner.place()
		a.owner.side().logger.Error("socket.io: handler panicked", "panic", v,
			"namespace", namespace, "socket", id, "stack", string(debug.Stack()))
		a.owner.fail()
	}()
	if t.unit != nil {
		a.event(t.unit, t.era)
	} else {
		t.do()
	}
	returned = true
}

// event calls the handlers of an event, and releases u.
func (a *actor) event(u *packet.Unit, era uint64) {
	defer a.owner.handled(u.Size())
	var few [4]handler
	a.mu.Lock()
	named := a.handlers.named(few[:0], u.Name())
	more := a.handlers.others()
	deaf := a.owner.deaf()
	a.mu.Unlock()
	if deaf || len(named)+len(more.middleware)+len(more.any) == 0 {
		release(u)
		return
	}
	e := &Event{a: a, u: u, era: era, wantsAck: u.HasID, id: u.ID}
	defer func() {
		if e.end() {
			release(u)
		}
	}()
	for _, f := range more.middleware {
		if err := f(e); err != nil {
			a.failed(e, err)
			return
		}
	}
	if e.replaced() {
		a.mu.Lock()
		named = a.handlers.named(few[:0], []byte(e.Name()))
		a.mu.Unlock()
	}
	for _, f := range more.any {
		f(e)
	}
	for _, h := range named {
		if err := h.handle(e); err != nil {
			a.failed(e, err)
		}
	}
}

// failed hands the error of a handler to the user.
func (a *actor) failed(e *Event, err error) {
	if f := a.owner.side().onError; f != nil {
		f(e, err)
		return
	}
	AnswerError(e, err)
}

// await registers f for the acknowledgement of a packet. f is called at most once,
// with no lock held: with the acknowledgement, or with nil if the actor is disconnected
// first. Called with mu held.
func (a *actor) await(id uint64, f func(*packet.Unit)) error {
	if len(a.pending) >= a.owner.side().pendingAcks {
		return errManyPending
	}
	if a.pending == nil {
		a.pending = make(map[uint64]func(*packet.Unit))
	}
	a.pending[id] = f
	return nil
}

// unexpect forgets an acknowledgement.
func (a *actor) unexpect(id uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pending, id)
}

// acknowledged hands an acknowledgement to the caller that waits for it. u
// belongs to acknowledged. If nobody waits the acknowledgement is ignored.
func (a *actor) acknowledged(u *packet.Unit) {
	var f func(*packet.Unit)
	a.mu.Lock()
	if u.HasID {
		f = a.pending[u.ID]
		delete(a.pending, u.ID)
	}
	a.mu.Unlock()
	if f == nil {
		release(u)
		return
	}
	f(u)
}

// clip returns the start of an event's name, which the other end has sent.
func clip(name []byte) string {
	const most = 100
	if len(name) > most {
		return fmt.Sprintf("%q...", name[:most])
	}
	return fmt.Sprintf("%q", name)
}
