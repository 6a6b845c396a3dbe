package engineio_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
)

var fast = &engineio.Options{Limits: engineio.Limits{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond}}

// "The server pings every pingInterval."
func TestHeartbeat(t *testing.T) {
	inBubble(t, fast, func(s *site) {
		sid := s.open()
		w := s.openWebSocket()
		start := time.Now()
		for i := range 5 {
			get := s.later(sid)
			w.want("2")
			if d := time.Since(start); d != time.Duration(i+1)*300*time.Millisecond {
				t.Errorf("ping %d after %v", i, d)
			}
			s.wantAnswer(get, 200, "2")
			s.wantPost(sid, "3", 200, "ok")
			w.send("3")
			synctest.Wait()
		}
		s.wantAlive()
	})
}

// "No pong within pingTimeout closes."
func TestPingTimeout(t *testing.T) {
	inBubble(t, fast, func(s *site) {
		w := s.openWebSocket()
		w.want("2")
		start := time.Now()
		w.wantClosed()
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("closed %v after the ping", d)
		}
		s.wantEnd(engineio.PingTimeout)

		sid := s.open()
		s.wantGet(sid, 200, "2")
		s.wantGet(sid, 200, "1")
		s.wantEnd(engineio.PingTimeout)
		s.wantGet(sid, 400, unknownSession)
	})
}

// "Deadlines count from the open, and a request that comes after one finds the
// session closed."
func TestDeadlineBeforeRequest(t *testing.T) {
	inBubble(t, fast, func(s *site) {
		sid := s.open()
		time.Sleep(500 * time.Millisecond) // pingInterval + pingTimeout
		s.wantGet(sid, 400, unknownSession)
		sid = s.open()
		time.Sleep(500 * time.Millisecond)
		s.wantPost(sid, "3", 400, unknownSession)
		sid = s.open()
		time.Sleep(500 * time.Millisecond)
		if _, _, err := s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket&sid=" + sid); err == nil {
			t.Error("a WebSocket attached to a session that is over")
		}
	})
}

// "A ping from the client is a violation."
func TestClientPings(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		s.wantPost(sid, "2", 400, badRequest)
		s.wantEnd(engineio.TransportError)
		w := s.openWebSocket()
		w.send("2")
		w.wantClosed()
		s.wantEnd(engineio.TransportError)
	})
}

// A pong that nobody asked for does not put the next ping off.
func TestUnaskedPong(t *testing.T) {
	inBubble(t, fast, func(s *site) {
		w := s.openWebSocket()
		start := time.Now()
		time.Sleep(100 * time.Millisecond)
		w.send("3")
		w.want("2")
		if d := time.Since(start); d != 300*time.Millisecond {
			t.Errorf("ping after %v", d)
		}
	})
}

// A slow handler keeps the client's pong from being read; that is no reason to
// give the client up.
func TestSlowReceiver(t *testing.T) {
	withReceiver(t, fast, func(e echo) engineio.Receiver { return slow{e} }, func(s *site) {
		w := s.openWebSocket()
		w.send("4slow")
		w.want("2")
		w.send("3")
		w.want("4slow") // after 60 s
		w.want("2")
		w.send("3")
		w.want("2")
		s.wantAlive()
	})
}

type slow struct{ echo }

func (r slow) Message(data []byte, binary bool) {
	time.Sleep(time.Minute)
	r.echo.Message(data, binary)
}

// "Close by the server for any reason: a waiting GET is answered 200 1."
func TestCloseWithGET(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		get := s.later(sid)
		n := s.session()
		n.Close()
		n.Close()
		s.wantAnswer(get, 200, "1")
		s.wantEnd(engineio.ForcedClose)
		s.wantGet(sid, 400, unknownSession)
		s.wantAlive() // told once
	})
}

// "With none waiting, the 1 is kept up to 30 s for the next GET, after all
// queued packets": in a payload of its own, since clients handle a close packet
// at once and drop the messages ahead of it.
func TestCloseWithoutGET(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		n.Send(engineio.NewMessage([]byte("a"), false))
		n.Close()
		s.wantEnd(engineio.ForcedServerClose)
		if err := n.Send(engineio.NewMessage([]byte("b"), false)); err != engineio.ErrClosed {
			t.Errorf("Send: %v", err)
		}
		s.wantPost(sid, "4c", 400, unknownSession)
		time.Sleep(30*time.Second - 1)
		s.wantGet(sid, 200, "4a")
		s.wantGet(sid, 200, "1")
		s.wantGet(sid, 400, unknownSession)

		sid = s.open()
		s.session().Close()
		time.Sleep(30 * time.Second)
		s.wantGet(sid, 400, unknownSession)
	})
}

