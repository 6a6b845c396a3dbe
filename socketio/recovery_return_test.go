package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// comeBackWith is comeBack with this auth.
func (s *site) comeBackWith(namespace, auth string) *raw {
	r := s.dial()
	r.connect(namespace + auth)
	return r
}

func (r *raw) cut() {
	r.c.CloseNow()
	synctest.Wait()
}

// What counts is what a client has missed, and not how old its last event is, nor
// whether it had one. That is so however often it has come back.
func TestRecoveryByWhatWasMissed(t *testing.T) {
	const age = 2 * time.Second
	for _, tt := range []struct {
		name      string
		first     bool // the client gets an event before the others are busy
		away      func(s *site)
		ending    bool     // an event is emitted while the handlers learn of the end
		events    []string // that it gets when it comes back
		recovered bool
	}{
		{"nothing missed", true, func(*site) {}, false, nil, true},
		{"nothing missed, no event ever", false, func(*site) {}, false, nil, true},
		{"one missed", true, func(s *site) { s.io.Emit("y") }, false, []string{`2["y"]`}, true},
		{"one missed, no event before", false, func(s *site) { s.io.Emit("y") }, false, []string{`2["y"]`}, true},
		{"others missed", true, func(s *site) { s.io.To("other").Emit("z"); s.io.Emit("y") }, false, []string{`2["y"]`}, true},
		{"one missed at the end", true, func(*site) {}, true, []string{`2["y"]`}, true},
		{"away for long", true, func(*site) { time.Sleep(age + time.Millisecond) }, false, nil, false},
		{"missed for long", true, func(s *site) { s.io.Emit("y"); time.Sleep(age + time.Millisecond) }, false, nil, false},
	} {
		o := &socketio.Options{Recovery: &socketio.Recovery{MaxAge: age}}
		inBubble(t, o, func(s *site) {
			s.io.OnConnect(func(x *socketio.Socket) {
				if tt.ending {
					x.OnDisconnecting(func(socketio.Reason) { s.io.Emit("y") })
				}
			})
			r := s.client()
			synctest.Wait()
			claim := fmt.Sprintf(`{"pid":%q}`, r.pid)
			if tt.first {
				s.io.Emit("x")
				_, last := offset(t, r.read())
				claim = fmt.Sprintf(`{"pid":%q,"offset":%q}`, r.pid, last)
			}
			busy := func() {
				for range 50 {
					s.io.To("other").Emit("busy")
					time.Sleep(100 * time.Millisecond)
				}
			}
			busy()
			r.cut()
			time.Sleep(200 * time.Millisecond)
			tt.away(s)
			again := s.comeBackWith("", claim)
			if (again.sid == r.sid) != tt.recovered {
				t.Errorf("%s: recovered = %v, want %v", tt.name, again.sid == r.sid, tt.recovered)
			}
			for _, want := range tt.events {
				got, last := offset(t, again.read())
				if got != want {
					t.Errorf("%s: read %q, want %q", tt.name, got, want)
				}
				claim = fmt.Sprintf(`{"pid":%q,"offset":%q}`, again.pid, last)
			}
			again.wantNothing()
			if !tt.recovered {
				return
			}
			busy()
			again.cut()
			if once := s.comeBackWith("", claim); once.sid != r.sid {
				t.Errorf("%s: it has missed nothing since, and is new", tt.name)
			}
		})
	}
}

// An event that was sent and never arrived, because the network had gone silent, is
// delivered again, whether or not the client had received one before. One that came before the
// client is none of its business.
func TestRecoveryOfWhatWasInFlight(t *testing.T) {
	for _, received := range []bool{false, true} {
		inBubble(t, recovering, func(s *site) {
			s.io.Emit("before")
			r := s.client()
			synctest.Wait()
			claim := fmt.Sprintf(`{"pid":%q}`, r.pid)
			if received {
				s.io.Emit("x")
				_, last := offset(t, r.read())
				claim = fmt.Sprintf(`{"pid":%q,"offset":%q}`, r.pid, last)
			}
			s.io.Emit("lost") // r does not read it
			r.cut()
			again := s.comeBackWith("", claim)
			if again.sid != r.sid {
				t.Fatal("not recovered")
			}
			if got, _ := offset(t, again.read()); got != `2["lost"]` {
				t.Errorf("read %q", got)
			}
			again.wantNothing()
		})
	}
}

