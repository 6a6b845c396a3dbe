package socketio_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A client that is lost before its connect handlers have returned is new when it comes back:
// they may not have put it into its rooms. Its socket's events have nowhere to go.
func TestRecoveryLostEarly(t *testing.T) {
	for _, early := range []bool{true, false} {
		inBubble(t, recovering, func(s *site) {
			sockets, hold := make(chan *socketio.Socket, 2), make(chan error)
			s.io.OnConnect(func(x *socketio.Socket) {
				sockets <- x
				if !x.Recovered() {
					<-hold
					hold <- x.Join("room")
				}
			})
			r := s.client()
			old := <-sockets
			end := func() {
				hold <- nil
				if err := <-hold; (err != nil) != early {
					t.Errorf("early %t: Join: %v", early, err)
				}
				synctest.Wait()
			}
			if early {
				r.cut()
				if err := old.Emit("x"); err == nil {
					t.Error("an event was kept for a client that can't come back")
				}
				end()
			} else {
				end()
				r.cut()
			}
			close(hold)
			again := s.comeBackWith("", fmt.Sprintf(`{"pid":%q}`, r.pid))
			if (again.sid == r.sid) == early {
				t.Errorf("early %t: recovered %t", early, again.sid == r.sid)
			}
			if x := <-sockets; !early && !slices.Contains(x.Rooms(), "room") {
				t.Errorf("it is in %q", x.Rooms())
			}
		})
	}
}

// A client that has come back keeps what it had, also when it is lost again before its connect
// handlers have returned.
func TestRecoveryLostAgainEarly(t *testing.T) {
	inBubble(t, recovering, func(s *site) {
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
		again.cut()
		close(hold)
		synctest.Wait()
		if once := s.comeBackWith("", claim); once.sid != r.sid {
			t.Error("not recovered")
		}
	})
}

// What a client has missed, and is lost again with the connection that it comes back on, is
// sent once more.
func TestRecoveryMissedTwice(t *testing.T) {
	inBubble(t, recovering, func(s *site) {
		r := s.client()
		synctest.Wait()
		s.io.Emit("x")
		_, last := offset(t, r.read())
		r.cut()
		s.io.Emit("missed")
		for range 3 {
			again, sid := s.comeBack(r.pid, last)
			if sid != r.sid {
				t.Fatal("not recovered")
			}
			if got, _ := offset(t, again.read()); got != `2["missed"]` {
				t.Errorf("read %q", got)
			}
			again.cut()
		}
	})
}

// The client that has been away longest is forgotten for one too many, however often it has
// tried to come back.
func TestRecoveryOrder(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true, Sessions: 1}}, func(s *site) {
		hold := make(chan struct{})
		s.io.Use(func(_ context.Context, x *socketio.Socket) error {
			if x.Recovered() {
				<-hold
			}
			return nil
		})
		first, second := s.client(), s.client()
		synctest.Wait()
		first.cut()
		again := s.dial()
		again.send(fmt.Sprintf(`0{"pid":%q}`, first.pid))
		synctest.Wait()
		time.Sleep(time.Second)
		second.cut()
		again.cut()
		close(hold)
		synctest.Wait()
		for _, tt := range []struct {
			r    *raw
			back bool
		}{{first, false}, {second, true}} {
			if once := s.comeBackWith("", fmt.Sprintf(`{"pid":%q}`, tt.r.pid)); (once.sid == tt.r.sid) != tt.back {
				t.Errorf("recovered: %t, want %t", !tt.back, tt.back)
			}
		}
	})
}

// A SessionWatcher hears nothing of a session before the connect handlers have returned: if the
// node were killed, the client would come back to less than they give it.
func TestSessionWatcherEarly(t *testing.T) {
	b := new(logBus)
	inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
		hold := make(chan struct{})
		here.io.OnConnect(func(s *socketio.Socket) {
			s.Join("a")
			<-hold
			s.Join("b")
		})
		here.client()
		synctest.Wait()
		if len(b.changed) > 0 {
			t.Errorf("changes %q", b.changed)
		}
		close(hold)
		synctest.Wait()
		if want := []string{"true 3 "}; !slices.Equal(b.changed, want) {
			t.Errorf("changes %q, want %q", b.changed, want)
		}
	})
}

// A client that knows of an event which is yet to come is none of this server's.
func TestRecoveryFromFuture(t *testing.T) {
	for ahead, back := range map[byte]bool{0: true, 1: false} {
		inBubble(t, recovering, func(s *site) {
			r := s.client()
			synctest.Wait()
			s.io.Emit("x")
			_, last := offset(t, r.read())
			r.cut()
			claimed := []byte(last)
			claimed[len(claimed)-1] += ahead
			if again := s.comeBackWith("", fmt.Sprintf(`{"pid":%q,"offset":%q}`, r.pid, claimed)); (again.sid == r.sid) != back {
				t.Errorf("%d events ahead: recovered: %t", ahead, !back)
			}
		})
	}
}

// A client for which middleware panics was sent away like one that it disconnects: neither comes
// back.
func TestRecoverySentAwayInMiddleware(t *testing.T) {
	for name, adapter := range map[string]func(*socketio.Local) (socketio.Adapter, error){"here": nil, "log": new(logBus).join} {
		for answer, end := range map[string]func(*socketio.Socket){
			`4{"message":"Internal error"}`: func(*socketio.Socket) { panic("middleware") },
			`4{"message":"Disconnected"}`:   func(x *socketio.Socket) { x.Disconnect(false) },
		} {
			inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true}, Adapter: adapter}, func(s *site) {
				s.io.Use(func(_ context.Context, x *socketio.Socket) error {
					if x.Recovered() {
						end(x)
					}
					return nil
				})
				r := s.client()
				synctest.Wait()
				r.cut()
				claim := fmt.Sprintf(`{"pid":%q}`, r.pid)
				again := s.dial()
				again.send("0" + claim)
				again.want(answer)
				synctest.Wait()
				if once := s.comeBackWith("", claim); once.sid == r.sid {
					t.Errorf("%s, %s: it has come back", name, answer)
				}
			})
		}
	}
}
