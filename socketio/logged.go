package socketio

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// A keeper gives clients that were away what they had: recovery, from what this node
// remembers, or logged, from what a Log keeps.
type keeper interface {
	// enter connects a socket whose client is new. It returns false if the socket is
	// over.
	enter(s *Socket) bool
	// lose takes note of the end of a socket whose client may come back.
	lose(s *Socket)
	// save remembers the client of a socket that lose was told of. The socket is still
	// in its rooms.
	save(s *Socket)
	// awaits reports whether the client of a socket that is not connected may still come
	// back, so that an event for it is worth keeping; or has done so.
	awaits(s *Socket) bool
	// claim gives a socket what its client had: id, rooms and data. It returns false if
	// the client has not come back, or if an event that it may have missed is not there
	// any more.
	claim(s *Socket) bool
	// unclaim is the end of a successful claim. It remembers the client again if the client
	// was lost, or has sent another CONNECT, before it was let in. A client that was sent
	// away may not come back.
	unclaim(s *Socket)
	// resume connects a socket that has claimed what its client had, and sends the
	// events that the client has missed. Nothing is broadcast meanwhile. entered is
	// false if the socket is over, or if one of these events is not there any more,
	// which is the error.
	resume(s *Socket) (entered bool, err error)
}

// logged is the keeper of a namespace whose adapter is a Log. Its mutex is held while an
// event is sent, so that what is known of a socket is exact.
type logged struct {
	n       *Namespace
	log     Log
	watcher SessionWatcher // log, if it is one
	age     time.Duration

	mu   sync.Mutex
	last string // the offset of the last event that was delivered here
}

// A logTrack is what logged knows of a socket. Guarded by logged.mu.
type logTrack struct {
	connected, sent, lost string // as in a Session
	end                   time.Time
	claimed               *Session // by a socket that is not connected yet
	offset                string   // that its client has given
}

// claimTime is how long a Log may take to look for a session, and again for what its
// client has missed.
const claimTime = 5 * time.Second

// append delivers an event on all nodes, and keeps it. It releases o when that is done.
func (r *logged) append(t *Target, o *outgoing) error {
	d := &logDelivery{r: r, t: *t, o: *o}
	d.o.own()
	err := r.log.Append(d.t, d.o.encoded(), d.deliver)
	if failed := d.appended(); err == nil {
		err = failed
	}
	return err
}

// A logDelivery is an event that a Log delivers here when it has an offset. Append and
// deliver may end in any order: whichever is the last one calls the handlers of
// OnAnyOutgoing, and releases the event.
type logDelivery struct {
	r *logged
	t Target
	o outgoing

	mu       sync.Mutex
	begun    bool // deliver has been called
	returned bool // Append has
	over     bool // deliver has returned
	to       []*Socket
	err      error
}

// deliver is what Append gets.
func (d *logDelivery) deliver(offset string) {
	d.mu.Lock()
	again := d.begun
	d.begun = true
	d.mu.Unlock()
	if again {
		return
	}
	to, err := d.toSockets(offset)
	d.mu.Lock()
	d.to, d.err, d.over = to, err, true
	last := d.returned
	d.mu.Unlock()
	if last {
		for _, s := range to {
			d.o.notifyLater(s)
		}
		d.o.release()
	}
}

// toSockets delivers the event, on the goroutine of the adapter or of the caller who has emitted
// the event.
func (d *logDelivery) toSockets(offset string) (to []*Socket, err error) {
	defer d.r.n.survived(&err)
	return d.r.deliver(&d.t, &d.o, offset), nil
}

// appended is called when Append has returned. It returns the error of the delivery, if that is
// over.
func (d *logDelivery) appended() error {
	d.mu.Lock()
	d.returned = true
	last, err := d.over, d.err
	d.mu.Unlock()
	if last {
		for _, s := range d.to {
			d.o.notify(s)
		}
		d.o.release()
	}
	return err
}

// deliver sends an event with an offset, "" for none, to the sockets of this node that t
// addresses, and returns these.
func (r *logged) deliver(t *Target, o *outgoing, offset string) []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock() // also if Options.Parser panics
	e := o.emissionAt(r.n, offset, t.Flags)
	to := recipients{sockets: r.n.rooms.selected(nil, t)}
	if offset != "" {
		r.last = offset
		for _, s := range to.sockets {
			if s.track.stage == alive {
				s.track.log.sent = offset
			}
		}
	}
	to.send(e, t.Flags.Volatile, nil)
	return to.sockets
}

