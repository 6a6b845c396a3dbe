package socketio

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

// This file is how a client comes back: what recovery knows of each socket, and what
// a client that was lost gets again.

// A track is what a keeper knows of a socket. Guarded by the keeper's mutex, but for pid.
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
	rooms []string    // of the client that has come back, which stay open until unclaim
	log   *logTrack   // instead of all numbers, if the adapter is a Log
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
	rooms, data := s.Rooms(), s.cloneData()
	r.mu.Lock()
	defer r.mu.Unlock()
	t := s.track
	t.stage = saved
	r.remember(&lostClient{time.Now(), t.pid, s.id, rooms, data, t.first, t.next, t.lost})
}

// unclaim remembers a client again that a socket has claimed, if it still may come back.
func (r *recovery) unclaim(s *Socket) {
	again := s.gaveUp()
	defer r.n.rooms.tell()
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := s.track.back; c != nil && again {
		r.remember(c)
	}
	r.n.rooms.unkeep(s.track.rooms)
}

// remember adds c to the lost clients, in the order in which they were lost. The
// socket that c is of still counts as a user of the namespace, and now r does too.
// Called with mu held.
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
	r.n.rooms.keep(c.rooms)
	if !r.holding {
		r.holding = true
		r.n.server.mu.Lock()
		r.n.users++
		r.n.server.mu.Unlock()
	}
	r.forget(time.Now())
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
		return s.mayComeBack(s.reason)
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
	pid, offset := s.claim()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(time.Now())
	e, known := r.clients[pid]
	if !known {
		return false
	}
	from, ok := r.missedFrom(e.Value.(*lostClient), offset)
	if !ok || from < r.first {
		return false
	}
	c := r.remove(e)
	s.id, s.recovered = c.id, true
	s.track.pid, s.track.back, s.track.from, s.track.rooms = c.pid, c, from, c.rooms
	s.mu.Lock()
	s.data = maps.Clone(c.data) // c is remembered again if the client is lost before it is let in
	s.mu.Unlock()
	_ = r.n.rooms.join(s, c.rooms, noCount) // it can't exceed the limit: it did not before
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
	if t.from < r.first {
		t.back = nil
		return false, errOutrun
	}
	if !s.enter() {
		return false, nil
	}
	t.back = nil
	// A client that is sent nothing now names the same event the next time. It must still
	// have all that it was sent then, so next stays where it was.
	t.first, t.next, t.stage = c.first, min(t.from, c.next), alive
	for number := t.from; number < r.end(); number++ {
		if m := r.events.at(int(number - r.first)); m.t.matches(c.rooms) {
			s.send(m.e, false)
			t.next = number + 1
		}
	}
	return true, nil
}
