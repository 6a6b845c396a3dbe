package conn

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/parleyws/parley/frame"
)

// A Server is an http.Handler for WebSocket connections. For each it accepts
// the upgrade, lets net/http go, and runs Serve on a fresh goroutine: what an
// idle connection costs is little more than that goroutine's stack.
//
// The fields must not be changed once the Server is in use.
type Server struct {
	// Options configure the connections; nil is the defaults.
	Options *AcceptOptions
	// Serve serves one connection, which is closed when it returns: with 1000,
	// unless Serve has closed it, or with 1011 if it panics. ctx ends with the
	// connection. r is the upgrade request; r.Context() has ended, and keeping
	// r keeps its memory.
	Serve func(ctx context.Context, c *Conn, r *http.Request)
	// Handle may be set instead of Serve. It returns the function that is then
	// called with each message of the connection, as by Each, until it fails or
	// the connection ends; ctx ends then too. What that function needs of stack
	// is given back when the connection falls silent, where the goroutine of
	// Serve keeps what it has grown to: decoding JSON, for one, takes 4 KiB.
	Handle func(ctx context.Context, c *Conn, r *http.Request) func(Message) error
	// OnPanic is told what Serve or Handle panicked with, on the goroutine that did, so
	// that debug.Stack shows where. If it is nil both are logged by
	// slog.Default, as net/http does. The process lives.
	OnPanic func(c *Conn, v any)

	mu    sync.Mutex
	conns map[*Conn]struct{}
	idle  chan struct{} // closed when the last connection ends after Shutdown
	down  bool
}

// ServeHTTP implements http.Handler. It returns when the handshake is done.
// After Shutdown requests are answered with 503.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.isDown() {
		w.Header().Set("Connection", "close")
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	c, err := Accept(w, r, s.Options)
	if err != nil {
		return // the refusal has been written
	}
	if !s.add(c) {
		go c.Close(frame.StatusGoingAway, "")
		return
	}
	go s.run(c, r)
}

// run serves c to its end.
func (s *Server) run(c *Conn, r *http.Request) {
	moved := false
	defer s.ended(c, &moved)
	if s.Handle == nil {
		s.Serve(connContext{c}, c, r)
		c.Close(frame.StatusNormalClosure, "")
		return
	}
	f := s.Handle(connContext{c}, c, r)
	moved = true
	go s.receive(c, f, true)
}

// ended is deferred by those who serve c. It does nothing if they have moved
// to another goroutine.
func (s *Server) ended(c *Conn, moved *bool) {
	if *moved {
		return
	}
	defer s.remove(c)
	defer c.CloseNow()
	if v := recover(); v != nil {
		s.panicked(c, v)
		c.Close(frame.StatusInternalError, "")
	}
}

func (s *Server) panicked(c *Conn, v any) {
	if s.OnPanic != nil {
		s.OnPanic(c, v)
		return
	}
	slog.Error("websocket: panic while serving", "remote", c.RemoteAddr(), "panic", v, "stack", string(debug.Stack()))
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

func (s *Server) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[*Conn]struct{})
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.down && len(s.conns) == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// Shutdown closes all connections with 1001 (going away) and waits until they
// and their Serve calls have ended. When ctx ends first it cuts those that are
// left and returns the error of ctx. It does not touch the http.Server, which
// should be shut down first, so that no new connections come.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.down = true
	var conns []*Conn
	for c := range s.conns {
		conns = append(conns, c)
	}
	if len(conns) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	for _, c := range conns {
		go c.Close(frame.StatusGoingAway, "")
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	for _, c := range conns {
		c.CloseNow()
	}
	return contextError("shutdown", ctx)
}
