package engineio_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// "Upgrade: WebSocket with the sid, client sends 2probe, server 3probe. Client
// sends 5; everything goes over WebSocket now."
func TestUpgrade(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		if got := n.Transport(); got != "polling" {
			t.Errorf("transport %q before the 5", got)
		}
		w.send("5")
		w.send("4a")
		w.want("4a")
		if got := n.Transport(); got != "websocket" {
			t.Errorf("transport %q after the 5", got)
		}
		w.sendBinary("b")
		w.want("binary:b")
		s.wantAlive()
	})
}

// "From then until the upgrade is done every GET is released with 6, at a
// 100 ms tick."
func TestGETReleased(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		before := s.later(sid)
		w := s.websocket("&sid=" + sid)
		time.Sleep(time.Second)
		s.wantWaiting(before) // no 2probe yet
		start := time.Now()
		w.send("2probe")
		w.want("3probe")
		s.wantAnswer(before, 200, "6")
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("released after %v", d)
		}
		s.wantGet(sid, 200, "6") // one that comes after the 3probe
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("released after %v", d)
		}
		time.Sleep(time.Second) // nobody is to be released
		start = time.Now()
		s.wantGet(sid, 200, "6")
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("released after %v", d)
		}
		w.send("5")
		w.send("4a")
		w.want("4a")
	})
}

// While the probe is on requests still carry messages.
func TestPollingWhileProbing(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		s.wantPost(sid, "4a", 200, "ok")
		s.wantGet(sid, 200, "4a")
		w.send("2probe")
		w.want("3probe")
		get := s.later(sid)
		s.wantPost(sid, "4b", 200, "ok")
		s.wantAnswer(get, 200, "4b")
		s.wantAlive()
	})
}

// "A GET that still waits when 5 arrives gets 400 code 3."
func TestGETWhenUpgraded(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		get := s.later(sid)
		w.send("5")
		s.wantAnswer(get, 400, badRequest)
		w.send("4a")
		w.want("4a")
		s.wantAlive()
	})
}

// "HTTP after the upgrade: 400 code 3, the session lives."
func TestHTTPAfterUpgrade(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid, w := s.upgraded()
		s.wantGet(sid, 400, badRequest)
		s.wantPost(sid, "4a", 400, badRequest)
		w.send("4b")
		w.want("4b")
		s.wantAlive()
	})
}

// "Nothing queued is lost, doubled or reordered."
func TestQueueMovesOver(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		for i := range 10 {
			n.Send(engineio.NewMessage(fmt.Append(nil, i), i%2 == 1))
		}
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		w.send("5")
		for i := range 10 {
			if i%2 == 1 {
				w.want(fmt.Sprint("binary:", i))
			} else {
				w.want(fmt.Sprint("4", i))
			}
		}
		n.Send(engineio.NewMessage([]byte("last"), false))
		w.want("4last")
	})
}

// "5" does without a probe before it.
func TestUpgradeWithoutProbe(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		w := s.websocket("&sid=" + s.open())
		w.send("5")
		w.send("4a")
		w.want("4a")
	})
}

// A probe may come twice.
func TestProbeTwice(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		w := s.websocket("&sid=" + s.open())
		w.send("2probe")
		w.want("3probe")
		w.send("2probe")
		w.want("3probe")
		w.send("5")
		w.send("4a")
		w.want("4a")
	})
}

// A session that is closed meanwhile answers no probe: its next GET tells the client.
func TestProbeOfClosed(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		s.session().Close()
		w.send("2probe")
		synctest.Wait()
		s.wantGet(sid, 200, "1")
		w.wantClosed()
	})
}

