package proof

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// endLimits are those of a connection that have to do with time and with its end.
var endLimits = []limit{
	{
		what: "a peer that does not read", value: "10 s without progress, and a second for each KiB over all", field: "conn.Limits.WriteTimeout", answer: "the connection is cut", says: "without progress",
		trip: func(a *arena) {
			a.raw()
			a.peer("").Send(wstest.Text("write 8 MiB"))
			time.Sleep(time.Minute)
			var d time.Duration
			for line := range strings.Lines(a.wasTold()) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "after "); ok {
					d, _ = time.ParseDuration(text)
				}
			}
			if d < 10*time.Second || d > 21*time.Second {
				a.Errorf("after %v", d)
			}
		},
	},
	{
		what: "what is queued by Send", value: "1 MiB and 1,024 messages", field: "conn.Limits.QueueBytes, QueueMessages; conn.Options.Overflow", answer: "1013, or the oldest are dropped", says: "queue full",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			p.Send(wstest.Text("send for ever"))
			time.Sleep(time.Second)
			var n int
			for line := range strings.Lines(a.wasTold()) {
				fmt.Sscanf(line, "message %d", &n)
			}
			if n < 1024 {
				a.Errorf("the queue is full with %d messages", n)
			}
			for { // once the peer reads again it learns why
				f, err := p.Next()
				a.must(err)
				if f.Header.Opcode == frame.Close {
					if c, _, err := frame.ParseClose(f.Payload); err != nil || c != frame.StatusTryAgainLater {
						a.Errorf("closed with %v, %v", c, err)
					}
					break
				}
			}
		},
	},
	{
		what: "a peer that says nothing", value: "a Ping after 25 s, cut 20 s later", field: "conn.Limits.PingInterval, PingTimeout", answer: "the connection is cut", says: "ping timeout",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			start := time.Now()
			p.Timeout = time.Hour
			if f, err := p.Next(); err != nil || f.Header.Opcode != frame.Ping || time.Since(start) != 25*time.Second {
				a.Errorf("%v, %v after %v", f, err, time.Since(start))
			}
			a.wantOver(p)
			if d := time.Since(start); d != 45*time.Second {
				a.Errorf("cut after %v", d)
			}
		},
	},
	{
		what: "a closing handshake", value: "5 s for the peer's Close frame and the end of the stream", field: "conn.Limits.CloseTimeout", answer: "the stream is closed",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			p.Send(wstest.Text("\xff"))
			start := time.Now()
			if f, err := p.Next(); err != nil || f.Header.Opcode != frame.Close {
				a.Errorf("%v, %v", f, err)
			}
			go func() { // a flood is no answer
				for {
					if _, err := p.NetConn().Write(a.wire(wstest.Binary(make([]byte, 10000)))); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}()
			io.Copy(io.Discard, p.NetConn())
			time.Sleep(10 * time.Second)
			if d := time.Since(start); d > 20*time.Second {
				a.Errorf("closed after %v", d)
			}
		},
	},
	{
		what: "what comes after the peer's Close frame", value: "nothing counts (section 5.5.1)", answer: "it is not delivered",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			p.Send(wstest.Close(4000, "bye"), wstest.Text("late"), wstest.Ping("late"))
			p.Want(wstest.Close(4000, ""))
			p.CloseWrite() // a client awaits it
			p.WantEOF()
		},
	},
	{
		what: "a function that panics", value: "ends its own connection", field: "conn.Server.OnError", answer: "1011", says: "it was asked to", in: both,
		trip: func(a *arena) { a.wantClose(frame.StatusInternalError, wstest.Text("panic")) },
	},
	{
		what: "goroutines", value: "2 for a connection, none for one of a loop where nothing happens", answer: "-",
		trip: func(a *arena) {
			a.raw()
			before := a.goroutines()
			const peers = 100
			for range peers {
				a.peer("")
			}
			time.Sleep(time.Second)
			most := 2 * peers
			switch a.shell {
			case onLoop:
				most = 10
			case aClient: // dialed by a goroutine of the test's own
				most = 3 * peers
			}
			if n := a.goroutines() - before; n > most {
				a.Errorf("%d for %d connections, want %d at most", n, peers, most)
			}
		},
	},
	{
		what: "the end of a server", value: "all clients are told; one that does not answer is cut after `CloseTimeout`, or with the ctx of `Shutdown`", answer: "1001", in: both,
		holds: 8 << 20, // what goroutines of 1,000 connections and their peers were made of, which others will use
		trip: func(a *arena) {
			a.raw()
			a.honest = nil // it is told, too
			var peers []*wstest.Peer
			for range 1000 {
				peers = append(peers, a.peer(""))
			}
			a.settle() // Shutdown cuts who is in the handshake
			ctx, cancel := within()
			defer cancel()
			start := time.Now()
			done := make(chan error, 1)
			go func() { done <- a.server.Shutdown(ctx) }()
			for n, p := range peers {
				p.WantClose(frame.StatusGoingAway)
				if n > 0 { // the first one does not answer
					p.Send(wstest.Close(frame.StatusGoingAway, ""))
				}
			}
			if err := <-done; err != nil || time.Since(start) > 11*time.Second {
				a.Errorf("Shutdown: %v after %v", err, time.Since(start))
			}
		},
	},
}