// An event for a socket whose client is away is kept, as one for its room is, and an
// error says when that is over; whether the namespace or a Log keeps it.
func TestEmitWhileAway(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(r *raw, s *socketio.Socket)
		kept bool
	}{
		{"cut", func(r *raw, _ *socketio.Socket) { r.cut() }, true},
		{"away for MaxAge", func(r *raw, _ *socketio.Socket) { r.cut(); time.Sleep(2 * time.Minute) }, true},
		{"left", func(r *raw, _ *socketio.Socket) { r.send("1"); synctest.Wait() }, false},
		{"sent away", func(_ *raw, s *socketio.Socket) { s.Disconnect(false); synctest.Wait() }, false},
		{"forgotten", func(r *raw, _ *socketio.Socket) { r.cut(); time.Sleep(10 * time.Minute) }, false},
	} {
		inKeepers(t, func(s *site, keeper string) {
			name := tt.name + ", " + keeper
			var early []error // while the handlers learn of the end
			sockets := s.sockets(func(x *socketio.Socket) {
				x.OnDisconnecting(func(socketio.Reason) { early = append(early, x.Emit("early")) })
				x.OnDisconnect(func(socketio.Reason) { early = append(early, x.Emit("early")) })
			})
			r := s.client()
			x := <-sockets
			synctest.Wait()
			s.io.Emit("x")
			_, last := offset(t, r.read())
			tt.end(r, x)
			err := x.Emit("kept", 1)
			if (err == nil) != tt.kept {
				t.Errorf("%s: Emit = %v, want kept = %v", name, err, tt.kept)
			}
			if volatile := x.Volatile().Emit("volatile"); volatile == nil {
				t.Errorf("%s: a volatile event was kept", name)
			}
			if !tt.kept {
				return
			}
			if len(early) != 2 || errors.Join(early...) != nil {
				t.Errorf("%s: in the handlers of the end Emit returned %v", name, early)
			}
			again, sid := s.comeBack(r.pid, last)
			if sid != r.sid {
				t.Fatalf("%s: not recovered", name)
			}
			for _, want := range []string{`2["early"]`, `2["early"]`, `2["kept",1]`} {
				if got, _ := offset(t, again.read()); got != want {
					t.Errorf("%s: read %q, want %q", name, got, want)
				}
			}
			if err := x.Emit("after"); err != nil { // it is the same client's
				t.Errorf("%s: Emit after the return: %v", name, err)
			}
			if got, _ := offset(t, again.read()); got != `2["after"]` {
				t.Errorf("%s: read %q", name, got)
			}
		})
	}
}

// An event for a socket that was sent away before it was let in has nowhere to go.
func TestEmitAfterMiddleware(t *testing.T) {
	inKeepers(t, func(s *site, keeper string) {
		emitted := make(chan error, 1)
		s.io.Use(func(_ context.Context, x *socketio.Socket) error {
			x.Disconnect(false)
			emitted <- x.Emit("e")
			return nil
		})
		r := s.dial()
		r.send("0")
		if err := <-emitted; !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("%s: Emit = %v", keeper, err)
		}
	})
}

// inKeepers runs f with a server that keeps what clients miss, and with one whose Log does.
func inKeepers(t *testing.T, f func(s *site, keeper string)) {
	t.Helper()
	inBubble(t, recovering, func(s *site) { f(s, "kept here") })
	b := new(logBus)
	inBubble(t, &socketio.Options{Adapter: b.join, Recovery: &socketio.Recovery{}}, func(s *site) { f(s, "kept in a Log") })
}

// sockets hands out the sockets that connect, after f.
func (s *site) sockets(f func(*socketio.Socket)) <-chan *socketio.Socket {
	sockets := make(chan *socketio.Socket, 10)
	s.io.OnConnect(func(x *socketio.Socket) {
		if f != nil {
			f(x)
		}
		sockets <- x
	})
	return sockets
}

// A client that comes back while a handler of OnDisconnect is still busy with its end stays when
// that handler has returned.
func TestRecoveryDuringOnDisconnect(t *testing.T) {
	inKeepers(t, func(s *site, keeper string) {
		hold := make(chan struct{})
		s.io.OnConnect(func(x *socketio.Socket) { x.OnDisconnect(func(socketio.Reason) { <-hold }) })
		r := s.client()
		synctest.Wait()
		r.cut()
		again, sid := s.comeBack(r.pid, "")
		if sid != r.sid {
			t.Errorf("%s: not recovered", keeper)
		}
		close(hold)
		synctest.Wait()
		if _, ok := s.io.Socket(sid); !ok {
			t.Errorf("%s: the socket is not known any more", keeper)
		}
		if err := s.io.To(sid).Emit("e"); err != nil {
			t.Error(err)
		}
		if got, _ := offset(t, again.read()); got != `2["e"]` {
			t.Errorf("%s: read %q", keeper, got)
		}
	})
}

