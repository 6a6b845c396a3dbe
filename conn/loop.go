package conn

import (
	"net"
	"sync"

	"github.com/parleyws/parley/internal/loop"
)

// A Loop serves connections with few goroutines: one that has nothing to say holds no
// goroutine, and hence no stack. It takes plain TCP and Unix sockets on Linux. All other
// connections (TLS, wrapped streams, other systems) have goroutines of their own, as have
// those whose reads wait: a Loop helps where messages come by callback, which is
// Server.Handle and Conn.Receive.
//
// The zero value takes every connection that it can. The field must not be changed
// once the Loop is in use. Several Servers may share one.
//
// What a Loop changes, besides the cost: the net.Conn that a connection came with is closed,
// and a copy of its descriptor serves on, so that whoever has kept the net.Conn (as from
// http.Server.ConnContext) must not use it. Messages of one connection are handled in their
// order, one at a time, but by changing goroutines.
type Loop struct {
	// After is how many connections have goroutines of their own before the Loop takes
	// those that come then: with few connections goroutines answer sooner. Negative
	// is no limit: the Loop takes none.
	After int

	mu    sync.Mutex
	conns int        // that live, on goroutines or not
	taken int        // of these
	loop  *loop.Loop // nil while none is taken
}

// DefaultAfter is Loop.After of a Server that is given no Loop.
const DefaultAfter = 32

// enter counts a connection, and returns what is to take the place of nc: nc itself, or
// the same stream as a socket of the loop.
func (l *Loop) enter(nc net.Conn) net.Conn {
	if l == nil || l.After < 0 {
		return nc
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns++
	if l.conns <= l.After {
		return nc
	}
	if l.loop == nil {
		k := loop.NewKernel(nc)
		if k == nil {
			return nc
		}
		l.loop = loop.New(k)
	}
	s := l.loop.Take(nc)
	if s == nil {
		l.endIfUnused()
		return nc
	}
	l.taken++
	return s
}

// leave ends what enter began, for a connection that is over.
func (l *Loop) leave(taken bool) {
	if l == nil || l.After < 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
	if taken {
		l.taken--
		l.endIfUnused()
	}
}

// endIfUnused ends the loop with its last connection. Called with mu held.
func (l *Loop) endIfUnused() {
	if l.taken == 0 {
		l.loop.Close()
		l.loop = nil
	}
}
