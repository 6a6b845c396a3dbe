package socketio

import (
	"container/list"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/parser"
)

// Recovery gives clients that were away for a moment back what they had: their
// id, rooms and data, and the events that they missed. It serves clients that
// lost their connection, not those that left or were sent away. While a client is
// away, its socket and all rooms of that can be emitted to; the events are
// delivered when it comes back. Each event that is neither volatile nor asks for an
// acknowledgement carries an offset, a string, as one more argument; handlers in
// the client see it too. A client that comes back gives the offset of the last
// event that it has received.
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
	// the client, who is then forgotten.
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

// A track is what recovery knows of a socket. Guarded by recovery.mu, but for pid.
//
//	first               next                lost             the end of events
//	  | sent to the socket | not addressed to | that it could     |
//	  | or not             | the socket       | not get any more  |
type track struct {
	pid   string // identifies the client when it comes back
	stage stage
	first uint64      // number of the first event after the socket had connected
	next  uint64      // number after that of the last event that was sent to the socket
	lost  uint64      // number of the first event after its end
	back  *lostClient // the client that has come back, until the socket is connected; nil: a new one
	from  uint64      // number of the first event that it may have missed
}

// A stage is how far the life of a socket has come.
type stage uint8

const (
	unborn stage = iota // the socket has not connected
	alive
	lost  // it has ended in a way that its client may come back from
	saved // and its handlers know; the client is remembered, or was forgotten since
)

// A lostClient is a client that may come back.
type lostClient struct {
	at                time.Time
	pid               string // the client knows it
	id                string
	rooms             []string
	data              map[string]any
	first, next, lost uint64 // as in a track
}

func newRecovery(n *Namespace, o Recovery) *recovery {
	return &recovery{n: n, o: o, prefix: randomID()[:8] + ".", clients: make(map[string]*list.Element)}
}

// end returns the number of the next event.
func (r *recovery) end() uint64 { return r.first + uint64(r.events.n) }

// broadcast delivers an event to the sockets of this node, and keeps it.
func (r *recovery) broadcast(n *Namespace, t *Target, event string, args []any) error {
	// No lock is held yet: encoding calls the user's MarshalJSON.
	wire := &n.server.wire
	encoded, err := wire.newEncoder(n.name, func(e *encoder) error { return e.event(event, args) })
	if err != nil {
		return err
	}
	defer encoded.release()
	r.mu.Lock()
	number := r.end()
	encoded.offset(formatOffset(r.prefix, number))
	e := wire.emission(encoded, parser.Event, n.name, nil, t.Flags)
	now := time.Now()
	m := missable{now, Target{slices.Clone(t.Rooms), slices.Clone(t.Except), t.Flags}, e}
	r.events.push(m)
	r.bytes += m.size()
	r.forget(now)
	to := recipients{sockets: n.rooms.selected(nil, t)}
	for _, s := range to.sockets {
		if s.track.stage == alive {
			s.track.next = number + 1
		}
	}
	to.send(e, false)
	r.mu.Unlock()
	for _, s := range to.sockets {
		s.notifyOutgoing(event, args)
	}
	return nil
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
		r.remove(e)
	}
	if r.timer == nil && !r.stopped && (r.events.n > 0 || r.holding) {
		r.timer = time.AfterFunc(r.o.MaxAge+time.Second, r.tidy)
	}
}

// remove forgets a client and returns it.
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
	if unused {
		r.n.server.unuse(r.n)
	}
}

// enter connects a socket whose client is new. It returns false if the socket is
// over.
func (r *recovery) enter(s *Socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := s.track
	t.first, t.next = r.end(), r.end()
	if !s.enter() {
		return false
	}
	t.stage = alive
	return true
}

// lose takes note of the end of a socket whose client may come back.
func (r *recovery) lose(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := s.track; t.stage == alive {
		t.stage, t.lost = lost, r.end()
	}
}

