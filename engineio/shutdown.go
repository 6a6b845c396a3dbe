package engineio

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/parleyws/parley/conn"
)

// This file is the end of a Server, and the accounts of what that waits for.

// run runs f, which closes c, on a goroutine. Shutdown waits for that, and then for c's
// stream. Every WebSocket is closed in this way, once, also one that the client has ended.
func (s *Server) run(c *conn.Conn, f func()) {
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	go func() {
		defer s.ran(c)
		f()
	}()
}

// ran ends what run began.
func (s *Server) ran(c *conn.Conn) {
	<-c.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.check()
}

// hold makes Shutdown wait until unhold is called.
func (s *Server) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds++
}

func (s *Server) unhold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds--
	s.check()
}

// check wakes Shutdown if nothing is left. Called with mu held.
func (s *Server) check() {
	if s.empty != nil && len(s.conns) == 0 && len(s.sessions) == 0 && s.holds == 0 {
		close(s.empty)
		s.empty = nil
	}
}

// vanishTime is how long Shutdown waits for the next GET of a client that polls.
const vanishTime = time.Second

// Shutdown ends all sessions, with ServerShuttingDown, and refuses new ones. It
// waits until their transports are closed, the clients that poll have been told, and
// the receivers of sessions that ended before have returned from Closed. A client whose
// next GET does not come within a second has vanished, and is not waited for. If ctx ends
// first Shutdown cuts what is left and returns the error of ctx. A Server can't be used
// again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	sessions := slices.Collect(maps.Values(s.sessions))
	s.check()
	s.mu.Unlock()
	for _, n := range sessions {
		if n != nil {
			n.shut(shutDown, shutDown)
			n.dismiss()
		}
	}
	vanished := time.AfterFunc(vanishTime, s.dropPolling)
	defer vanished.Stop()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		s.cut()
		return ctx.Err()
	}
}

// cut ends what is left when Shutdown may wait no longer.
func (s *Server) cut() {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range conns {
		c.CloseNow()
	}
	s.dropPolling()
}

// dropPolling ends the wait for the next GET of sessions that are over.
func (s *Server) dropPolling() {
	s.mu.Lock()
	sessions := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	for _, n := range sessions {
		if n != nil {
			n.mu.Lock()
			n.leave()
			n.mu.Unlock()
		}
	}
}
