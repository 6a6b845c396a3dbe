package socketio

import (
	"container/list"
	"slices"
	"sync"
	"time"
)

// Recovery gives clients that were away for a moment back what they had: their
// id, rooms and data, and the events that they missed. It serves clients that
// lost their connection, not those that left or were sent away. While a client is
// away, its socket and all rooms of that can be emitted to; the events are
// delivered when it comes back. Each event that is neither volatile nor asks for an
// acknowledgement carries an offset, a string, as one more argument; handlers in
// the client see it too. A client that comes back gives the offset of the last
// event that it has received. One that comes back while a handler of its old socket
// is still busy, unless that is one of OnDisconnect, is new; so is one that was lost
// before the handlers of OnConnect had returned, and so are all clients of Socket.IO 2.
//
// In every field zero is the default, and a negative value turns the limit off.
type Recovery struct {
	// MaxAge is how long a client may be away. Default 2 minutes.
	MaxAge time.Duration
	// EventBytes is the size of all events that a namespace keeps. Default 16
	// MiB. An event counts about as much memory as it takes: its bytes and 320
	// more, 128 for each attachment, and the names of the rooms that it is for.
	// The oldest events are dropped; a client that would need one of them
	// connects anew.
	EventBytes int
	// Sessions is how many clients a namespace remembers. Default 10,000. For
	// one more, the client that has been away longest is forgotten.
	Sessions int
	// RunMiddleware runs the middleware for clients that come back, too, once
	// they have their id, rooms and data back: it may refresh those, or refuse
	// the client, who is then forgotten. If an event that the client has missed
	// turns out to be gone by then, the connection is closed and the client
	// connects anew; otherwise it is new at once.
	RunMiddleware bool
}

func (r Recovery) withDefaults() Recovery {
	r.MaxAge = choose(r.MaxAge, 2*time.Minute, noTime)
	r.EventBytes = choose(r.EventBytes, 16<<20, noCount)
	r.Sessions = choose(r.Sessions, 10_000, noCount)
	return r
}

// recovery is what a namespace remembers. Its mutex is held while an event is
// sent, so that offsets are in the order of delivery, and a client that comes
// back misses nothing meanwhile.
type recovery struct {
	n      *Namespace
	o      Recovery
	prefix string // of offsets, so that an offset from an earlier run of the server is not taken

	mu      sync.Mutex
	events  ring[missable]
	first   uint64                   // number of the oldest event
	bytes   int                      // size of the events
	clients map[string]*list.Element // the elements of lost, by pid
	lost    list.List                // holds *lostClient; the client that was lost first is the first
	timer   *time.Timer
	holding bool // r counts as a user of the namespace: it remembers clients
	stopped bool
}

// A missable is an event that a client may have missed.
type missable struct {
	at time.Time
	t  Target
	e  *emission
}

// What counts in addition to the bytes of an event, of an attachment and of the
// name of a room.
const (
	eventOverhead      = 320
	attachmentOverhead = 128
	roomOverhead       = 16
)

// size is what m counts in EventBytes.
func (m *missable) size() int {
	n := eventOverhead + m.e.size + attachmentOverhead*(len(m.e.messages)-1)
	for _, rooms := range [][]string{m.t.Rooms, m.t.Except} {
		for _, room := range rooms {
			n += roomOverhead + len(room)
		}
	}
	return n
}

func newRecovery(n *Namespace, o Recovery) *recovery {
	return &recovery{n: n, o: o, prefix: randomID()[:8] + ".", clients: make(map[string]*list.Element)}
}

// end returns the number of the next event.
func (r *recovery) end() uint64 { return r.first + uint64(r.events.n) }

// broadcast delivers an event to the sockets of this node, and keeps it.
func (r *recovery) broadcast(t *Target, o *outgoing, b *Batch) {
	for _, s := range r.deliver(t, o, b) {
		o.notify(s)
	}
	r.n.rooms.tell() // clients may have been forgotten
}

// deliver is broadcast without the handlers of OnAnyOutgoing. It returns the sockets
// that the event was sent to.
func (r *recovery) deliver(t *Target, o *outgoing, b *Batch) []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock() // also if Options.Parser panics
	number := r.end()
	e := o.emissionAt(r.n, formatOffset(r.prefix, number), t.Flags)
	now := time.Now()
	m := missable{now, Target{slices.Clone(t.Rooms), slices.Clone(t.Except), t.Flags}, e}
	r.events.push(m)
	r.bytes += m.size()
	r.forget(now)
	to := recipients{sockets: r.n.rooms.selected(nil, t)}
	for _, s := range to.sockets {
		if s.track.stage == alive {
			s.track.next = number + 1
		}
	}
	to.send(e, false, b)
	return to.sockets
}

// forget drops the events and clients that are too old or too many, the oldest
// first. If any are left it starts the timer that calls forget again. Called with
// mu held.
func (r *recovery) forget(now time.Time) {
	for r.events.n > 0 && (r.bytes > r.o.EventBytes || now.Sub(r.events.at(0).at) > r.o.MaxAge) {
		r.bytes -= r.events.at(0).size()
		r.events.pop()
		r.first++
	}
	for e := r.lost.Front(); e != nil; e = r.lost.Front() {
		if c := e.Value.(*lostClient); r.lost.Len() <= r.o.Sessions && now.Sub(c.at) <= r.o.MaxAge {
			break
		}
		r.n.rooms.unkeep(r.remove(e).rooms)
	}
	if r.timer == nil && !r.stopped && (r.events.n > 0 || r.holding) {
		r.timer = time.AfterFunc(r.o.MaxAge+time.Second, r.tidy)
	}
}

// remove takes a client off those that are lost, and returns it. Its rooms stay open
// until the caller calls unkeep.
func (r *recovery) remove(e *list.Element) *lostClient {
	c := r.lost.Remove(e).(*lostClient)
	delete(r.clients, c.pid)
	return c
}

// tidy is called by the timer.
func (r *recovery) tidy() {
	r.mu.Lock()
	r.timer = nil
	unused := r.holding && r.lost.Len() == 0
	if unused {
		r.holding = false
	}
	r.forget(time.Now())
	r.mu.Unlock()
	r.n.rooms.tell()
	if unused {
		r.n.server.unuse(r.n)
	}
}

// matches reports whether t addresses a socket in these rooms.
func (t *Target) matches(rooms []string) bool {
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(room string) bool { return slices.Contains(rooms, room) })
	}
	return (len(t.Rooms) == 0 || in(t.Rooms)) && !in(t.Except)
}

// stop stops the timer for good.
func (r *recovery) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	if r.timer != nil {
		r.timer.Stop()
	}
}
