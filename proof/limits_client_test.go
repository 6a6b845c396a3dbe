package proof

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
	"github.com/parleyws/parley/wstest"
)

// clientLimits are those of what servers can do to their clients.
var clientLimits = []limit{
	{
		what: "the head of a response", value: "64 KiB and 100 fields, with a transport of our own", field: "handshake.DialOptions.HTTPClient", answer: "an error of Dial", in: []shell{outside},
		trip: func(a *arena) {
			endless := "HTTP/1.1 101 Switching Protocols\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 10_000)
			used := allocated(func() { a.dialReal("65536", endless) })
			if used > 1<<20+int64(len(endless)) { // which the server's end holds
				a.Errorf("%d bytes were allocated for an endless head", used)
			}
			fields := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"
			a.dialReal("", fields+strings.Repeat("X: x\r\n", 97)+"\r\n")
			a.dialReal("100", fields+strings.Repeat("X: x\r\n", 98)+"\r\n")
		},
	},
	{
		what: "the head of a response of Engine.IO", value: "64 KiB, with a transport of our own", field: "engineio.DialOptions.HTTPClient", answer: "an error of Dial, or the session ends",
		proof: "engineio TestClientEndlessHead",
	},
	{
		what: "responses that open no WebSocket", value: "no redirect, no subprotocol or extension that was not offered, no wrong Sec-WebSocket-Accept", answer: "an error of Dial",
		trip: func(a *arena) {
			const fine = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"
			for head, says := range map[string]string{
				strings.Replace(fine, "ACCEPT", "wrong", 1):                                                  "Accept",
				strings.Replace(fine, "Upgrade: websocket\r\n", "", 1):                                       "Upgrade",
				fine + "Sec-WebSocket-Protocol: chat\r\n":                                                    "chat",
				fine + "Sec-WebSocket-Extensions: permessage-deflate\r\n":                                    "permessage-deflate",
				"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n": "redirect",
				"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n":                                                   "101",
			} {
				c, err := a.dialWith(head + "\r\n")
				if err == nil {
					c.CloseNow()
					a.Errorf("%q was let in", head)
				} else if !strings.Contains(err.Error(), says) {
					a.Errorf("%v, want something about %q", err, says)
				}
			}
		},
	},
	{
		what: "an open packet", value: "64 KiB, and only what a server can mean", answer: "an error of Dial",
		trip: func(a *arena) {
			for _, open := range []string{
				"0{}", `0{"sid":""}`, `0{"sid":"x","pingInterval":-1,"pingTimeout":1}`, `0{"sid":"x","pingInterval":1e300,"pingTimeout":1}`,
				`0{"sid":"x","pingInterval":25000,"pingTimeout":20000,"maxPayload":-1}`, "0" + strings.Repeat("[", 60_000), "0{" + strings.Repeat(" ", 70_000), "4hello", "",
			} {
				ctx, cancel := within()
				c, err := engineio.Dial(ctx, "http://example.com/", nil, &engineio.DialOptions{Transports: []string{"websocket"}, HTTPClient: a.puppet(nil, open)})
				if err == nil {
					c.Close()
					a.Errorf("%.20q has opened a session", open)
				} else if ctx.Err() != nil {
					a.Errorf("%.20q: %v", open, err)
				}
				cancel()
			}
		},
	},
	{
		what: "a response, or a message of Engine.IO", value: "32 MiB", field: "engineio.DialLimits.MaxPayload", answer: "the session ends, and is dialed again", says: "over the limit",
		trip: func(a *arena) {
			_, peers := a.socket(nil)
			f := wstest.Text("4")
			f.Header.Length = 32<<20 + 1
			(<-peers).SendAsIs(f)
			<-peers // it has come back
		},
	},
	{
		what: "a server that says nothing", value: "what it has announced: pingInterval and pingTimeout", answer: "the session ends, and is dialed again", says: "ping",
		trip: func(a *arena) {
			_, peers := a.socket(nil)
			<-peers
			start := time.Now()
			<-peers
			if d := time.Since(start); d < 45*time.Second || d > 47*time.Second {
				a.Errorf("it has come back after %v", d)
			}
		},
	},
	{
		what: "a server that does not answer a CONNECT", value: "45 s", field: "socketio.ClientLimits.JoinTimeout", answer: "the session ends, and is dialed again", says: "JoinTimeout",
		trip: func(a *arena) {
			peers := make(chan *wstest.Peer, 100)
			c, err := socketio.Dial(context.Background(), "http://example.com/", &socketio.DialOptions{NoWait: true, Logger: a.log(),
				Engine: engineio.DialOptions{Transports: []string{"websocket"}, HTTPClient: a.puppet(peers, `0{"sid":"x","upgrades":[],"pingInterval":100000,"pingTimeout":20000}`)}})
			a.must(err)
			a.later(func() {
				c.Close()
				<-c.Done()
			})
			<-peers
			start := time.Now()
			<-peers
			if d := time.Since(start); d < 45*time.Second || d > 47*time.Second {
				a.Errorf("it has come back after %v", d)
			}
		},
	},
	{
		what: "attachments that were announced", value: "10, within 30 s", field: "socketio.ClientLimits.Attachments, AttachmentTimeout", answer: "the session ends, and is dialed again", says: "attachments took too long",
		trip: func(a *arena) {
			_, peers := a.socket(nil)
			(<-peers).Send(wstest.Text(`4511-["e"]`))
			p := <-peers
			start := time.Now()
			p.Send(wstest.Text(`451-["e",{"_placeholder":true,"num":0}]`))
			<-peers
			if d := time.Since(start); d < 30*time.Second || d > 37*time.Second {
				a.Errorf("it has come back after %v", d)
			}
		},
	},
	{
		what: "packets that a server may not send", value: "none: names, nesting (64), arguments (128), placeholders, binary frames", answer: "the session ends, and is dialed again", says: "nested too deep",
		trip: func(a *arena) {
			_, peers := a.socket(nil)
			for _, packet := range []string{
				`42["connect"]`, `42["e",` + strings.Repeat("[", 500_000), `42["e"` + strings.Repeat(",1", 129) + `]`, `42[{}]`, `4x`, `0{}`,
				`451-["e",{"_placeholder":true,"num":-1}]`, `451-["e",{"_placeholder":true,"num":"0"}]`,
			} {
				p := <-peers
				p.Send(wstest.Text(packet))
				if strings.HasPrefix(packet, "45") {
					p.Send(wstest.Binary([]byte("a")))
				}
			}
			(<-peers).Send(wstest.Binary([]byte("nobody announced it")))
			<-peers
		},
	},
	{
		what: "acknowledgements that are awaited", value: "1,024 for a namespace, 20 s each", field: "socketio.ClientLimits.PendingAcks; socketio.DialOptions.AckTimeout", answer: "an error of Call", says: "PendingAcks",
		trip: func(a *arena) {
			c, peers := a.socket(nil)
			p := <-peers
			start := time.Now()
			errs := make(chan error, 1025)
			for range cap(errs) {
				go func() {
					_, err := socketio.Call[any](context.Background(), c, "question")
					errs <- err
				}()
			}
			go func() { // or the server would be dead
				for time.Since(start) < time.Minute {
					time.Sleep(10 * time.Second)
					p.NetConn().Write(a.wire(wstest.Text("2")))
				}
			}()
			for range cap(errs) {
				err := <-errs
				a.tell("%v", err)
				if err == nil || time.Since(start) > 21*time.Second {
					a.Fatalf("%v after %v", err, time.Since(start))
				}
			}
		},
	},
	{
		what: "events that wait for their handlers", value: "4 MiB; nothing is read meanwhile", field: "socketio.ClientLimits.HandlerQueueBytes", answer: "its writes wait", holds: 12 << 20,
		trip: func(a *arena) {
			release := make(chan struct{})
			_, peers := a.socket(func(c *socketio.Client) {
				c.OnEvent("block", func(*socketio.Event) error { <-release; return nil })
			})
			p := <-peers
			var wrote atomic.Int64
			go func() {
				event := a.wire(wstest.Text(`42["block","` + strings.Repeat("x", 10_000) + `"]`))
				for {
					n, err := p.NetConn().Write(event)
					wrote.Add(int64(n))
					if err != nil {
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			time.Sleep(15 * time.Second)
			if n := wrote.Load(); n > 6<<20 { // what waits, and the buffers of the stream
				a.Errorf("%d bytes were taken", n)
			}
			a.later(func() { close(release) })
		},
	},
	{
		what: "events that wait until there is a connection", value: "10,000 of a namespace, 16 MiB of all", field: "socketio.ClientLimits.BufferEvents, BufferBytes; socketio.DialOptions.DropOldest", answer: "an error of Emit, or the oldest are dropped, and counted", holds: 24 << 20,
		trip: func(a *arena) {
			for _, drop := range []bool{false, true} {
				for _, text := range []string{"", strings.Repeat("x", 100_000)} {
					most := 10_000
					if text != "" {
						most = 16 << 20 / len(text)
					}
					c, err := socketio.Dial(context.Background(), "http://example.com/", &socketio.DialOptions{NoWait: true, DropOldest: drop, Logger: a.log(),
						Engine: engineio.DialOptions{HTTPClient: &http.Client{Transport: nowhere{}}}})
					a.must(err)
					emitted := 0
					for ; emitted < most+100 && err == nil; emitted++ {
						err = c.Emit("news", text)
					}
					time.Sleep(time.Hour) // offline
					full := errors.Is(err, socketio.ErrBufferFull)
					if n := c.Buffered(); n > most || n < most-5 || full == drop || drop && c.Dropped() != uint64(emitted-n) {
						a.Errorf("dropping %t: of %d events %d wait, %d were dropped: %v", drop, emitted, n, c.Dropped(), err)
					}
					c.Close()
					<-c.Done()
				}
			}
		},
	},
	{
		what: "attempts to come back", value: "without end, 0.5 to 1.5 s, 1 to 3 s, 2 to 5 s, then 5 s apart", field: "socketio.Reconnection", answer: "-", says: "attempt to connect failed",
		trip: func(a *arena) {
			var times []time.Time
			c, err := socketio.Dial(context.Background(), "http://example.com/", &socketio.DialOptions{NoWait: true, Logger: a.log(), Setup: func(c *socketio.Client) {
				c.OnReconnectAttempt(func(int) { times = append(times, time.Now()) })
			}, Engine: engineio.DialOptions{HTTPClient: &http.Client{Transport: nowhere{}}}})
			a.must(err)
			last := time.Now()
			time.Sleep(time.Hour)
			c.Close()
			<-c.Done()
			for n, at := range times {
				least := [...]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second}[min(n, 4)]
				most := [...]time.Duration{1500 * time.Millisecond, 3 * time.Second, 5 * time.Second}[min(n, 2)]
				if d := at.Sub(last).Truncate(time.Millisecond); d < least || d > most {
					a.Errorf("attempt %d after %v, want %v to %v", n+1, d, least, most)
				}
				last = at
			}
			if len(times) < 700 {
				a.Errorf("%d attempts in an hour", len(times))
			}
		},
	},
}

// nowhere is a network that is down.
type nowhere struct{}

// RoundTrip implements http.RoundTripper.
func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the network is down")
}

// socket is a Socket.IO client on WebSocket, and the ends of its servers.
func (a *arena) socket(setup func(*socketio.Client)) (*socketio.Client, <-chan *wstest.Peer) {
	a.Helper()
	ctx, cancel := within()
	defer cancel()
	peers := make(chan *wstest.Peer, 100)
	c, err := socketio.Dial(ctx, "http://example.com/", &socketio.DialOptions{Setup: setup, Logger: a.log(), Engine: engineio.DialOptions{
		Transports: []string{"websocket"}, HTTPClient: a.puppet(peers, `0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`, `40{"sid":"x"}`)}})
	a.must(err)
	a.later(func() {
		c.Close()
		<-c.Done()
	})
	return c, peers
}
