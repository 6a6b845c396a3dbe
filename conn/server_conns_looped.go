package conn

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/parleyws/parley/internal/loop"
)

// This file is how the handshakes of ServeConns are read on a loop: a client that has not
// sent its request holds neither a goroutine nor a buffer. A response that does not go out
// at once, and a refused client, have a goroutine for as long as it takes.

// A loopedNewcomer is a newcomer as its loop sees it.
type loopedNewcomer newcomer

// The phases of a handshake on a loop. Its clock may ring while a worker has the request, and
// must not touch a stream that is a connection by then: the first of both decides.
const (
	greeting uint32 = iota
	overdue         // the time for the handshake is over
	answered        // there is a request to answer, or nothing more to wait for
)

// greetLooped begins the handshake on a loop.
func (n *newcomer) greetLooped(s *loop.Socket) {
	n.opening.Peer = s
	if d := n.opening.Timeout(); d >= 0 {
		s.Clock().Set((*loopedNewcomer)(n), d)
	}
	s.Serve((*loopedNewcomer)(n))
}

// Readable implements loop.Reader: it takes what has come of the request.
func (l *loopedNewcomer) Readable(*loop.Worker) (again bool) {
	n := (*newcomer)(l)
	s := n.nc.(*loop.Socket)
	accepted := false
	defer func() {
		if again {
			return
		}
		s.Stop()
		s.Clock().Stop(l)
		if accepted {
			n.welcome()
		} else {
			go n.greet()
		}
	}()
	for n.phase.Load() != overdue {
		count, nothing, err := s.TryRead(n.opening.Room())
		switch {
		case nothing && n.phase.Load() == overdue: // TryRead may have taken the poke away
		case nothing:
			n.opening.Take(0) // gives the memory back if nothing has come at all
			return true
		case err != nil, n.take(count): // greet finds the same error
			if n.phase.CompareAndSwap(greeting, answered) {
				accepted = err == nil && n.failed == nil && n.answer(s)
				return false
			}
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

// answer sends the response to a request that is accepted, and reports whether it is out.
func (n *newcomer) answer(s *loop.Socket) bool {
	if _, err := n.opening.Result(); err != nil {
		return false
	}
	response := n.opening.Response(time.Time{})
	count, err := s.TryWrite(response)
	if 0 < count && count < len(response) && err == nil {
		err = io.ErrShortWrite // of some hundred bytes, the first ones on a connection
	}
	if err != nil {
		n.failed = fmt.Errorf("websocket: accept: %w", err)
	}
	return count == len(response) // after an error it is 0
}

// welcome is greet after the response.
func (n *newcomer) welcome() {
	defer n.server.leave(n)
	defer n.opening.Release()
	hs, _ := n.opening.Result()
	hs.Conn = n.nc
	n.server.greeted(n, hs, n.opening.Request(), nil)
}

// Ring implements alarm.Sleeper.
func (l *loopedNewcomer) Ring() {
	if l.phase.CompareAndSwap(greeting, overdue) {
		l.nc.SetReadDeadline(time.Unix(1, 0)) // which has Readable called
	}
}

// Place implements alarm.Sleeper.
func (l *loopedNewcomer) Place() *int32 { return &l.place }
