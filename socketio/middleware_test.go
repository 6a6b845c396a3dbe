package socketio_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/socketio"
)

// A socket is connected once the middleware has let it in, and not before.
func TestConnectedAfterMiddleware(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var before, after bool
		s.io.Use(func(_ context.Context, n *socketio.Socket) error {
			before = n.Connected() || s.io.Count() != 0
			return nil
		})
		s.io.OnConnect(func(n *socketio.Socket) { after = n.Connected() && s.io.Count() == 1 })
		s.dial().connect("")
		synctest.Wait()
		if before || !after {
			t.Errorf("connected in the middleware: %t, after it: %t", before, after)
		}
	})
}

// A client that goes away while its middleware runs is not connected when that
// lets it in.
func TestGoneInMiddleware(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		letIn := make(chan struct{})
		s.io.Use(func(ctx context.Context, _ *socketio.Socket) error {
			<-letIn
			if ctx.Err() == nil {
				t.Error("the ctx goes on")
			}
			return nil
		})
		s.io.OnConnect(func(*socketio.Socket) { t.Error("connected") })
		r := s.dial()
		r.send("0")
		synctest.Wait()
		r.c.CloseNow()
		synctest.Wait()
		close(letIn)
		synctest.Wait()
		if s.io.Count() != 0 {
			t.Error("the socket is there")
		}
	})
}