// Middleware that runs for a client that comes back finds what the client had, and
// may change it, or refuse the client.
func TestRecoveryBeforeMiddleware(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true}}, func(s *site) {
			type seen struct {
				id        string
				rooms     []string
				recovered bool
				value     any
			}
			saw := make(chan seen, 2)
			s.io.Use(func(_ context.Context, x *socketio.Socket) error {
				saw <- seen{x.ID(), x.Rooms(), x.Recovered(), x.Value("n")}
				if !x.Recovered() {
					x.Set("n", 1)
					return x.Join("room")
				}
				if refuse {
					return errors.New("not again")
				}
				x.Set("n", 2)
				x.Leave("room")
				return x.Join("other")
			})
			sockets := s.sockets(nil)
			r := s.client()
			<-saw
			<-sockets
			synctest.Wait()
			s.io.Emit("x")
			_, last := offset(t, r.read())
			r.cut()
			s.io.To("room").Emit("missed")
			claim := fmt.Sprintf(`{"pid":%q,"offset":%q}`, r.pid, last)
			again := s.dial()
			again.send("0" + claim)
			answer := again.read()
			got := <-saw
			if got.id != r.sid || !got.recovered || got.value != 1 || !slices.Contains(got.rooms, "room") {
				t.Errorf("middleware saw %+v", got)
			}
			if refuse {
				if answer != `4{"message":"not again"}` {
					t.Errorf("answer %q", answer)
				}
				if new := s.comeBackWith("", claim); new.sid == r.sid {
					t.Error("who was refused came back")
				}
				return
			}
			if !strings.Contains(answer, r.sid) {
				t.Errorf("answer %q, want the id %s", answer, r.sid)
			}
			if got, _ := offset(t, again.read()); got != `2["missed"]` {
				t.Errorf("read %q", got)
			}
			x := <-sockets
			if n, _ := socketio.ValueOf[int](x, "n"); n != 2 || !slices.Contains(x.Rooms(), "other") || slices.Contains(x.Rooms(), "room") {
				t.Errorf("value %d, rooms %v: what the middleware did is gone", n, x.Rooms())
			}
		})
	}
}

// A client whose missed events are dropped while middleware runs is not let in: its connection
// is closed, unless the middleware refuses the client, which leaves the connection as it is.
// Handlers of OnConnect and OnDisconnect hear nothing of it, and events for it are kept no more.
func TestRecoveryOutrunInMiddleware(t *testing.T) {
	for _, refuse := range []error{nil, errors.New("not again")} {
		inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true, EventBytes: 1000}}, func(s *site) {
			s.io.Use(func(_ context.Context, x *socketio.Socket) error {
				if !x.Recovered() {
					return nil
				}
				x.OnDisconnect(func(socketio.Reason) { t.Errorf("refused with %v: the end was told", refuse) })
				s.io.Emit("big", strings.Repeat("x", 1000))
				return refuse
			})
			sockets := s.sockets(nil)
			r := s.client()
			old := <-sockets
			synctest.Wait()
			r.cut()
			s.io.Emit("missed")
			again := s.dial()
			again.send(fmt.Sprintf(`0{"pid":%q}`, r.pid))
			if refuse == nil {
				again.wantClosed()
			} else {
				again.want(`4{"message":"not again"}`)
				again.wantNothing()
			}
			synctest.Wait()
			if len(sockets) > 0 {
				t.Errorf("refused with %v: connected", refuse)
			}
			if err := old.Emit("late"); !errors.Is(err, socketio.ErrDisconnected) {
				t.Errorf("refused with %v: Emit = %v", refuse, err)
			}
		})
	}
}

// A client that is lost again before the middleware has let it in may come back once
// more.
func TestRecoveryLostInMiddleware(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true}}, func(s *site) {
		hold := make(chan struct{})
		first := true
		s.io.Use(func(_ context.Context, x *socketio.Socket) error {
			if x.Recovered() && first {
				first = false
				<-hold
			}
			return nil
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
		again.cut()
		close(hold)
		synctest.Wait()
		once := s.comeBackWith("", claim)
		if once.sid != r.sid {
			t.Fatal("not recovered")
		}
		if got, _ := offset(t, once.read()); got != `2["missed"]` {
			t.Errorf("read %q", got)
		}
	})
}

