package socketio_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// A client whose handlers do not return is given up, so that they learn of its
// end at last. As long as one of them returns now and then it is not.
func TestStalledBacklog(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{HandlerQueueBytes: 1}}, func(s *site) {
		var ended time.Duration
		start := time.Now()
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.On(n, "slow", func(context.Context, any) error {
				time.Sleep(100 * time.Second)
				return nil
			})
			socketio.On(n, "stuck", func(ctx context.Context, _ any) error {
				<-ctx.Done()
				ended = time.Since(start)
				return nil
			})
		})
		r := s.client()
		for range 3 {
			r.send(`2["slow"]`)
		}
		r.send(`2["stuck"]`)
		r.wantClosed()
		synctest.Wait()
		if want := 300*time.Second + 2*time.Minute; ended != want {
			t.Errorf("given up after %v, want %v", ended, want)
		}
		if !strings.Contains(s.log.String(), "Limits.HandlerQueueBytes") {
			t.Errorf("log %q", s.log)
		}
	})
}

// With a connection all sockets end that are on it.
func TestConnectionEndsAll(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var ended atomic.Int32
		count := func(n *socketio.Socket) { n.OnDisconnect(func(socketio.Reason) { ended.Add(1) }) }
		s.io.OnConnect(count)
		r := s.client()
		for _, name := range []string{"/a", "/b", "/c"} {
			s.io.Of(name).OnConnect(count)
			r.connect(name + ",")
		}
		synctest.Wait()
		r.cut()
		if n := ended.Load(); n != 4 || s.log.String() != "" {
			t.Errorf("%d sockets have ended, want 4; log %s", n, s.log)
		}
	})
}

// A client whose connection ends while a function is asked whether it may join a namespace does
// not join any more: nothing would ever end that socket.
func TestConnectionEndsDuringConnect(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		gone := make(chan struct{})
		s.io.OfFunc(func(string, json.RawMessage) bool { <-gone; return true }).Use(func(context.Context, *socketio.Socket) error {
			t.Error("middleware is asked for a client that is gone")
			return nil
		})
		r := s.client()
		r.send("0/late,")
		synctest.Wait()
		s.io.DisconnectSockets(true)
		r.want("1")
		r.wantClosed()
		close(gone)
		synctest.Wait()
		if names := s.io.Namespaces(); len(names) != 1 {
			t.Errorf("namespaces %q are left", names)
		}
	})
}

// The times that a client has end with its connection: no violation is logged afterwards.
func TestTimesEnd(t *testing.T) {
	for name, do := range map[string]func(s *site){
		"to join":            func(s *site) { s.dial().cut() },
		"to join, and joins": func(s *site) { s.client().cut() },
		"for attachments": func(s *site) {
			r := s.client()
			r.send(`51-["e",{"_placeholder":true,"num":0}]`)
			synctest.Wait()
			r.cut()
		},
		"for handlers": func(s *site) {
			r := s.client()
			r.send(`2["stuck"]`)
			synctest.Wait()
			s.io.DisconnectSockets(true)
			r.want("1")
			r.wantClosed()
		},
	} {
		inBubble(t, &socketio.Options{Limits: socketio.Limits{HandlerQueueBytes: 1}}, func(s *site) {
			hold := make(chan struct{})
			s.io.OnConnect(func(n *socketio.Socket) {
				n.OnEvent("stuck", func(*socketio.Event) error { <-hold; return nil })
			})
			do(s)
			time.Sleep(5 * time.Minute)
			if s.log.String() != "" {
				t.Errorf("%s: log %s", name, s.log)
			}
			close(hold)
		})
	}
}

// What a client sent before it knew that it was sent away is no violation: the
// other namespaces live.
func TestPacketsCrossDisconnect(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.Of("/other").OnConnect(echo)
		sockets, clients := people(s, "a")
		r := clients["a"]
		r.connect("/other,")
		sockets["a"].Disconnect(false)
		r.want("1")
		r.send(`2["in flight"]`)
		r.send("31[]")
		r.send("1")
		r.send(`2/other,["message"]`)
		r.want(`2/other,["message-back"]`)
		r.connect("")
		r.send("1")
		r.send(`2["after leaving"]`)
		r.wantClosed()
		if !strings.Contains(s.log.String(), "namespace that was not joined") {
			t.Errorf("log: %s", s.log)
		}
	})
}

