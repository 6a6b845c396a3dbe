package proof

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/socketio"
	"github.com/parleyws/parley/wstest"
)

// chat is a server on which clients do a little of everything.
func (a *arena) chat(o *socketio.Options) *socketio.Server {
	io := a.socketIO(o)
	io.OnConnect(func(s *socketio.Socket) {
		s.OnEvent("echo", func(e *socketio.Event) error { return e.Ack("here") })
		s.OnEvent("join", func(*socketio.Event) error {
			var err error
			for n := 0; err == nil && n < 10_000; n++ {
				err = s.Join(fmt.Sprint("room ", n))
			}
			a.tell("%v", err)
			return nil
		})
	})
	ctx, cancel := within()
	defer cancel()
	c, err := socketio.Dial(ctx, "http://example.com/", &socketio.DialOptions{Engine: engineio.DialOptions{HTTPClient: a.client()}, Logger: slog.New(slog.DiscardHandler)})
	a.must(err)
	a.honest = func(ctx context.Context) error {
		_, err := socketio.Call[string](ctx, c, "echo")
		return err
	}
	a.later(func() {
		c.Close()
		<-c.Done()
	})
	return io
}

// closes sends packets over a session's WebSocket, which closes it.
func (a *arena) closes(frames ...wstest.Frame) {
	a.Helper()
	a.chat(nil)
	p := a.session()
	p.Send(frames...)
	a.wantOver(p)
}

