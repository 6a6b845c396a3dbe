package socketio

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
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
	// Sessions is how many clients a namespace remembers. Default 10,000.
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
// sent: the order of offsets is that of delivery, and who comes back misses
// nothing in between.
type recovery struct {
	o      Recovery
	prefix string // of offsets: those of another run of the server mean nothing

	mu      sync.Mutex
	events  []missable
	first   uint64 // number of events[0]
	octets  int    // what they count
	clients map[string]lostClient
	timer   *time.Timer
	stopped bool
}

// A missable is an event that somebody may have missed.
type missable struct {
	at time.Time
	t  Target
	e  *emission
}

// What counts beside the octets of an event, an attachment and the name of a room.
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

// A lostClient is one that may come back, by the pid that it knows.
type lostClient struct {
	at    time.Time
	id    string
	rooms []string
	data  map[string]any
}

func newRecovery(o Recovery) *recovery {
	return &recovery{o: o, prefix: randomID()[:8] + ".", clients: make(map[string]lostClient)}
}

// broadcast delivers an event and keeps it.
func (r *recovery) broadcast(n *Namespace, t *Target, event string, args []any) error {
	r.mu.Lock()
	number := r.first + uint64(len(r.events))
	e, err := newEvent(n.name, event, args, nil, formatOffset(r.prefix, number), t.Flags)
	if err != nil {
		r.mu.Unlock()
		return err
	}
	now := time.Now()
	kept := Target{slices.Clone(t.Rooms), slices.Clone(t.Except), t.Flags}
	r.events = append(r.events, missable{now, kept, e})
	r.octets += r.events[len(r.events)-1].size()
	r.forget(now)
	list := recipients{sockets: n.rooms.selected(nil, t)}
	list.send(e, false)
	r.mu.Unlock()
	for _, s := range list.sockets {
		s.notifyOutgoing(event, args)
	}
	return nil
}

// forget drops events that are too old or too many, and sees to it that what
// is left is looked at again.
func (r *recovery) forget(now time.Time) {
	n := 0
	for n < len(r.events) && (now.Sub(r.events[n].at) > r.o.MaxAge || r.octets > r.o.EventBytes) {
		r.octets -= r.events[n].size()
		n++
	}
	clear(r.events[:n])
	r.first += uint64(n)
	if r.events = r.events[n:]; len(r.events) == 0 {
		r.events = nil
	}
	if r.timer == nil && !r.stopped && len(r.events)+len(r.clients) > 0 {
		r.timer = time.AfterFunc(r.o.MaxAge+time.Second, r.tidy)
	}
}

// tidy is the timer.
func (r *recovery) tidy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.timer = nil
	maps.DeleteFunc(r.clients, func(_ string, c lostClient) bool { return now.Sub(c.at) > r.o.MaxAge })
	r.forget(now)
}

// save remembers a socket that has ended, before it leaves its rooms.
func (r *recovery) save(s *Socket) {
	rooms := s.Rooms()
	s.mu.Lock()
	data := maps.Clone(s.data)
	s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if len(r.clients) < r.o.Sessions {
		r.clients[s.pid] = lostClient{now, s.id, rooms, data}
	}
	r.forget(now)
}

// restore connects a socket whose client has come back, if it has, and sends
// what it missed. Nothing is broadcast meanwhile.
func (r *recovery) restore(s *Socket) bool {
	var claim struct{ PID, Offset string }
	if json.Unmarshal(s.auth, &claim) != nil || claim.PID == "" {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.forget(now)
	lost, known := r.clients[claim.PID]
	next, ok := r.after(claim.Offset)
	if !known || !ok || now.Sub(lost.at) > r.o.MaxAge {
		return false
	}
	delete(r.clients, claim.PID)
	s.id, s.pid, s.recovered = lost.id, claim.PID, true
	s.data = lost.data
	_ = s.Join(lost.rooms...) // within the limit: it was before
	if !s.enter() {
		return true
	}
	for _, m := range r.events[next:] {
		if m.t.matches(lost.rooms) {
			s.send(m.e, false)
		}
	}
	return true
}

// after returns the index of the event that follows an offset, if nothing in
// between was dropped.
func (r *recovery) after(offset string) (int, bool) {
	digits, ok := strings.CutPrefix(offset, r.prefix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 36, 64)
	if err != nil || number >= r.first+uint64(len(r.events)) || number+1 < r.first {
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

// stop ends the timer.
func (r *recovery) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	if r.timer != nil {
		r.timer.Stop()
	}
}
