package main

import (
	"context"
	"math/rand/v2"
	"net"
	"time"
)

// A slot holds one connection after the other: each that was killed is replaced.
type slot struct {
	*soak
	kind   *kind
	room   *room
	stops  bool // it is one of those that stop reading in slow phases
	random *rand.Rand
	orders chan struct{} // to kill the connection
}

// dialTime is how long a connection may take to be opened.
const dialTime = time.Minute

// run opens connections until the soak is drained.
func (s *slot) run() {
	for {
		if s.isDraining() {
			s.drained.Done()
			return
		}
		w := &watch{all: s.tally, now: s.now, kind: s.kind.name, room: s.room, gone: make(chan struct{})}
		t := new(tap)
		c, err := s.open(w, t)
		if err != nil {
			s.tally.wrong("%s: not opened: %v", s.kind.name, err)
			t.kill(func(c *net.TCPConn) { c.Close() })
			s.pause(time.Second)
			continue
		}
		s.opened.Add(1)
		last := s.live(c, w, t)
		s.opened.Add(-1)
		if last {
			return
		}
	}
}

// open opens a connection, when it is its turn.
func (s *slot) open(w *watch, t *tap) (client, error) {
	s.dialing <- struct{}{}
	defer func() { <-s.dialing }()
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	return s.kind.dial(ctx, s.address, w, t)
}

// live sends messages, each at the time that was planned for it, until the connection is
// killed or has ended. It is true if the connection was the last one, which was drained.
func (s *slot) live(c client, w *watch, t *tap) bool {
	at := s.now() + time.Duration(s.random.Float64()*float64(time.Second))
	timer := time.NewTimer(at - s.now())
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if phase := s.slowPhase(); phase != nil && s.stops && w.ready() {
				s.stop(phase, c, w, t)
				return false
			}
			if !s.resting.Load() {
				if err := c.send(w.send(), int64(at)); err != nil && !w.expected() {
					w.end("sending: " + err.Error())
				}
			}
			at += s.interval
			timer.Reset(at - s.now())
		case <-s.orders:
			if s.kill(c, w, t) {
				return false
			}
		case <-w.gone:
			s.later(c.abandon)
			return false
		case <-s.draining:
			s.drain(c, w)
			return true
		}
	}
}

// kill kills the connection in one of the ways. It is false if the client is to come back.
func (s *slot) kill(c client, w *watch, t *tap) bool {
	n := len(ways) + 1 // with a goodbye
	if s.kind.socketIO {
		n++ // and with coming back
	}
	switch i := s.random.IntN(n); {
	case i > len(ways):
		if w.leave() {
			s.tally.count("killed: reset, to come back")
			t.reset()
		}
		return false
	case i == len(ways):
		w.hurting()
		s.tally.count("killed: goodbye")
		s.later(func() {
			c.goodbye()
			t.kill(func(c *net.TCPConn) { c.Close() })
		})
	default:
		w.hurting()
		s.tally.count("killed: " + ways[i].name)
		s.later(func() { s.cut(c, t, ways[i].do) })
	}
	return true
}

// cut cuts the client's sockets and ends the client, which has noticed by then or will.
func (s *slot) cut(c client, t *tap, do func(*net.TCPConn)) {
	s.later(func() {
		time.Sleep(time.Second)
		c.abandon()
	})
	t.kill(do)
}

// stop stops reading, until the phase ends or the server has given the connection up.
func (s *slot) stop(phase context.Context, c client, w *watch, t *tap) {
	w.hurting()
	s.tally.count("stopped readers")
	s.cut(c, t, func(nc *net.TCPConn) { stop(phase, nc, s.kind.fill) })
}

// drainTime is how long what was sent may take to arrive in the end.
const drainTime = 30 * time.Second

// drain waits for what is still to come, and says goodbye.
func (s *slot) drain(c client, w *watch) {
	for end := s.now() + drainTime; !w.complete() && s.now() < end; {
		time.Sleep(200 * time.Millisecond)
	}
	w.finish()
	s.drained.Done()
	<-s.leaving
	if err := c.goodbye(); err != nil {
		s.tally.wrong("%s: goodbye: %v", s.kind.name, err)
	}
}