// Who is lost before middleware has let it in may come back once more, as it was, unless
// it was sent away; also if the middleware has failed because its ctx had ended, and
// however long it has taken. Handlers of OnConnect hear nothing of it until then.
func TestRecoveryEndsInMiddleware(t *testing.T) {
	for _, tt := range []struct {
		name      string
		sentAway  bool
		err       error
		takes     time.Duration
		recovered bool
	}{
		{"sent away", true, nil, 0, false},
		{"lost", false, nil, 0, true},
		{"lost, and the middleware fails", false, context.Canceled, 0, true},
		{"lost, and the middleware is slow", false, nil, 30 * time.Second, true},
	} {
		o := &socketio.Options{Recovery: &socketio.Recovery{RunMiddleware: true, MaxAge: time.Minute}}
		inBubble(t, o, func(s *site) {
			var early *socketio.Socket
			hold := make(chan struct{})
			child := s.io.OfFunc(func(name string, _ json.RawMessage) bool { return name == "/made" })
			child.Use(func(_ context.Context, x *socketio.Socket) error {
				if !x.Recovered() {
					x.Set("n", 1)
				}
				if !x.Recovered() || early != nil {
					return nil
				}
				early = x
				if tt.sentAway {
					x.Disconnect(false)
				}
				<-hold
				return tt.err
			})
			child.OnConnect(func(x *socketio.Socket) {
				if x == early {
					t.Errorf("%s: connected", tt.name)
				}
			})
			r := s.dial()
			r.connect("/made,")
			s.io.Of("/made").To("nobody").Emit("x") // from now on recovery tidies up each minute
			time.Sleep(40 * time.Second)
			r.cut()
			claim := fmt.Sprintf(`{"pid":%q}`, r.pid)
			again := s.dial()
			again.send("0/made," + claim)
			synctest.Wait()
			again.cut()
			time.Sleep(tt.takes)
			close(hold)
			synctest.Wait()
			once := s.comeBackWith("/made,", claim)
			if (once.sid == r.sid) != tt.recovered {
				t.Errorf("%s: recovered = %v, want %v", tt.name, once.sid == r.sid, tt.recovered)
			}
			early.Set("key", 1)
			synctest.Wait()
			if x, ok := s.io.Of("/made").Socket(once.sid); !ok || x.Value("key") != nil {
				t.Errorf("%s: two sockets have the same data", tt.name)
			}
		})
	}
}

// A child namespace lives as long as it has a client, whatever it remembers.
func TestRecoveryInUse(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{MaxAge: time.Second}}, func(s *site) {
		s.io.OfFunc(func(name string, _ json.RawMessage) bool { return name == "/child" })
		r := s.dial()
		r.connect("/child,")
		s.io.Of("/child").Emit("e")
		time.Sleep(10 * time.Second)
		if names := s.io.Namespaces(); !slices.Equal(names, []string{"/", "/child"}) {
			t.Errorf("namespaces %v", names)
		}
	})
}

// It is tidied up while a client is away that may still come back.
func TestRecoveryTidied(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{MaxAge: time.Minute}}, func(s *site) {
		s.io.OfFunc(func(name string, _ json.RawMessage) bool { return name == "/child" })
		r := s.dial()
		r.connect("/child,")
		s.io.Of("/child").To("nobody").Emit("e") // it is tidied up after 61 s
		time.Sleep(40 * time.Second)
		r.cut()
		time.Sleep(30 * time.Second)
		if again := s.comeBackWith("/child,", fmt.Sprintf(`{"pid":%q}`, r.pid)); again.sid != r.sid {
			t.Error("not recovered")
		}
	})
}

// A child namespace lives as long as it remembers a client, and no longer.
func TestRecoveryInChild(t *testing.T) {
	inBubble(t, recovering, func(s *site) {
		s.io.OfFunc(func(name string, _ json.RawMessage) bool { return name == "/child" })
		r := s.dial()
		r.connect("/child,")
		synctest.Wait()
		r.cut()
		s.io.Of("/child").Emit("missed")
		again := s.comeBackWith("/child,", fmt.Sprintf(`{"pid":%q}`, r.pid))
		if again.sid != r.sid {
			t.Error("not recovered")
		}
		if got, _ := offset(t, again.read()); got != `2/child,["missed"]` {
			t.Errorf("read %q", got)
		}
		again.cut()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if names := s.io.Namespaces(); !slices.Equal(names, []string{"/"}) {
			t.Errorf("namespaces %v", names)
		}
	})
}