// socketLimits are the limits of a client of Engine.IO and Socket.IO.
var socketLimits = []limit{
	{
		what: "a session's id", value: "20 random bytes", answer: "400 for an unknown one", says: "Session ID unknown",
		trip: func(a *arena) {
			a.chat(nil)
			c := a.client()
			for _, sid := range []string{"x", strings.Repeat("A", 27), strings.Repeat("A", 5000)} {
				if status, body := a.request(c, "GET", sid, ""); status != 400 || !strings.Contains(body, `"code":1`) {
					a.Errorf("%.10s: %d %q", sid, status, body)
				}
			}
			guesses := func() int64 {
				return allocated(func() {
					for n := range 1000 {
						a.request(c, "GET", fmt.Sprintf("%027d", n), "")
					}
				})
			}
			few, before := guesses(), a.goroutines()
			for range 1000 {
				a.polling(c)
			}
			if many := guesses(); many > few*3/2 {
				a.Errorf("1,000 guesses cost %d bytes beside 1,000 sessions, and %d beside one", many, few)
			}
			if n := a.goroutines() - before; n > 10 {
				a.Errorf("%d more goroutines", n)
			}
		},
	},
	{
		what: "requests of one client at a time", value: "one GET and one POST", answer: "400, and the session closes", says: "second POST",
		trip: func(a *arena) {
			a.chat(nil)
			c := a.client()
			sid := a.polling(c)
			var first sync.WaitGroup
			first.Go(func() { a.request(c, "GET", sid, "") })
			time.Sleep(time.Second)
			if status, _ := a.request(c, "GET", sid, ""); status != 400 {
				a.Errorf("the second GET: %d", status)
			}
			first.Wait()
			if status, _ := a.request(c, "GET", sid, ""); status != 400 {
				a.Errorf("the session lives: %d", status)
			}
			sid = a.polling(c)
			slow := a.dial()
			io.WriteString(slow, "POST /socket.io/?EIO=4&transport=polling&sid="+sid+" HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100\r\n\r\n4")
			time.Sleep(time.Second)
			if status, _ := a.request(c, "POST", sid, "40"); status != 400 {
				a.Errorf("the second POST: %d", status)
			}
		},
	},
	{
		what: "a POST, or a message", value: "1,000,000 bytes", field: "engineio.Limits.MaxPayload", answer: "413, or 1009", says: "1000000",
		trip: func(a *arena) {
			a.chat(nil)
			c := a.client()
			sid := a.polling(c)
			long := strings.Repeat("x", 1_000_001)
			if status, _ := a.request(c, "POST", sid, long); status != 413 {
				a.Errorf("%d", status)
			}
			p := a.session()
			go p.Send(wstest.Text(long))
			p.WantClose(frame.StatusMessageTooBig)
		},
	},
	{
		what: "a request that fails", value: "-", answer: "it is always answered, and leaves nothing", says: "POST of application/octet-stream",
		trip: func(a *arena) {
			a.chat(nil)
			c := a.client()
			for range 20 {
				for _, query := range []string{
					"", "EIO=4", "EIO=4&transport=none", "EIO=1&transport=polling", "EIO=4&transport=polling&sid=nobody", "EIO=4&transport=websocket",
				} {
					a.wantStatus(400, "GET /socket.io/?"+query+" HTTP/1.1\r\nHost: example.com\r\n\r\n", "PUT /socket.io/?"+query+" HTTP/1.1\r\nHost: example.com\r\n\r\n")
				}
				sid := a.polling(c)
				a.wantStatus(400, "POST /socket.io/?EIO=4&transport=polling&sid="+sid+" HTTP/1.1\r\nHost: example.com\r\n"+
					"Content-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\n4")
			}
		},
	},
	{
		what: "packets of a POST", value: "as many as fit; memory is bounded by its size", answer: "200, or 400", says: "without a type",
		trip: func(a *arena) {
			a.chat(nil)
			c := a.client()
			used := allocated(func() {
				if status, _ := a.request(c, "POST", a.polling(c), strings.Repeat("4\x1e", 499_999)+"4"); status != 200 && status != 400 {
					a.Errorf("%d", status)
				}
			})
			if used > 64<<20 {
				a.Errorf("%d bytes were allocated for a body of 1 MB", used)
			}
		},
	},
	{
		what: "a client that does not answer", value: "20 s for a pong, after 25 s", field: "engineio.Limits.PingInterval, PingTimeout", answer: "the session closes", says: "no pong within Limits.PingTimeout", holds: 24 << 20, // what the log says of 10,000 sessions, and what the goroutines of their ends were made of
		trip: func(a *arena) {
			io := a.chat(nil)
			c := a.client()
			for range 10_000 { // on long-polling, never to be heard of again
				a.polling(c)
			}
			p := a.session()
			start := time.Now()
			p.Timeout = time.Hour
			a.wantText(p, "2")
			for n := io.Sessions().WebSocket; io.Sessions().WebSocket == n; {
				time.Sleep(time.Second)
				if d := time.Since(start); d > 46*time.Second {
					a.Fatalf("it lives after %v", d)
				}
				if time.Since(start) == 40*time.Second {
					a.wantServed() // and so it lives
				}
			}
			time.Sleep(time.Second) // they end in the same moment
			if n := io.Sessions().Polling; n > 0 {
				a.Errorf("%d that nobody asks for are left", n)
			}
		},
	},
	{
		what: "a WebSocket that is probed", value: "10 s", field: "engineio.Limits.UpgradeTimeout", answer: "it is closed, and the session stays on long-polling",
		trip: func(a *arena) {
			a.chat(nil)
			c := a.client()
			sid := a.polling(c)
			p := a.peerAt("/socket.io/?EIO=4&transport=websocket&sid="+sid, "")
			start := time.Now()
			a.wantOver(p)
			if d := time.Since(start); d < 10*time.Second || d > 11*time.Second {
				a.Errorf("closed after %v", d)
			}
			if status, _ := a.request(c, "POST", sid, "40"); status != 200 {
				a.Errorf("the session is over: %d", status)
			}
		},
	},
	{
		what: "a client that joins no namespace", value: "45 s", field: "socketio.Limits.ConnectTimeout", answer: "the session closes", says: "namespace",
		trip: func(a *arena) {
			a.chat(&socketio.Options{Engine: engineio.Options{Limits: engineio.Limits{PingInterval: time.Hour}}})
			p := a.peerAt(webSocketTarget, "")
			a.wantText(p, "0")
			start := time.Now()
			a.wantOver(p)
			if d := time.Since(start); d < 45*time.Second || d > 51*time.Second {
				a.Errorf("closed after %v", d)
			}
		},
	},
	{
		what: "attachments of a packet", value: "10", field: "socketio.Limits.Attachments", answer: "the session closes", says: "attachments",
		trip: func(a *arena) { a.closes(wstest.Text(`4511-["echo"]`)) },
	},
	{
		what: "the time until all attachments are there", value: "30 s", field: "socketio.Limits.AttachmentTimeout", answer: "the session closes", says: "attachments",
		trip: func(a *arena) {
			a.chat(&socketio.Options{Engine: engineio.Options{Limits: engineio.Limits{PingInterval: time.Hour}}})
			p := a.session()
			p.Send(wstest.Text(`451-["echo",{"_placeholder":true,"num":0}]`))
			start := time.Now()
			a.wantOver(p)
			if d := time.Since(start); d < 30*time.Second || d > 36*time.Second {
				a.Errorf("closed after %v", d)
			}
		},
	},
	{
		what: "placeholders and binary frames that fit nothing", value: "none", answer: "the session closes", says: "error",
		trip: func(a *arena) {
			a.chat(nil)
			for _, frames := range [][]wstest.Frame{
				{wstest.Binary([]byte("nobody announced it"))},
				{wstest.Text(`451-["echo",{"_placeholder":true,"num":1}]`), wstest.Binary([]byte("a"))},
				{wstest.Text(`451-["echo",{"_placeholder":true,"num":-1}]`), wstest.Binary([]byte("a"))},
				{wstest.Text(`451-["echo",{"_placeholder":true,"num":"0"}]`), wstest.Binary([]byte("a"))},
				{wstest.Text(`451-["echo",{"_placeholder":true,"num":0.5}]`), wstest.Binary([]byte("a"))},
				{wstest.Text(`451-["echo",1]`), wstest.Text(`42["echo"]`)},
			} {
				p := a.session()
				p.Send(frames...)
				a.wantOver(p)
			}
		},
	},
	{
		what: "names of events", value: "none that the protocol has for itself", answer: "the session closes", says: "reserved",
		trip: func(a *arena) {
			a.chat(nil)
			for _, name := range []string{`"connect"`, `"disconnect"`, `"connect_error"`, `"disconnecting"`} {
				p := a.session()
				p.Send(wstest.Text(`42[` + name + `]`))
				a.wantOver(p)
			}
			p := a.session()
			p.Send(wstest.Text(`42["__proto__"]`), wstest.Text(`42["constructor"]`), wstest.Text(`421["echo"]`))
			a.wantText(p, `431["here"]`)
		},
	},
	{
		what: "nested JSON", value: "64 deep", answer: "the session closes", says: "nested",
		trip: func(a *arena) {
			a.closes(wstest.Text(`42["echo",` + strings.Repeat("[", 500_000)))
		},
	},
	{
		what: "arguments of an event", value: "128", answer: "the session closes", says: "arguments",
		trip: func(a *arena) { a.closes(wstest.Text(`42["echo"` + strings.Repeat(",1", 129) + `]`)) },
	},
	{
		what: "rooms of a socket", value: "1,000", field: "socketio.Limits.Rooms", answer: "an error of Join", says: "Limits.Rooms",
		trip: func(a *arena) {
			a.chat(nil)
			p := a.session()
			p.Send(wstest.Text(`42["join"]`), wstest.Text(`421["echo"]`))
			a.wantText(p, "431")
		},
	},
	{
		what: "namespaces of a client", value: "32", field: "socketio.Limits.Namespaces", answer: "the client gets a CONNECT_ERROR", says: "Limits.Namespaces exceeded",
		trip: func(a *arena) {
			io := a.chat(nil)
			for n := range 40 {
				io.Of(fmt.Sprint("/n", n))
			}
			p := a.session()
			refused := false
			for n := range 40 {
				p.Send(wstest.Text(fmt.Sprintf("40/n%d,", n)))
				f, err := p.Next()
				if refused = err != nil || f.Header.Opcode == frame.Close || strings.HasPrefix(string(f.Payload), "44"); refused {
					break
				}
			}
			if !refused {
				a.Error("it is in 40")
			}
		},
	},
	{
		what: "namespaces that nobody has made", value: "none; clients make no namespaces", answer: "the client gets a CONNECT_ERROR", says: "there is no such namespace",
		trip: func(a *arena) {
			io := a.chat(nil)
			p := a.session()
			for n := range 100 {
				p.Send(wstest.Text(fmt.Sprintf("40/made-up-%d,", n)))
				a.wantText(p, "44/made-up")
			}
			if list := io.Namespaces(); len(list) != 1 {
				a.Errorf("there are %d namespaces", len(list))
			}
		},
	},
	{
		what: "acknowledgements that are owed", value: "1,024 a socket", field: "socketio.Limits.PendingAcks", answer: "an error of Call", says: "PendingAcks",
		trip: func(a *arena) {
			io := a.chat(nil)
			io.OnConnect(func(s *socketio.Socket) {
				for range 1025 {
					go func() {
						if _, err := socketio.Call[any](s.Context(), s, "question"); err != nil {
							a.tell("%v", err)
						}
					}()
				}
			})
			p := a.session()
			for range 1000 {
				a.wantText(p, "42")
			}
		},
	},
	{
		what: "what is queued for a client that does not read", value: "16 MiB", field: "engineio.Limits.QueueBytes", answer: "the session closes", says: "QueueBytes",
		trip: func(a *arena) {
			io := a.chat(nil)
			a.session()
			time.Sleep(time.Second)
			text := strings.Repeat("x", 100_000)
			for range 400 {
				io.Except("nobody").Emit("news", text)
			}
		},
	},
	{
		what: "events that wait for their handlers", value: "4 MiB; nothing is read meanwhile, and after 2 minutes the client is closed", field: "socketio.Limits.HandlerQueueBytes", answer: "the session closes", says: "handler",
		trip: func(a *arena) {
			io := a.chat(nil)
			release := make(chan struct{})
			defer close(release)
			io.OnConnect(func(s *socketio.Socket) {
				s.OnEvent("block", func(*socketio.Event) error { <-release; return nil })
			})
			p := a.session()
			p.NetConn().SetWriteDeadline(time.Time{})
			flooded := make(chan struct{})
			go func() {
				defer close(flooded)
				event := a.wire(wstest.Text(`42["block","` + strings.Repeat("x", 10_000) + `"]`))
				for {
					if _, err := p.NetConn().Write(event); err != nil {
						return
					}
					time.Sleep(time.Millisecond) // or the bubble's time would stand still
				}
			}()
			start := time.Now()
			<-flooded
			if d := time.Since(start); d < 2*time.Minute || d > 4*time.Minute {
				a.Errorf("closed after %v", d)
			}
		},
	},
	{
		what: "pages of other origins", value: "none", field: "engineio.Options.CORS", answer: "no Access-Control-Allow-Origin; 403 for a WebSocket", says: "origin",
		trip: func(a *arena) {
			a.chat(nil)
			r, err := http.NewRequest("GET", "http://example.com/socket.io/?EIO=4&transport=polling", nil)
			a.must(err)
			r.Header.Set("Origin", "http://evil.example")
			resp, err := a.client().Do(r)
			a.must(err)
			resp.Body.Close()
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
				a.Errorf("allowed: %q", got)
			}
			a.wantStatus(403, strings.Replace(upgrade, "GET /", "GET "+webSocketTarget, 1)+"Origin: http://evil.example\r\n\r\n")
		},
	},
}
