package conn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn/internal/stream"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/loop"
	"github.com/parleyws/parley/internal/requestvalues"
)

// defaultHandshakes is the default of Server.MaxHandshakes.
const defaultHandshakes = 4096

// ServeConns accepts connections from l and serves each as ServeHTTP does, without
// net/http: nothing but WebSocket is spoken there, each handshake takes a fraction
// of the time and memory, and the connection keeps nothing of it. l may be a
// listener of package tls. A Server may serve several listeners, and requests of
// ServeHTTP too.
//
// The limits of a request are those of handshake.AcceptConn. The request that Serve,
// Handle, OnRefuse and the hooks of Options get is one that handshake has read; its
// ctx has no values and never ends. If a hook puts a request with another ctx in its
// place (*r = *r.WithContext(ctx)), the ctx of Serve and of Handle has the values of
// that.
//
// At most MaxHandshakes are under way. When there are as many, ServeConns accepts one
// more connection, and nothing else until one of them ends. That takes
// Options.Handshake.Limits.Timeout at most, a second more if it refuses, and as long as
// a hook takes. Clients wait in the backlog of the system meanwhile.
//
// ServeConns closes l and returns a non-nil error: http.ErrServerClosed after
// Shutdown; what is wrong with the Server's fields, before it accepts anything; or
// an error of Accept. An error of Accept that passes, such as too many open files,
// is waited out with pauses that grow from 5 ms to 1 s; the first in a row is
// logged by slog.Default at the level Warn. Connections that are open are served to
// their end in any case.
func (s *Server) ServeConns(l net.Listener) error {
	d, err := s.openDoor(l)
	if err != nil {
		l.Close()
		return err
	}
	defer s.closeDoor(d)
	var pause time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.receiveConn(nc, d)
		case s.isDown():
			return http.ErrServerClosed
		case !passes(err):
			return fmt.Errorf("websocket: serve: %w", err)
		default:
			if pause == 0 {
				slog.Warn("websocket: no connection can be accepted for now", "error", err, "address", l.Addr())
			}
			pause = min(max(2*pause, firstPause), longestPause)
			d.sleep(pause)
		}
	}
}

// How long ServeConns waits after an error of Accept that passes, at first and at
// most.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// passes reports whether an error of Accept is likely to pass.
func passes(err error) bool {
	if e, ok := errors.AsType[net.Error](err); ok {
		//lint:ignore SA1019 it is deprecated for other operations; Accept has nothing else
		if e.Temporary() {
			return true
		}
	}
	return slices.ContainsFunc(passing, func(known error) bool { return errors.Is(err, known) })
}

// A door is a listener that ServeConns accepts from.
type door struct {
	listener net.Listener
	closed   bool            // guarded by the Server's mu
	down     <-chan struct{} // closed by Shutdown
}

// sleep waits for d, or until Shutdown.
func (d *door) sleep(pause time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-d.down:
	}
}

// A newcomer is a connection that ServeConns has accepted, as long as its handshake
// is under way.
type newcomer struct {
	server  *Server
	nc      net.Conn
	opening handshake.Opening

	// On a loop.
	phase  atomic.Uint32 // greeting, and then overdue or answered, whichever comes first
	failed error         // why it has failed
	place  int32         // in the loop's clock
}

// A reception is what a Server holds for ServeConns, from the first call on. The
// Server's mu guards it; places is set once, and a channel.
type reception struct {
	doors     map[*door]struct{}
	newcomers map[*newcomer]struct{}
	places    chan struct{} // has an element for each newcomer; nil: there is no bound
	down      milestone     // reached by Shutdown
}

// isEmpty reports whether no call of ServeConns and no handshake is left.
func (p *reception) isEmpty() bool { return len(p.doors) == 0 && len(p.newcomers) == 0 }

