package socketio

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// A client that answers the DISCONNECT of the server with a CONNECT at once
// finds its place free: the second socket is no second CONNECT.
func TestFreeBeforeDisconnect(t *testing.T) {
	io := newServer(t, &Options{Logger: slog.New(slog.DiscardHandler)})
	sockets := make(chan *Socket, 2)
	io.OnConnect(func(s *Socket) { sockets <- s })
	var c *connection
	engine, err := engineio.NewServer(func(n *engineio.Session) engineio.Receiver {
		c = newConnection(io, n)
		return c
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling", nil))
	sid := strings.Split(w.Body.String(), `"`)[3]
	poll := func(method, body string) string {
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, httptest.NewRequest(method, "/engine.io/?EIO=4&transport=polling&sid="+sid, strings.NewReader(body)))
		return w.Body.String()
	}
	poll("POST", "40")
	s := <-sockets
	poll("GET", "")
	answered := make(chan bool)
	go func() {
		if got := poll("GET", ""); got != "41" {
			t.Errorf("GET: %q, want DISCONNECT", got)
		}
		answered <- c.socket([]byte("/")) == nil
	}()
	s.Disconnect(false)
	if !<-answered {
		t.Error("the socket is still there when the client knows of its end")
	}
	poll("POST", "40")
	if again := <-sockets; again.ID() == s.ID() {
		t.Error("the same socket again")
	}
	poll("POST", "1")
	poll("GET", "") // takes the noop: nothing of the session is left
	if err := io.work.wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// A caller that was told of the end is not told of an acknowledgement that has met the end.
func TestAckMeetsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		var told []*packet.Unit
		if err := l.got.expect(7, func(u *packet.Unit) { told = append(told, u) }); err != nil {
			t.Fatal(err)
		}
		l.got.close(ClientNamespaceDisconnect)
		late := new(packet.Unit)
		late.HasID, late.ID = true, 7
		l.got.acknowledged(late)
		if len(told) != 1 || told[0] != nil {
			t.Errorf("told %v, want nil once", told)
		}
		l.close()
	})
}

// A client may leave, and come back, while the server is about to send it away: that is no
// second CONNECT, and the DISCONNECT, which it would take for the end of its new socket, is not
// sent any more. A client that has not heard of its old socket comes back without leaving.
func TestReturnMeetsDisconnect(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			l := newLocal(t, nil)
			l.c.Message([]byte("0"), false)
			synctest.Wait()
			l.poll()
			old := l.got
			old.OnEvent("x", func(*Event) error { t.Error("an event of the old socket is handled"); return nil })
			handled := 0
			err := old.expect(7, func(*packet.Unit) { // called when the socket is over, and still there
				l.c.Message([]byte(`2["x"]`), false)
				l.c.Message([]byte("37[]"), false)
				if leaves {
					l.c.Message([]byte("1"), false)
				}
				l.c.Message([]byte("0"), false)
				synctest.Wait()
				l.got.OnEvent("x", func(*Event) error { handled++; return nil })
				l.c.Message([]byte(`2["x"]`), false)
			})
			if err != nil {
				t.Fatal(err)
			}
			old.Disconnect(false)
			synctest.Wait()
			if got := l.poll(); l.got == old || got != fmt.Sprintf(`40{"sid":%q}`, l.got.ID()) {
				t.Errorf("leaves: %t: sent %q, the new socket is %s", leaves, got, l.got.ID())
			}
			if handled != 1 || !l.got.Connected() || l.c.server.Count() != 1 {
				t.Errorf("leaves: %t: %d events of the new socket were handled, it is connected: %t", leaves, handled, l.got.Connected())
			}
			l.close()
		})
	}
}

// If it may not come back it has left: what it sends then is a violation.
func TestReturnRefusedMeetsDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		may := true
		var got *Socket
		l.c.server.OfFunc(func(string, json.RawMessage) bool { return may }).OnConnect(func(s *Socket) { got = s })
		l.c.Message([]byte("0/x,"), false)
		synctest.Wait()
		err := got.expect(7, func(*packet.Unit) {
			may = false
			l.c.Message([]byte("0/x,"), false)
		})
		if err != nil {
			t.Fatal(err)
		}
		got.Disconnect(false)
		synctest.Wait()
		if _, err := l.c.addressed([]byte("/x")); err != errNotJoined {
			t.Errorf("error %v, want %v", err, errNotJoined)
		}
		l.close()
	})
}

// A client that leaves while the server is about to send it away, and does not come back, knows
// of the end of its socket: what it sends to that afterwards is a violation.
func TestLeavingMeetsDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		err := l.got.expect(7, func(*packet.Unit) { l.c.Message([]byte("1"), false) })
		if err != nil {
			t.Fatal(err)
		}
		l.got.Disconnect(false)
		if _, err := l.c.addressed([]byte("/")); err != errNotJoined {
			t.Errorf("error %v, want %v", err, errNotJoined)
		}
		l.close()
	})
}

// A packet that the server was reading as the session ended is no violation, which would be
// logged, of a client that has done nothing wrong.
func TestPacketMeetsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		l.close()
		if s, err := l.c.addressed([]byte("/")); s != nil || err != nil {
			t.Errorf("%v, %v", s, err)
		}
	})
}

// Whoever finds that a socket is not there any more sends what comes after its DISCONNECT. A
// CONNECT that went out before it would be ended by it, for the client alone.
func TestDisconnectComesFirst(t *testing.T) {
	l := newLocal(t, nil)
	connected := make(chan *Socket)
	l.c.server.OnConnect(func(s *Socket) { connected <- s })
	l.c.Message([]byte("0"), false)
	s := <-connected
	l.poll()
	var g sync.WaitGroup
	l.c.mu.Lock()
	g.Go(func() { s.Disconnect(false) })
	time.Sleep(5 * time.Millisecond) // it waits for mu
	g.Go(func() {
		l.c.mu.Lock()
		defer l.c.mu.Unlock()
		l.c.session.Send(engineio.NewMessage([]byte("next"), false))
	})
	time.Sleep(5 * time.Millisecond) // this waits too
	l.c.mu.Unlock()
	l.c.mu.Lock() // before those: now mu goes from one to the next without delay
	time.Sleep(5 * time.Millisecond)
	l.c.mu.Unlock()
	g.Wait()
	if got, want := l.poll(), "41\x1e4next"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	l.close()
}
