package socketio_test

import (
	"context"
	"errors"
	"strings"
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
	for name, o := range map[string]*socketio.Options{
		"plain": nil, "recovery": recovering, "log": {Adapter: new(logBus).join, Recovery: &socketio.Recovery{}},
	} {
		inBubble(t, o, func(s *site) {
			letIn := make(chan struct{})
			s.io.Use(func(ctx context.Context, _ *socketio.Socket) error {
				<-letIn
				if ctx.Err() == nil {
					t.Errorf("%s: the ctx goes on", name)
				}
				return nil
			})
			s.io.OnConnect(func(*socketio.Socket) { t.Errorf("%s: connected", name) })
			r := s.dial()
			r.send("0")
			synctest.Wait()
			r.c.CloseNow()
			synctest.Wait()
			close(letIn)
			synctest.Wait()
			if s.io.Count() != 0 {
				t.Errorf("%s: the socket is there", name)
			}
		})
	}
}

// What middleware emits goes out before the answer, also before a refusal, and with
// recovery as an event that can't be missed.
func TestEmitInMiddleware(t *testing.T) {
	for name, o := range map[string]*socketio.Options{"plain": nil, "recovery": {Recovery: &socketio.Recovery{}}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, o, func(s *site) {
				var socket *socketio.Socket
				s.io.Use(func(_ context.Context, n *socketio.Socket) error {
					socket = n
					if err := n.Emit("early", 1); err != nil {
						s.t.Error(err)
					}
					if auth, _ := socketio.Auth[struct{ Bad bool }](n); auth.Bad {
						return &socketio.Error{Message: "no"}
					}
					return nil
				})
				r := s.dial()
				r.send(`0{"bad":true}`)
				if got := r.read() + r.read(); got != `2["early",1]4{"message":"no"}` {
					s.t.Errorf("got %s", got)
				}
				synctest.Wait()
				if err := socket.Emit("late"); err == nil {
					s.t.Error("a socket that was refused emits")
				}
				r.send("0")
				if got := r.read(); got != `2["early",1]` {
					s.t.Errorf("got %s", got)
				}
				if got := r.read(); !strings.HasPrefix(got, `0{"sid":`) {
					s.t.Errorf("got %s", got)
				}
			})
		})
	}
}

// The log has the error for which the middleware of a socket has dropped an event.
func TestSocketMiddlewareLogs(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(n *socketio.Socket) {
			n.Use(func(*socketio.Event) error { return errors.New("not today") })
			n.OnEvent("e", func(*socketio.Event) error { t.Error("handled"); return nil })
		})
		r := s.client()
		r.send(`2["e"]`)
		synctest.Wait()
		if got := s.log.String(); strings.Count(got, "not today") != 1 {
			t.Errorf("the log has %q", got)
		}
	})
}