// That is so however often the client was sent away before, and came back.
func TestPacketsCrossEveryDisconnect(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{Namespaces: 2}}, func(s *site) {
		r := s.dial()
		for range 5 {
			r.connect("")
			synctest.Wait()
			s.io.DisconnectSockets(false)
			r.want("1")
			r.send(`2["in flight"]`)
			r.wantNothing()
		}
	})
}

// That is so also for a client that is sent away the moment it has joined its first namespace.
func TestPacketsCrossEarlyDisconnect(t *testing.T) {
	w := new(watcher)
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		w.node = a.(*node)
		return w, err
	}}
	inBubble(t, o, func(s *site) {
		w.within = func() { s.io.DisconnectSockets(false) } // when it is told of the room of the socket's id
		r := s.client()
		r.want("1")
		r.send(`2["in flight"]`)
		r.wantNothing()
		r.connect("")
	})
}

// A client that was refused has never been in the namespace, so that no packet for that can have
// crossed a DISCONNECT.
func TestPacketsAfterRefusal(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.Use(func(context.Context, *socketio.Socket) error { return &socketio.Error{Message: "no"} })
		r := s.dial()
		r.send("0")
		r.want(`4{"message":"no"}`)
		r.send(`2["x"]`)
		r.wantClosed()
		if log := s.log.String(); !strings.Contains(log, "namespace that was not joined") {
			t.Errorf("log %q", log)
		}
	})
}

// Middleware may close a client's connection. The namespaces that the client is in are told it,
// and that which it is not in yet is not.
func TestConnectionClosedInMiddleware(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.Of("/other").Use(func(_ context.Context, x *socketio.Socket) error {
			x.Disconnect(true)
			return nil
		})
		r := s.client()
		r.send("0/other,")
		r.want("1")
		r.wantClosed()
	})
}

// A client that is let in while it is about to be refused is let in, and then sent away.
func TestLetInAsItIsSentAway(t *testing.T) {
	var entered, refusing chan struct{}
	p := fragile{fail: func(p *parser.Packet) {
		if p.Type == parser.ConnectError {
			close(refusing)
			<-entered
		}
	}}
	inBubble(t, &socketio.Options{Parser: p}, func(s *site) {
		entered, refusing = make(chan struct{}), make(chan struct{})
		s.io.Use(func(_ context.Context, x *socketio.Socket) error {
			go x.Disconnect(false)
			<-refusing
			return nil
		})
		s.io.OnConnect(func(*socketio.Socket) { close(entered) })
		r := s.client()
		r.want("1")
		r.send(`2["in flight"]`)
		r.wantNothing()
		if n := s.io.Count(); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
	})
}

// A client that is sent away as its middleware returns is refused, or let in and then sent
// away: it is never left to believe that it is there, and never told the end first.
func TestDisconnectAsMiddlewareReturns(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		round := 0
		s.io.Use(func(_ context.Context, x *socketio.Socket) error {
			moment := round % 100
			go func() {
				for range moment {
					runtime.Gosched()
				}
				x.Disconnect(false)
			}()
			for range 50 {
				runtime.Gosched()
			}
			return nil
		})
		r := s.dial()
		for round = range 2000 {
			r.send("0")
			answer := r.read()
			if strings.HasPrefix(answer, "0{") {
				r.send(`2["in flight"]`) // which is no violation
				answer = r.read()
			} else if answer != `4{"message":"Disconnected"}` {
				s.t.Fatalf("CONNECT was answered %q", answer)
			} else {
				continue
			}
			if answer != "1" {
				s.t.Fatalf("after CONNECT came %q", answer)
			}
		}
	})
}