// save remembers the client of a socket that lose was told of. The socket is still
// in its rooms, and counts as a user of the namespace.
func (r *recovery) save(s *Socket) {
	rooms := s.Rooms()
	s.mu.Lock()
	data := maps.Clone(s.data)
	s.mu.Unlock()
	r.mu.Lock()
	t := s.track
	t.stage = saved
	r.remember(&lostClient{time.Now(), t.pid, s.id, rooms, data, t.first, t.next, t.lost})
	hold := !r.holding
	r.holding = true
	r.forget(time.Now())
	r.mu.Unlock()
	if hold {
		n := r.n
		n.server.mu.Lock()
		n.users++
		n.server.mu.Unlock()
	}
}

// remember adds c to the lost clients, in the order in which they were lost.
func (r *recovery) remember(c *lostClient) {
	e := r.lost.Back()
	for e != nil && e.Value.(*lostClient).at.After(c.at) {
		e = e.Prev()
	}
	if e == nil {
		r.clients[c.pid] = r.lost.PushFront(c)
	} else {
		r.clients[c.pid] = r.lost.InsertAfter(c, e)
	}
}

// awaits reports whether the client of a socket that is not connected may still
// come back, so that an event for it is worth keeping; or has done so.
func (r *recovery) awaits(s *Socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s.track.stage {
	case alive: // lose is about to be called, or it never will
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.reason.recoverable()
	case lost:
		return true
	case saved:
		_, back := r.n.rooms.socket(s.id)
		return back || r.clients[s.track.pid] != nil
	}
	return false
}

// claim gives a socket what its client had: id, rooms and data. It returns false if
// the client has not come back, or if an event that it may have missed is not there
// any more.
func (r *recovery) claim(s *Socket) bool {
	var claim struct{ PID, Offset string }
	if json.Unmarshal(s.auth, &claim) != nil || claim.PID == "" {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(time.Now())
	e, known := r.clients[claim.PID]
	if !known {
		return false
	}
	from, ok := r.missedFrom(e.Value.(*lostClient), claim.Offset)
	if !ok || from < r.first {
		return false
	}
	c := r.remove(e)
	s.id, s.recovered = c.id, true
	s.track.pid, s.track.back, s.track.from = c.pid, c, from
	s.mu.Lock()
	s.data = c.data
	s.mu.Unlock()
	_ = s.Join(c.rooms...) // it can't exceed the limit: it did not before
	return true
}

// missedFrom returns the number of the first event that c may have missed, if it
// has received the event with an offset and those before; "" is none. ok is false
// if the offset is not one of r's.
//
// Of the events before its end c was sent those up to next, so that a client which
// has got the last of these has missed none of them, however old it is.
func (r *recovery) missedFrom(c *lostClient, offset string) (from uint64, ok bool) {
	from = c.first
	if offset != "" {
		digits, ours := strings.CutPrefix(offset, r.prefix)
		number, err := strconv.ParseUint(digits, 36, 64)
		if !ours || err != nil || number >= r.end() {
			return 0, false
		}
		from = number + 1
	}
	if from >= c.next {
		from = max(from, c.lost)
	}
	return from, true
}

// resume connects a socket that has claimed what its client had, and sends the
// events that the client has missed. Nothing is broadcast meanwhile. entered is
// false if the socket is over, or if one of these events is not there any more, which
// is the error.
func (r *recovery) resume(s *Socket) (entered bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := s.track
	c := t.back
	t.back = nil
	if t.from < r.first {
		return false, errOutrun
	}
	if !s.enter() { // it was lost again meanwhile
		r.remember(c)
		return false, nil
	}
	t.first, t.next, t.stage = c.first, t.from, alive
	for number := t.from; number < r.end(); number++ {
		if m := r.events.at(int(number - r.first)); m.t.matches(c.rooms) {
			s.send(m.e, false)
			t.next = number + 1
		}
	}
	return true, nil
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