// A client that has read what it needs to know closes too, and does not come for
// the close packet.
func TestBothClose(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		n.Send(engineio.NewMessage([]byte("go away"), false))
		n.Close()
		s.wantEnd(engineio.ForcedServerClose)
		s.wantGet(sid, 200, "4go away")
		s.wantPost(sid, "4never", 400, unknownSession)
		s.wantPost(sid, "4never\x1e1", 200, "ok")
		s.wantGet(sid, 400, unknownSession)
		s.wantPost(sid, "1", 400, unknownSession)
		if err := s.server.Shutdown(context.Background()); err != nil { // at once: nothing is left
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// "On WebSocket: a Close frame", after everything that was sent.
func TestCloseWebSocket(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		w := s.openWebSocket()
		n := s.session()
		n.Send(engineio.NewMessage([]byte("a"), false))
		n.Close()
		w.want("4a")
		w.wantClosed()
		s.wantEnd(engineio.ForcedClose)
	})
}

// A receiver may close from within Message.
func TestCloseFromMessage(t *testing.T) {
	withReceiver(t, nil, func(e echo) engineio.Receiver { return closer{e} }, func(s *site) {
		w := s.openWebSocket()
		w.send("4a")
		w.wantClosed()
		s.wantEnd(engineio.ForcedClose)
		sid := s.open()
		s.wantPost(sid, "4a\x1e4b", 200, "ok")
		s.wantGet(sid, 200, "1")
		s.wantEnd(engineio.ForcedServerClose)
	})
}

type closer struct{ echo }

func (r closer) Message([]byte, bool) { r.s.Close() }

// "Close by the client's 1: its POST gets ok, a waiting GET gets 6." What follows in the POST
// is not looked at.
func TestClientCloses(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		get := s.later(sid)
		s.wantPost(sid, "4a\x1e1\x1e4never\x1e2\x1enothing", 200, "ok")
		if r := <-get; r.body != "4a" {
			t.Errorf("GET %q", r.body)
		}
		s.wantEnd(engineio.TransportClose)

		sid = s.open()
		get = s.later(sid)
		s.wantPost(sid, "1", 200, "ok")
		s.wantAnswer(get, 200, "6")
		s.wantEnd(engineio.TransportClose)
		s.wantGet(sid, 400, unknownSession)
	})
}

// "With none waiting the sid answers one late GET with 6."
func TestClientClosesBeforeGET(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		s.session().Send(engineio.NewMessage([]byte("lost"), false))
		s.wantPost(sid, "1", 200, "ok")
		s.wantEnd(engineio.TransportClose)
		s.wantGet(sid, 200, "6")
		s.wantGet(sid, 400, unknownSession)
	})
}

func TestClientClosesWebSocket(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		w := s.openWebSocket()
		w.send("1")
		w.wantClosed()
		s.wantEnd(engineio.TransportClose)
		w = s.openWebSocket()
		w.c.Close(frame.StatusNormalClosure, "")
		s.wantEnd(engineio.TransportClose)
		w = s.openWebSocket()
		w.c.Close(frame.StatusNoStatus, "")
		s.wantEnd(engineio.TransportClose)
	})
}

func TestReasonString(t *testing.T) {
	want := []string{"transport close", "transport error", "ping timeout", "parse error", "forced close", "forced server close", "server shutting down", "unknown reason"}
	for i, words := range want {
		if got := engineio.Reason(i).String(); got != words {
			t.Errorf("Reason(%d) = %q, want %q", i, got, words)
		}
	}
}

// Never answering: 10,000 sessions, all gone, and nobody's timer is left.
func TestSilentSessions(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var ended sync.WaitGroup
		const n = 10_000
		ended.Add(n)
		go func() {
			for range n {
				<-s.ends
				ended.Done()
			}
		}()
		go func() {
			for range n {
				<-s.sessions
			}
		}()
		for range n {
			r := s.must("GET", "transport=polling", "")
			if !strings.HasPrefix(r.body, "0") {
				t.Fatal(r.body)
			}
		}
		ended.Wait()
		if err := s.server.Shutdown(s.t.Context()); err != nil { // at once: nothing is left
			t.Error(err)
		}
	})
}
