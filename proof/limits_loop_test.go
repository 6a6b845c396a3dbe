package proof

import (
	"io"
	"net"
	"strings"
	"time"

	"github.com/parleyws/parley/wstest"
)

// loopLimits are those of what a connection can do to the others of its loop.
var loopLimits = []limit{
	{
		what: "workers", value: "one for each function that blocks, and 4 in reserve", answer: "nobody else waits",
		trip: func(a *arena) {
			a.raw()
			before := a.goroutines()
			const peers = 100
			for range peers {
				a.peer("").Send(wstest.Text("block"))
			}
			time.Sleep(time.Second)
			if n := a.blocked.Load(); n != peers {
				a.Errorf("%d of %d functions run", n, peers)
			}
			if n := a.goroutines() - before; n > peers+10 {
				a.Errorf("%d goroutines for %d functions that block", n, peers)
			}
			a.wantServed()
			close(a.release)
			time.Sleep(time.Second)
			if n := a.goroutines() - before; n > 10 {
				a.Errorf("%d goroutines once nothing happens", n)
			}
		},
	},
	{
		what: "connections with goroutines of their own", value: "the first 32", field: "conn.Loop.After", answer: "-", in: []shell{byDefault},
		trip: func(a *arena) {
			a.raw()                 // with the honest client, the first one
			time.Sleep(time.Second) // its handshake's goroutine has ended then
			before := a.goroutines()
			for range 31 {
				a.peer("")
			}
			time.Sleep(time.Second)
			if n := a.goroutines() - before; n < 31 {
				a.Errorf("%d goroutines for 31 more connections", n)
			}
			before = a.goroutines()
			for range 100 {
				a.peer("")
			}
			time.Sleep(time.Second)
			if n := a.goroutines() - before; n > 10 {
				a.Errorf("%d goroutines for 100 more connections", n)
			}
		},
	},
	{
		what: "handshakes in which a client says nothing", raw: true, value: "neither a goroutine nor a buffer", field: "handshake.Limits.Timeout", answer: "the connection is closed after 10 s", says: "timeout", holds: 8 << 20,
		trip: func(a *arena) {
			a.raw()
			before, memory := a.goroutines(), held()
			var last net.Conn
			const peers = 1000
			for range peers {
				last = a.dial()
			}
			time.Sleep(time.Second)
			if n := a.goroutines() - before; n > 10 {
				a.Errorf("%d goroutines for %d silent clients", n, peers)
			}
			if n := (held() - memory) / peers; n > 4<<10 { // both ends, with their streams
				a.Errorf("%d bytes for each of %d silent clients", n, peers)
			}
			start := time.Now()
			last.SetReadDeadline(start.Add(time.Hour))
			io.Copy(io.Discard, last)
			if d := time.Since(start); d > 10*time.Second {
				a.Errorf("closed after %v more", d)
			}
		},
	},
	{
		what: "a function that panics", value: "ends its own connection", field: "conn.Server.OnError", answer: "1011", says: "it was asked to",
		trip: func(a *arena) {
			a.raw()
			for range 10 {
				a.peer("").Send(wstest.Text("panic"))
			}
			time.Sleep(time.Second)
			if n := strings.Count(a.wasTold(), "it was asked to"); n < 10 {
				a.Errorf("%d of 10 panics were told", n)
			}
		},
	},
	{
		what: "what is read of one connection at a time", value: "96 KiB; then all others that have something have a turn", answer: "it waits for its next turn",
		proof: "internal/loop TestFairness",
	},
	{
		what: "a function that blocks", value: "it holds its worker, and another one goes on", answer: "nobody else waits",
		proof: "conn TestBlockedHandlersDelayNobody",
	},
	{
		what: "a function that computes", value: "it gives way as any goroutine does, after 10 ms", answer: "others wait for so long, on one processor",
		proof: "conn TestComputingHandlerDelaysNobody",
	},
}