func (r *logged) enter(s *Socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.track.log = &logTrack{connected: r.last}
	if !s.enter() {
		return false
	}
	s.track.stage = alive
	return true
}

func (r *logged) lose(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := s.track; t.stage == alive {
		t.stage, t.log.lost, t.log.end = lost, r.last, time.Now()
	}
}

func (r *logged) save(s *Socket) { r.log.Save(r.session(s)) }

// session returns what the client of a socket would get back.
func (r *logged) session(s *Socket) Session {
	rooms, data := s.Rooms(), s.cloneData()
	r.mu.Lock()
	defer r.mu.Unlock()
	t := s.track.log
	last := t.lost
	if s.track.stage == alive {
		last = r.last
	}
	return Session{s.id, s.track.pid, rooms, data, t.connected, t.sent, last}
}

func (r *logged) awaits(s *Socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s.track.stage {
	case alive: // lose is about to be called, or it never will
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.mayComeBack(s.reason)
	case lost:
		return time.Since(s.track.log.end) <= r.age
	}
	return false
}

func (r *logged) claim(s *Socket) bool {
	pid, offset := s.claim()
	if pid == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), claimTime)
	defer cancel()
	session, ok, err := r.log.Take(ctx, pid, offset)
	if err != nil {
		r.n.server.o.Logger.Warn("socket.io: adapter", "namespace", r.n.name, "error", err)
	}
	if !ok || err != nil || session.ID == "" {
		return false
	}
	s.id, s.recovered = session.ID, true
	s.track.pid, s.track.log = pid, &logTrack{claimed: &session, offset: offset}
	s.mu.Lock()
	s.data = maps.Clone(session.Data) // the session is saved again if the client is lost before it is let in
	s.mu.Unlock()
	rooms := slices.DeleteFunc(slices.Clone(session.Rooms), func(room string) bool { return room == session.ID })
	if err := r.n.rooms.join(s, rooms, r.n.server.o.Limits.Rooms); err != nil {
		r.n.server.o.Logger.Warn("socket.io: rooms of a client that has come back", "namespace", r.n.name, "error", err)
	}
	return true
}

func (r *logged) unclaim(s *Socket) {
	again := s.gaveUp()
	r.mu.Lock()
	t := s.track.log
	if t == nil || t.claimed == nil { // it is new by now, or was let in
		r.mu.Unlock()
		return
	}
	claimed := t.claimed
	t.claimed = nil
	r.mu.Unlock()
	if again {
		r.log.Save(*claimed)
	}
	if r.watcher != nil {
		r.watcher.SessionEnded(claimed.ID)
	}
}

func (r *logged) resume(s *Socket) (entered bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), claimTime)
	defer cancel()
	t := s.track.log
	var panicked any
	err = r.log.Resume(ctx, *t.claimed, t.offset, func(missed iter.Seq[Missed]) {
		defer func() { // Options.Parser may panic; the goroutine may be the adapter's
			if v := recover(); v != nil {
				panicked = fmt.Sprintf("%v\n\n%s", v, debug.Stack())
			}
		}()
		entered = r.replay(s, missed)
	})
	if panicked != nil {
		panic(panicked) // the goroutine is the socket's
	}
	return entered, err
}

// replay connects a socket whose client has come back, and sends what it has missed.
func (r *logged) replay(s *Socket, missed iter.Seq[Missed]) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := s.track.log
	rooms := append(slices.Clone(t.claimed.Rooms), s.id)
	if !s.enter() {
		return false
	}
	t.connected, t.sent, t.claimed = t.claimed.Connected, t.offset, nil
	s.track.stage = alive
	for m := range missed {
		if !m.Target.matches(rooms) {
			continue
		}
		if r.resend(s, &m) == nil {
			t.sent = m.Offset
		}
	}
	return true
}

// resend sends an event that the client of a socket has missed. With an error no node has
// delivered it, or this one can't.
func (r *logged) resend(s *Socket, m *Missed) (err error) {
	defer r.n.survived(&err)
	o, err := r.n.server.wire.incoming(r.n.name, m.Event)
	if err != nil {
		return err
	}
	defer o.release()
	s.send(o.emissionAt(r.n, m.Offset, m.Target.Flags), false)
	return nil
}