// "A probe without 5 is dropped after upgradeTimeout and polling goes on."
func TestUpgradeTimeout(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		for _, probes := range []bool{false, true} {
			start := time.Now()
			w := s.websocket("&sid=" + sid)
			if probes {
				w.send("2probe")
				w.want("3probe")
			}
			w.wantClosed()
			if d := time.Since(start); d != 10*time.Second {
				t.Errorf("probes %v: dropped after %v", probes, d)
			}
		}
		get := s.later(sid)
		time.Sleep(time.Second)
		s.wantWaiting(get) // no release any more
		s.wantPost(sid, "4a", 200, "ok")
		s.wantAnswer(get, 200, "4a")
		w := s.websocket("&sid=" + sid) // another try
		w.send("5")
		w.send("4b")
		w.want("4b")
	})
}

// "Anything but 2probe and 5 on a probing WebSocket closes only it."
func TestBadProbe(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		for _, packet := range []string{"2", "3probe", "4a", "1", "6", "5x", "abc", ""} {
			w := s.websocket("&sid=" + sid)
			w.send(packet)
			w.wantClosed()
			w = s.websocket("&sid=" + sid)
			w.send("2probe")
			w.want("3probe")
			w.send(packet)
			w.wantClosed()
		}
		for _, packet := range []string{"2probe", "5"} {
			w := s.websocket("&sid=" + sid)
			w.sendBinary(packet)
			w.wantClosed()
		}
		s.wantAlive()
		s.wantPost(sid, "4a", 200, "ok")
		s.wantGet(sid, 200, "4a")
	})
}

// A probing WebSocket that ends leaves polling as it was, and the client may try another one at
// once.
func TestProbeEnds(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		w.c.CloseNow()
		synctest.Wait()
		s.wantPost(sid, "4a", 200, "ok")
		s.wantGet(sid, 200, "4a")
		s.wantAlive()
		w = s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
	})
}

// "A second WebSocket while one probes is closed and the first goes on."
func TestSecondProbe(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		first := s.websocket("&sid=" + sid)
		first.send("2probe")
		first.want("3probe")
		second := s.websocket("&sid=" + sid)
		second.wantClosed()
		first.send("5")
		first.send("4a")
		first.want("4a")
		s.wantAlive()
	})
}

// "A second WebSocket after the upgrade is accepted and closed at once, the
// session lives." Likewise where WebSocket is the first transport.
func TestSecondWebSocket(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid, first := s.upgraded()
		s.websocket("&sid=" + sid).wantClosed()
		first.send("4a")
		first.want("4a")
		direct := s.openWebSocket()
		s.websocket("&sid=" + s.session().ID()).wantClosed()
		direct.send("4a")
		direct.want("4a")
		s.wantAlive()
	})
}

// A session that ends takes the probing WebSocket along, once its client has the rest.
func TestEndWhileProbing(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		s.session().Close()
		s.wantEnd(engineio.ForcedServerClose)
		s.wantGet(sid, 200, "1")
		w.wantClosed()

		sid = s.open()
		w = s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		answer := s.later(sid) // which gets the rest at once
		s.session().Close()
		s.wantEnd(engineio.ForcedClose)
		s.wantAnswer(answer, 200, "1")
		w.wantClosed()
	})
}

// A client that is on its way to the WebSocket when the session ends gets there what was
// sent before: it sends no GET any more. Packets ahead of the 5 are too late to matter.
func TestEndWhileMoving(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		n := s.session()
		n.Send(engineio.NewMessage([]byte("a"), false), engineio.NewMessage([]byte("b"), true))
		n.Close()
		s.wantEnd(engineio.ForcedServerClose)
		w.send("4late")
		w.send("2probe")
		synctest.Wait()
		start := time.Now()
		w.send("5")
		w.want("4a")
		w.want("binary:b")
		w.wantClosed()
		if d := time.Since(start); d != 0 {
			t.Errorf("closed after %v", d)
		}
		s.wantGet(sid, 400, unknownSession)
	})
}

// One that does not come there is not waited for longer than its next GET would be.
func TestEndWhileMovingVanished(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		start := time.Now()
		s.session().Close()
		s.wantEnd(engineio.ForcedServerClose)
		w.wantClosed()
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("closed after %v, want 30s", d)
		}
		s.wantGet(sid, 400, unknownSession)
	})
}

