package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A client that gives up while its middleware runs, of which it can't tell the server, and asks
// again, is answered once, as the newer of the two; what the older one had is given back.
func TestConnectAgainDuringMiddleware(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var sockets []*socketio.Socket
		s.io.Use(func(ctx context.Context, x *socketio.Socket) error {
			if sockets = append(sockets, x); len(sockets) == 1 {
				x.OnDisconnect(func(socketio.Reason) { t.Error("the end of a socket that was not let in was told") })
			}
			select {
			case <-ctx.Done():
				if e, ok := errors.AsType[*socketio.DisconnectError](context.Cause(ctx)); !ok || e.Reason != socketio.ClientNamespaceDisconnect {
					t.Errorf("the ctx has ended with %v", context.Cause(ctx))
				}
			case <-time.After(time.Second):
			}
			return nil
		})
		connected := 0
		s.io.OnConnect(func(*socketio.Socket) { connected++ })
		r := s.dial()
		r.send("0")
		time.Sleep(time.Second / 2)
		r.connect(`{"token":"again"}`)
		r.wantNothing()
		if len(sockets) != 2 || connected != 1 || s.io.Count() != 1 || sockets[0].Connected() || r.sid != sockets[1].ID() {
			t.Errorf("%d sockets, %d have connected, and %d are there", len(sockets), connected, s.io.Count())
		}
	})
}

// A client that asks again does not wait for middleware that does not mind its ctx, unless it
// wants to come back; and one of Socket.IO 2 never does.
func TestConnectAgainBesideMiddleware(t *testing.T) {
	for name, tt := range map[string]struct {
		recovery *socketio.Recovery
		version4 bool
		asks     string
	}{
		"without recovery": {nil, false, `0/a,{"pid":"x"}`},
		"new":              {&socketio.Recovery{}, false, `0/a,{"token":"x"}`},
		"unknown":          {&socketio.Recovery{}, false, `0/a,{"pid":"x"}`},
		"Socket.IO 2":      {&socketio.Recovery{}, true, `0/a?pid=x`},
	} {
		o := withVersion4()
		o.Recovery = tt.recovery
		inBubble(t, o, func(s *site) {
			hold := make(chan struct{})
			runs := 0
			s.io.Of("/a").Use(func(context.Context, *socketio.Socket) error {
				if runs++; runs == 1 {
					<-hold
				}
				return nil
			})
			var r *raw
			if tt.version4 {
				r = s.dial2()
				r.read()
			} else {
				r = s.dial()
			}
			start := time.Now()
			r.send(tt.asks)
			synctest.Wait()
			r.send(tt.asks)
			r.read()
			if d := time.Since(start); d > time.Second || runs != 2 { // the answer comes with a breath
				t.Errorf("%s: let in after %v, the middleware has run %d times", name, d, runs)
			}
			close(hold)
			r.wantNothing()
		})
	}
}

// A client that asks again before the middleware has let it in has not given up what it had.
func TestRecoveryAskedAgain(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true}}, func(s *site) {
		runs := 0
		s.io.Use(func(ctx context.Context, x *socketio.Socket) error {
			if runs++; !x.Recovered() {
				return nil
			}
			time.Sleep(time.Second) // and not the ctx, which has ended for the first socket
			return ctx.Err()
		})
		r := s.client()
		synctest.Wait()
		s.io.Emit("x")
		_, last := offset(t, r.read())
		r.cut()
		s.io.Emit("missed")
		claim := fmt.Sprintf(`{"pid":%q,"offset":%q}`, r.pid, last)
		again := s.dial()
		again.send("0" + claim)
		synctest.Wait()
		again.connect(claim)
		if again.sid != r.sid || again.pid != r.pid || runs != 3 {
			t.Errorf("sid %q, want %q; the middleware ran %d times, want 3", again.sid, r.sid, runs)
		}
		if got, _ := offset(t, again.read()); got != `2["missed"]` {
			t.Errorf("read %q", got)
		}
		again.wantNothing()
	})
}

// A client that asks again before it is let in comes back all the same.
func TestLogAskedAgain(t *testing.T) {
	for _, b := range []*logBus{{}, {mute: true}} {
		logAskedAgain(t, b)
	}
}

func logAskedAgain(t *testing.T, b *logBus) {
	inLog(t, b, &socketio.Recovery{RunMiddleware: true}, func(here, there *site) {
		sockets := here.sockets(func(s *socketio.Socket) { s.Join("room") })
		there.io.Use(func(context.Context, *socketio.Socket) error { time.Sleep(time.Second); return nil })
		returned := there.sockets(nil)
		r := here.client()
		<-sockets
		synctest.Wait()
		here.io.Emit("e")
		_, last := offset(t, r.read())
		r.cut()
		here.io.To("room").Emit("missed")
		claim := fmt.Sprintf(`{"pid":%q,"offset":%q}`, r.pid, last)
		again := there.dial()
		again.send("0" + claim)
		synctest.Wait()
		again.connect(claim)
		if back := <-returned; again.sid != r.sid || again.pid != r.pid || !back.Recovered() {
			t.Errorf("sid %q, want %q; recovered %t", again.sid, r.sid, back.Recovered())
		}
		if got, _ := offset(t, again.read()); got != `2["missed"]` {
			t.Errorf("read %q", got)
		}
		if log := there.log.String(); strings.Contains(log, "panic") {
			t.Errorf("log %s", log)
		}
	})
}

