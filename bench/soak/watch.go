package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// A room is one to which a publisher sends numbered messages. The numbers below published
// were sent, or are just being sent.
type room struct {
	name      string
	published atomic.Int64
}

// A watch checks what comes on one connection. What the connection's own goroutines find
// and what the slot does to it meet here.
type watch struct {
	all  *tally
	now  func() time.Duration // since the beginning of the run
	kind string
	room *room
	gone chan struct{} // closed when the connection has ended by itself

	mu         sync.Mutex
	echo, cast sequence
	sent       int  // how many messages were sent that come back
	joined     bool // the server has it in the room
	hurt       bool // somebody was at it: nothing counts any more
	away       bool // the client has lost its connection, and comes back
	back       bool // the client has come back after it was cut
	ended      bool
}

// send returns the number of the next message.
func (w *watch) send() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	return w.sent - 1
}

// echoed takes the number of a message that has come back.
func (w *watch) echoed(n int, at int64) {
	w.take(&w.echo, n, at)
	w.enter()
}

// published takes the number of a message to the room.
func (w *watch) published(n int, at int64) { w.take(&w.cast, n, at) }

func (w *watch) take(s *sequence, n int, at int64) {
	late := w.now() - time.Duration(at)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hurt {
		return
	}
	before := s.Faults
	s.add(n)
	w.found(s.Faults.minus(before))
	if !w.back {
		w.all.message(w.kind, late)
	}
}

func (w *watch) found(f Faults) {
	if f != (Faults{}) {
		w.all.faults(w.back, f)
	}
}

// enter says that the server has put the connection into its room: what is published from
// now on has to come.
func (w *watch) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.joined {
		w.joined = true
		w.echo.must(0)
		w.cast.must(int(w.room.published.Load()))
	}
}

// hurting says that the connection is about to be killed.
func (w *watch) hurting() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hurt = true
}

// leave says that the connection is about to be cut, and that its client comes back. It is
// false, and nothing is to be done, if the client is not connected.
func (w *watch) leave() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.joined || w.away || w.ended {
		return false
	}
	w.away, w.back = true, true
	return true
}

// ready reports whether the connection is one that works.
func (w *watch) ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.joined && !w.away && !w.ended
}

// expected reports whether a client that has lost its connection was cut by us.
func (w *watch) expected() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hurt || w.away
}

// returned says that the client is connected again. If it was not given back what it had
// before, its room begins anew.
func (w *watch) returned(recovered bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.away || w.hurt {
		return
	}
	w.away = false
	w.echo.excuse(w.sent)
	if recovered {
		w.all.count(w.kind + ": came back, recovered")
		return
	}
	w.all.count(w.kind + ": came back as new")
	w.joined = false
	w.cast = sequence{}
}

// end says that the connection has ended by itself.
func (w *watch) end(why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hurt || w.ended {
		return
	}
	w.ended = true
	w.all.wrong("%s: ended: %s", w.kind, why)
	close(w.gone)
}

// complete reports whether nothing is missing that was sent or published.
func (w *watch) complete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hurt || w.ended || !w.away && w.echo.complete(w.sent) && w.cast.complete(int(w.room.published.Load()))
}

// finish counts what has not come as lost. Nothing counts any more afterwards.
func (w *watch) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hurt || w.ended {
		return
	}
	before := w.echo.Faults.plus(w.cast.Faults)
	w.echo.end(w.sent)
	w.cast.end(int(w.room.published.Load()))
	w.found(w.echo.Faults.plus(w.cast.Faults).minus(before))
	w.hurt = true
}