// openDoor lets connections of l in.
func (s *Server) openDoor(l net.Listener) (*door, error) {
	s.once.Do(s.judge)
	if s.invalid != nil {
		return nil, fmt.Errorf("websocket: serve: %w", s.invalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, http.ErrServerClosed
	}
	p := &s.reception
	if p.doors == nil {
		p.doors = make(map[*door]struct{})
		p.newcomers = make(map[*newcomer]struct{})
		if s.MaxHandshakes >= 0 {
			p.places = make(chan struct{}, cmp.Or(s.MaxHandshakes, defaultHandshakes))
		}
	}
	d := &door{listener: l, down: p.down.wait(false)}
	p.doors[d] = struct{}{}
	return d, nil
}

// closeDoor ends a call of ServeConns.
func (s *Server) closeDoor(d *door) {
	s.mu.Lock()
	closed := d.closed
	delete(s.reception.doors, d)
	s.quieter()
	s.mu.Unlock()
	if !closed {
		d.listener.Close()
	}
}

// receiveConn begins the handshake of nc as soon as it may. After Shutdown it closes
// nc.
func (s *Server) receiveConn(nc net.Conn, d *door) {
	p := &s.reception
	if p.places != nil {
		select {
		case p.places <- struct{}{}:
		case <-d.down:
			stream.Cut(nc)
			return
		}
	}
	n := &newcomer{server: s, nc: s.settings.loop.enter(nc), opening: handshake.Opening{Options: s.handshakeOptions()}}
	s.mu.Lock()
	down := s.down
	if !down {
		p.newcomers[n] = struct{}{}
	}
	s.mu.Unlock()
	switch socket, looped := n.nc.(*loop.Socket); {
	case down:
		stream.Cut(n.nc)
		s.settings.loop.leave(looped)
	case looped:
		n.greetLooped(socket)
	default:
		go n.greet()
	}
}

// greet does the handshake, or what is left of it, on a goroutine that ends with it. A hook
// that panics, or ends the goroutine, refuses the request: here is no net/http that would
// bear it.
func (n *newcomer) greet() {
	defer n.server.leave(n)
	defer n.opening.Release()
	var hs *handshake.Result
	err := unreturned
	defer func() { n.server.greeted(n, hs, n.opening.Request(), recovered(err, recover())) }()
	hs, err = n.accept()
}

// greeted lets the connection be served that the handshake of n has opened, unless err
// says why it has not. Nothing of the handshake, and not the stack that it has grown, is
// left then.
func (s *Server) greeted(n *newcomer, hs *handshake.Result, r *http.Request, err error) {
	if err != nil {
		_, looped := n.nc.(*loop.Socket)
		s.settings.loop.leave(looped)
		s.refused(r, err)
		return
	}
	c := newConn(hs, RoleServer, s.settings)
	if ctx := r.Context(); ctx != context.Background() {
		c.setValues(requestvalues.Of(ctx))
	}
	if !s.promote(n, c) { // Shutdown has closed the stream
		c.CloseNow()
		return
	}
	go s.run(c, r)
}

// accept does the handshake.
func (n *newcomer) accept() (*handshake.Result, error) {
	if n.failed != nil {
		stream.Cut(n.nc)
		return nil, n.failed
	}
	return n.opening.Accept(n.nc)
}

// promote makes a connection of a newcomer, unless Shutdown has been called.
func (s *Server) promote(n *newcomer, c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.enter(c) {
		return false
	}
	delete(s.reception.newcomers, n)
	return true
}

// leave ends what the Server has to do for the handshake of n. It is deferred; a
// panic, which may be OnRefuse's, ends no other connection.
func (s *Server) leave(n *newcomer) {
	if v := recover(); v != nil {
		slog.Error("websocket: a handshake failed", "error", &PanicError{Value: v}, "stack", string(debug.Stack()))
	}
	s.mu.Lock()
	delete(s.reception.newcomers, n)
	s.quieter()
	s.mu.Unlock()
	if s.reception.places != nil {
		<-s.reception.places
	}
}

// close lets nobody in any more: it closes the listeners and cuts what is in its
// handshake. Called with the Server's mu held; the function that it returns, without.
func (p *reception) close() (finish func()) {
	p.down.reach()
	var listeners []net.Listener
	for d := range p.doors {
		if !d.closed {
			d.closed = true
			listeners = append(listeners, d.listener)
		}
	}
	var newcomers []net.Conn
	for n := range p.newcomers {
		newcomers = append(newcomers, n.nc)
	}
	return func() {
		for _, l := range listeners {
			l.Close()
		}
		for _, nc := range newcomers {
			stream.Cut(nc)
		}
	}
}
