package conn

import (
	"fmt"
	"os"
	"time"

	"github.com/parleyws/parley/internal/loop"
)

// This file is how the handshakes of ServeConns are read on a loop: a client that has not
// sent its request holds neither a goroutine nor a buffer. What follows the request has a
// goroutine for as long as it takes: the response, and the wait for a refused client.

// A loopedNewcomer is a newcomer as its loop sees it.
type loopedNewcomer newcomer

// greetLooped begins the handshake on a loop.
func (n *newcomer) greetLooped(s *loop.Socket) {
	n.opening.Peer = s
	if d := n.opening.Timeout(); d >= 0 {
		s.Clock().Set((*loopedNewcomer)(n), d)
	}
	s.Serve((*loopedNewcomer)(n))
}

// Readable implements loop.Reader: it takes what has come of the request.
func (l *loopedNewcomer) Readable() (again bool) {
	n := (*newcomer)(l)
	s := n.nc.(*loop.Socket)
	defer func() {
		if !again {
			s.Stop()
			s.Clock().Stop(l)
			go n.greet()
		}
	}()
	for !n.late.Load() {
		count, nothing, err := s.TryRead(n.opening.Room())
		switch {
		case nothing:
			n.opening.Take(0) // gives the memory back if nothing has come at all
			return true
		case err != nil: // greet finds the same
			return false
		case n.take(count):
			return false
		}
	}
	n.failed = fmt.Errorf("websocket: accept: %w", os.ErrDeadlineExceeded)
	return false
}

// take takes bytes of the request, and reports whether there is an answer, or a hook has
// panicked or ended the goroutine.
func (n *newcomer) take(count int) (done bool) {
	n.failed = unreturned
	defer func() {
		if n.failed != nil {
			n.failed, done = recovered(n.failed, recover()), true
		}
	}()
	done = n.opening.Take(count)
	n.failed = nil
	return done
}

// Ring implements alarm.Sleeper.
func (l *loopedNewcomer) Ring() {
	l.late.Store(true)
	l.nc.SetReadDeadline(time.Unix(1, 0)) // which has Readable called
}

// Place implements alarm.Sleeper.
func (l *loopedNewcomer) Place() *int32 { return &l.place }