// The heartbeat goes on across the upgrade: the ping comes by the one
// transport, the pong by the other.
func TestHeartbeatAcrossUpgrade(t *testing.T) {
	inBubble(t, fast, func(s *site) {
		sid := s.open()
		get := s.later(sid)
		s.wantAnswer(get, 200, "2")
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		w.send("5")
		w.send("3")
		w.want("2")
		s.wantAlive()
	})
}

// A ping that is queued when the upgrade comes is not lost.
func TestPingMovesOver(t *testing.T) {
	inBubble(t, fast, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		time.Sleep(350 * time.Millisecond)
		w.send("5")
		w.want("2")
	})
}

// A POST that was begun before the 5 counts: whether its last byte comes
// before or after must not matter.
func TestPOSTAcrossUpgrade(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		rest, answer := s.postSlowly(s.t.Context(), sid)
		w := s.websocket("&sid=" + sid)
		w.send("5")
		synctest.Wait()
		rest.Write([]byte("slow"))
		rest.Close()
		s.wantAnswer(answer, 200, "ok")
		w.want("4slow")
		s.wantAlive()
	})
}

// Messages in both directions while a client like the JavaScript one moves
// over: it waits for its requests before it sends the 5. Whatever the moment,
// nothing is lost, doubled or reordered.
func TestOrderAcrossUpgrade(t *testing.T) {
	for round := range before {
		inBubble(t, nil, func(s *site) {
			s.moveWhileBusy(round)
		})
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}

// The messages of moveWhileBusy, by either transport.
const before, after = 40, 40

// moveWhileBusy sends numbers to the server, which sends them back. The probe comes
// with number round.
func (s *site) moveWhileBusy(round int) {
	sid := s.open()
	var got []string
	var polls, posts sync.WaitGroup
	pause, moment := make(chan struct{}), make(chan struct{})
	polls.Go(func() {
		for {
			select {
			case <-pause:
				return
			default:
			}
			r, err := s.do(s.t.Context(), "GET", "transport=polling&sid="+sid, "")
			if err != nil || r.status != 200 {
				s.t.Errorf("GET: %d %q, %v", r.status, r.body, err)
				return
			}
			for packet := range strings.SplitSeq(r.body, "\x1e") {
				if packet != "6" {
					got = append(got, packet)
				}
			}
		}
	})
	posts.Go(func() {
		for i := range before {
			if i == round {
				close(moment)
			}
			s.wantPost(sid, fmt.Sprint("4", i), 200, "ok")
		}
	})
	<-moment
	w := s.websocket("&sid=" + sid)
	w.send("2probe")
	w.want("3probe")
	posts.Wait()
	close(pause)
	polls.Wait()
	w.send("5")
	go func() {
		for i := range after {
			w.c.Write(context.Background(), conn.Text, fmt.Append(nil, "4", before+i))
		}
	}()
	for len(got) < before+after && !s.t.Failed() {
		got = append(got, w.read())
	}
	for i, packet := range got {
		if packet != fmt.Sprint("4", i) {
			s.t.Errorf("packet %d is %q", i, packet)
		}
	}
}

// A WebSocket that is dropped releases no GET.
func TestDropReleasesNothing(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		get := s.later(sid)
		w := s.websocket("&sid=" + sid)
		w.send("4")
		w.wantClosed()
		time.Sleep(time.Second)
		s.wantWaiting(get)
		s.wantPost(sid, "4a", 200, "ok")
		s.wantAnswer(get, 200, "4a")
	})
}

// Where no GET waits when one is to be released, the next one is.
func TestNoGETReleased(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		w := s.websocket("&sid=" + sid)
		w.send("2probe")
		w.want("3probe")
		time.Sleep(time.Second)
		start := time.Now()
		s.wantGet(sid, 200, "6")
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("released after %v", d)
		}
	})
}
