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

	"github.com/parleyws/parley/socketio/internal/packet"
)

// Recovery gives clients that were away for a moment back what they had: their
// id, rooms and data, and the events that they missed. It serves clients that
// lost their connection once they have received an event, not those that left
// or were sent away. Each event that is neither volatile nor asks for an
// acknowledgement carries an offset, a string, as one more argument; handlers in
// the client see it too.
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
	// RunMiddleware runs the middleware for clients that come back, too.
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
	o      Recovery
	prefix string // of offsets, so that an offset from an earlier run of the server is not taken

	mu      sync.Mutex
	events  ring[missable]
	first   uint64                   // number of the oldest event
	bytes   int                      // size of the events
	clients map[string]*list.Element // the elements of lost, by pid
	lost    list.List                // holds *lostClient; the client that was lost first is the first
	timer   *time.Timer
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

// A lostClient is a client that may come back.
type lostClient struct {
	at    time.Time
	pid   string // the client knows it
	id    string
	rooms []string
	data  map[string]any
}

func newRecovery(o Recovery) *recovery {
	return &recovery{o: o, prefix: randomID()[:8] + ".", clients: make(map[string]*list.Element)}
}

// broadcast delivers an event to the sockets of this node, and keeps it.
func (r *recovery) broadcast(n *Namespace, t *Target, event string, args []any) error {
	// No lock is held yet: encoding calls the user's MarshalJSON.
	encoded, err := newEncoder(n.name, func(e *encoder) error { return e.event(event, args) })
	if err != nil {
		return err
	}
	defer encoded.release()
	r.mu.Lock()
	encoded.offset(formatOffset(r.prefix, r.first+uint64(r.events.n)))
	e := encoded.emission(packet.Event, n.name, nil, t.Flags)
	now := time.Now()
	m := missable{now, Target{slices.Clone(t.Rooms), slices.Clone(t.Except), t.Flags}, e}
	r.events.push(m)
	r.bytes += m.size()
	r.forget(now)
	to := recipients{sockets: n.rooms.selected(nil, t)}
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
	if r.timer == nil && !r.stopped && r.events.n+r.lost.Len() > 0 {
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
	defer r.mu.Unlock()
	r.timer = nil
	r.forget(time.Now())
}

// save remembers the client of a socket that has ended. The socket is still in its
// rooms.
func (r *recovery) save(s *Socket) {
	rooms := s.Rooms()
	s.mu.Lock()
	data := maps.Clone(s.data)
	s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.clients[s.pid] = r.lost.PushBack(&lostClient{now, s.pid, s.id, rooms, data})
	r.forget(now)
}

// restore connects a socket whose client has come back, and sends the events that
// the client has missed. Nothing is broadcast meanwhile. It returns false if the
// client has not come back, or can't be given back what it had.
func (r *recovery) restore(s *Socket) bool {
	var claim struct{ PID, Offset string }
	if json.Unmarshal(s.auth, &claim) != nil || claim.PID == "" {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(time.Now())
	e, known := r.clients[claim.PID]
	next, ok := r.after(claim.Offset)
	if !known || !ok {
		return false
	}
	lost := r.remove(e)
	s.id, s.pid, s.recovered = lost.id, claim.PID, true
	s.data = lost.data
	_ = s.Join(lost.rooms...) // it can't exceed the limit: it did not before
	if !s.enter() {
		return true
	}
	for i := next; i < r.events.n; i++ {
		if m := r.events.at(i); m.t.matches(lost.rooms) {
			s.send(m.e, false)
		}
	}
	return true
}

// after returns the index in r.events of the event that follows an offset. ok is
// false if the offset is not one of r's, or if the event was dropped.
func (r *recovery) after(offset string) (int, bool) {
	digits, ok := strings.CutPrefix(offset, r.prefix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 36, 64)
	if err != nil || number >= r.first+uint64(r.events.n) || number+1 < r.first {
		return 0, false
	}
	return int(number + 1 - r.first), true
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