// A client that asks for what it had, again and again, is let in when the middleware of its first
// socket has returned, and that of its last: those in between have nothing to do any more.
func TestRecoveryAskedOften(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true}}, func(s *site) {
		runs := 0
		s.io.Use(func(_ context.Context, x *socketio.Socket) error {
			if runs++; x.Recovered() {
				time.Sleep(time.Second)
			}
			return nil
		})
		r := s.client()
		synctest.Wait()
		r.cut()
		claim := fmt.Sprintf(`{"pid":%q}`, r.pid)
		again := s.dial()
		start := time.Now()
		for range 9 {
			again.send("0" + claim)
			synctest.Wait()
		}
		again.connect(claim)
		if d := time.Since(start); d != 2*time.Second || runs != 3 || again.sid != r.sid {
			t.Errorf("let in after %v, the middleware has run %d times, sid %q, want %q", d, runs, again.sid, r.sid)
		}
	})
}

// A client that has come back, has left, and asks for what it had, which is gone, does not wait for
// handlers of OnConnect.
func TestRecoveryAskedAfterLeaving(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{}}, func(s *site) {
		hold := make(chan struct{})
		s.io.OnConnect(func(x *socketio.Socket) {
			if x.Recovered() {
				<-hold
			}
		})
		r := s.client()
		synctest.Wait()
		r.cut()
		claim := fmt.Sprintf(`{"pid":%q}`, r.pid)
		again := s.comeBackWith("", claim)
		again.send("1")
		start := time.Now()
		again.connect(claim)
		if d := time.Since(start); d > 0 || again.sid == r.sid {
			t.Errorf("let in after %v, as %q", d, again.sid)
		}
		close(hold)
	})
}

// A client that has missed too much is new, and as such it waits for no middleware that holds
// nothing of it.
func TestOutrunAskedAgain(t *testing.T) {
	b := &logBus{gone: true}
	inBubble(t, &socketio.Options{Adapter: b.join, Recovery: &socketio.Recovery{}}, func(s *site) {
		hold := make(chan struct{})
		runs := 0
		s.io.Use(func(context.Context, *socketio.Socket) error {
			if runs++; runs == 2 {
				<-hold
			}
			return nil
		})
		r := s.client()
		synctest.Wait()
		r.cut()
		claim := fmt.Sprintf(`{"pid":%q}`, r.pid)
		again := s.dial()
		again.send("0" + claim)
		synctest.Wait()
		start := time.Now()
		again.connect(claim)
		if d := time.Since(start); d > 0 || runs != 3 {
			t.Errorf("let in after %v, the middleware has run %d times", d, runs)
		}
		close(hold)
	})
}

// Who asks for what it had, then as a new client, and for what it had again, gets it.
func TestRecoveryAskedBetween(t *testing.T) {
	for between, answer := range map[string]string{"0/a": "", `0/a,{"refused":1}`: `4/a,{"message":"Invalid namespace"}`} {
		inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true}}, func(s *site) {
			n := s.io.OfFunc(func(_ string, auth json.RawMessage) bool { return !strings.Contains(string(auth), "refused") })
			n.Use(func(_ context.Context, x *socketio.Socket) error {
				if x.Recovered() {
					time.Sleep(time.Second)
				}
				return nil
			})
			stays := s.dial() // and so does the namespace
			stays.connect("/a,")
			r := s.dial()
			r.connect("/a,")
			r.cut()
			claim := fmt.Sprintf(`/a,{"pid":%q}`, r.pid)
			again := s.client() // which has joined a namespace
			again.send("0" + claim)
			synctest.Wait()
			again.send(between)
			if answer == "" { // let in at once, and gone
				start := time.Now()
				if again.read(); time.Since(start) > 0 {
					t.Errorf("a new client waits %v", time.Since(start))
				}
				again.send("1/a")
			} else {
				again.want(answer)
			}
			synctest.Wait()
			again.connect(claim)
			if again.sid != r.sid {
				t.Errorf("after %s: sid %q, want %q", between, again.sid, r.sid)
			}
		})
	}
}

// Shutdown waits for a broker that does not answer once, however often a client has asked.
func TestShutdownOfAskedOften(t *testing.T) {
	b := &logBus{silent: "Take"}
	inBubble(t, &socketio.Options{Adapter: b.join, Recovery: &socketio.Recovery{}}, func(s *site) {
		r := s.dial()
		for range 20 {
			r.send(`0{"pid":"x"}`)
		}
		synctest.Wait()
		start := time.Now()
		if err := s.io.Shutdown(context.Background()); err != nil || time.Since(start) > 6*time.Second {
			t.Errorf("Shutdown took %v, %v", time.Since(start), err)
		}
	})
}
