package engineio_test

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
)

// bubbled finds the bubble in the first line of a goroutine's stack.
var bubbled = regexp.MustCompile(`^goroutine .*(synctest bubble \d+)`)

// stacks returns the stacks of the goroutines in the caller's bubble. What earlier tests have
// left is in none, or in another one.
func stacks() (all []string) {
	buf := make([]byte, 1<<22)
	bubble := ""
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		of := ""
		if found := bubbled.FindStringSubmatch(stack); found != nil {
			of = found[1]
		}
		if all == nil { // the caller's own is the first
			bubble = of
		}
		if of == bubble {
			all = append(all, stack)
		}
	}
	return all
}

// goroutines returns how many goroutines run code of package engineio itself, or wait for the
// messages of a WebSocket.
func goroutines() int {
	n := 0
	for _, stack := range stacks() {
		if strings.Contains(stack, "/parley/engineio.") || strings.Contains(stack, "receiveAlone(") {
			n++
		}
	}
	return n
}

// No goroutine for an idle session on long-polling beyond its waiting request,
// one for an idle session on WebSocket, and none in a loop.
func TestIdleGoroutines(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		before := goroutines()
		for range 10 {
			s.open()
		}
		synctest.Wait()
		if got := goroutines() - before; got != 0 {
			t.Errorf("%d goroutines for 10 sessions that don't poll", got)
		}
		for range 10 {
			s.later(s.open())
		}
		if got := goroutines() - before; got != 10 {
			t.Errorf("%d goroutines for 10 sessions that poll", got)
		}
		for range 10 {
			s.upgraded()
			s.openWebSocket()
		}
		synctest.Wait()
		want := 30
		if *inLoop {
			want = 10
		}
		if got := goroutines() - before; got != want {
			t.Errorf("%d goroutines, 20 sessions on WebSocket later", got)
		}
	})
}

// A negative limit is none.
func TestNoLimits(t *testing.T) {
	const day = 24 * time.Hour
	o := &engineio.Options{Limits: engineio.Limits{MaxPayload: -1, QueueBytes: -1, PingInterval: 20 * day, PingTimeout: day, UpgradeTimeout: -1}}
	inBubble(t, o, func(s *site) {
		sid := s.open()
		big := "4" + strings.Repeat("x", 2_000_000)
		s.wantPost(sid, big, 200, "ok")
		s.wantGet(sid, 200, big)
		n, m := s.session(), engineio.NewMessage([]byte(big[1:]), false)
		for range 20 {
			if err := n.Send(m); err != nil { // 40 MB
				t.Fatal(err)
			}
		}
		s.get(sid)
		w := s.websocket("&sid=" + sid)
		time.Sleep(21*day - 1)
		w.send("5")
		s.wantAlive()
		w.want("2")
		time.Sleep(time.Second)
		s.wantEnd(engineio.PingTimeout)
	})
}

// A message costs nothing per recipient, in whichever form it goes out.
func TestSendAllocs(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		for _, tt := range []struct {
			name   string
			w      socket
			binary bool
			want   string
		}{
			{"text", s.openWebSocket(), false, "4hello"},
			{"binary", s.openWebSocket(), true, "binary:hello"},
			{"binary, version 3", s.openWebSocket3(""), true, "binary:\x04hello"},
			{"base64, version 3", s.openWebSocket3("&b64=1"), true, "b4aGVsbG8="},
		} {
			n := <-s.sessions
			m := engineio.NewMessage([]byte("hello"), tt.binary)
			for range 100 {
				n.Send(m)
				tt.w.want(tt.want)
			}
			synctest.Wait()
			got := testing.AllocsPerRun(100, func() {
				if err := n.Send(m); err != nil {
					t.Fatal(err)
				}
			})
			if got >= 1 {
				t.Errorf("%s: Send allocates %v times, want 0", tt.name, got)
			}
		}
	})
}

// What is sent while a cork is in comes in order, and does not wait for ever.
func TestSessionCork(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		before := n.Cork() // nothing to hold back on long-polling
		n.Send(engineio.NewMessage([]byte("0"), false))
		s.wantGet(sid, 200, "40")
		w := s.websocket("&sid=" + sid)
		w.send("5")
		synctest.Wait()
		before.Release()
		cork := n.Cork()
		for _, text := range []string{"1", "2", "3"} {
			n.Send(engineio.NewMessage([]byte(text), false))
		}
		w.want("41")
		cork.Release()
		w.want("42")
		w.want("43")
	})
}

// What is sent while a session is held leaves with Release and no earlier, and the session can
// be used meanwhile, on either transport.
func TestSessionHold(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		before := n.Hold() // nothing to hold back on long-polling
		n.Send(engineio.NewMessage([]byte("0"), false))
		s.wantGet(sid, 200, "40")
		before.Release()
		w := s.websocket("&sid=" + sid)
		w.send("5")
		synctest.Wait()
		hold := n.Hold()
		for _, text := range []string{"1", "2"} {
			n.Send(engineio.NewMessage([]byte(text), false))
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		if _, data, err := w.c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read %q, %v before Release", data, err)
		}
		hold.Release()
		w.want("41")
		w.want("42")
	})
}
