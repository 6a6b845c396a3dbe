package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// "CONNECT with an optional object as auth: answer 0{"sid":"..."}". "The sid is
// per namespace and never the Engine.IO sid."
func TestConnect(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.Of("/custom").OnConnect(func(s *socketio.Socket) { s.Emit("auth", s.Handshake().Auth) })
		s.io.OnConnect(func(s *socketio.Socket) { s.Emit("auth", s.Handshake().Auth) })
		r := s.dial()
		r.connect("")
		first := r.sid
		r.want(`2["auth",{}]`)
		r.connect(`/custom,{"token":"abc"}`)
		r.want(`2/custom,["auth",{"token":"abc"}]`)
		if r.sid == first {
			t.Errorf("sid %q in both namespaces", first)
		}
		r = s.dial()
		r.connect(`{"a":1}`)
		r.want(`2["auth",{"a":1}]`)
		r = s.dial()
		r.send("0/custom") // without the comma
		if got := r.read(); !strings.HasPrefix(got, `0/custom,{"sid":"`) {
			t.Errorf("answer %q", got)
		}
	})
}

// "Unknown namespace: exactly 44/x,{"message":"Invalid namespace"}."
func TestUnknownNamespace(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		r := s.dial()
		r.send("0/x,")
		r.want(`4/x,{"message":"Invalid namespace"}`)
		r.connect("") // the connection lives
	})
}

// Everything that closes the connection (socketio.md, "Socket.IO packets").
func TestViolations(t *testing.T) {
	for _, packets := range [][]string{
		{"x"}, {"7"}, {""}, {"2"}, {"2{}"}, {"2[]"}, {"2[{}]"}, {"2[null]"},
		{`2["connect"]`}, {`2["connect_error"]`}, {`2["disconnect"]`}, {`2["disconnecting"]`}, {`2["newListener"]`}, {`2["removeListener"]`},
		{`5["a"]`}, {`50-["a"]`}, {`511-["a"]`}, {`5x-["a"]`}, {`51-["a",{"_placeholder":true,"num":1}]`},
		{`51-["a",{"_placeholder":true,"num":0}]`, `2["b"]`}, // text while attachments are awaited
		{"binary"},     // none is awaited
		{"0"}, {"0/,"}, // a second CONNECT
		{`2/other,["a"]`}, {"3/other,1[]"}, {"1/other,"}, // not joined
		{`4{"message":"x"}`},
		{"0/other,null"}, {"0/other,[]"}, {`0/other,"a"`},
		{"1", `2["a"]`}, // after DISCONNECT
		{`2["a",` + strings.Repeat("[", 100_000)},
	} {
		inBubble(t, nil, func(s *site) {
			s.io.Of("/other")
			var reason socketio.Reason
			s.io.OnConnect(func(n *socketio.Socket) { n.OnDisconnect(func(r socketio.Reason) { reason = r }) })
			r := s.client()
			for _, p := range packets {
				if p == "binary" {
					r.sendBinary(p)
				} else {
					r.send(p)
				}
			}
			r.wantClosed()
			synctest.Wait()
			if reason != socketio.ForcedClose && packets[0] != "1" {
				t.Errorf("%.40q: reason %q", packets, reason)
			}
			if log := s.log.String(); !strings.Contains(log, "socket.io: connection closed") {
				t.Errorf("%.40q: log %q", packets, log)
			}
		})
	}
}

// "Event, ack or disconnect while its middleware still runs" closes.
func TestEventDuringMiddleware(t *testing.T) {
	for _, p := range []string{`2["a"]`, "31[]", "1"} {
		inBubble(t, nil, func(s *site) {
			s.io.Use(func(ctx context.Context, _ *socketio.Socket) error {
				<-ctx.Done()
				return nil
			})
			s.io.OnConnect(func(*socketio.Socket) { t.Error("connected") })
			r := s.dial()
			r.send("0")
			r.send(p)
			r.wantClosed()
			if log := s.log.String(); !strings.Contains(log, "namespace that was not joined") {
				t.Errorf("%s: log %q", p, log)
			}
		})
	}
}

// On polling without a GET that waits the reason is "forced server close".
func TestViolationOnPolling(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var reason socketio.Reason
		s.io.OnConnect(func(n *socketio.Socket) { n.OnDisconnect(func(r socketio.Reason) { reason = r }) })
		p := s.poller()
		p.post("40")
		synctest.Wait()
		p.request("GET", p.query, "")
		p.post("42[]")
		synctest.Wait()
		if reason != socketio.ForcedServerClose {
			t.Errorf("reason %q", reason)
		}
		p.wantGet("1")
	})
}

// "["error", ...] is an ordinary event, an ACK may be [], an unknown ack id is
// ignored."
func TestLegalOddities(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(s *socketio.Socket) {
			s.OnEvent("error", func(*socketio.Event) error { return s.Emit("ok") })
		})
		r := s.client()
		r.send("3999[]")
		r.send("3[]")
		r.send(`2["nobody listens"]`)
		r.send(`2["error",1]`)
		r.want(`2["ok"]`)
	})
}

// "No CONNECT within connectTimeout closes."
func TestConnectTimeout(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		start := time.Now()
		r := s.dial()
		r.send("0/x,")
		r.want(`4/x,{"message":"Invalid namespace"}`)
		for err := error(nil); err == nil; {
			var p []byte
			_, p, err = r.c.Read(s.t.Context())
			if string(p) == "2" {
				r.c.Write(s.t.Context(), conn.Text, []byte("3"))
			}
		}
		if d := time.Since(start); d != 45*time.Second {
			t.Errorf("closed after %v", d)
		}
	})
}

// Attachments have 30 s to arrive.
func TestAttachmentTimeout(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(echo)
		r := s.client()
		r.send(`52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		time.Sleep(10 * time.Second)
		r.sendBinary("in")
		time.Sleep(10 * time.Second)
		r.sendBinary("time")
		r.want(`52-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		r.want("binary:in")
		r.want("binary:time")
		time.Sleep(15 * time.Second) // the time of attachments that have come is over
		r.send(`2["message"]`)
		r.want(`2["message-back"]`)
		time.Sleep(5 * time.Second) // and an event without attachments has begun no other
		start := time.Now()
		r.send(`52-["message",{"_placeholder":true,"num":0}]`)
		r.sendBinary("x")
		for err := error(nil); err == nil; {
			var p []byte
			_, p, err = r.c.Read(s.t.Context())
			if string(p) == "2" {
				r.c.Write(s.t.Context(), conn.Text, []byte("3"))
			}
		}
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("closed after %v", d)
		}
	})
}

// Middleware refuses, with data if its error has some.
func TestMiddleware(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var order []string
		s.io.Use(func(_ context.Context, n *socketio.Socket) error {
			order = append(order, "first")
			var auth struct{ Token string }
			if err := json.Unmarshal(n.Handshake().Auth, &auth); err != nil {
				return err
			}
			switch auth.Token {
			case "":
				return errors.New("not authorized")
			case "data":
				return &socketio.Error{Message: "no", Data: map[string]int{"code": 7}}
			case "panic":
				panic("middleware")
			}
			return n.Join("early")
		})
		s.io.Use(func(context.Context, *socketio.Socket) error {
			order = append(order, "second")
			return nil
		})
		s.io.OnConnect(func(n *socketio.Socket) { order = append(order, fmt.Sprint(len(n.Rooms()))) })
		r := s.dial()
		r.send("0")
		r.want(`4{"message":"not authorized"}`)
		r.send(`0{"token":"data"}`)
		r.want(`4{"message":"no","data":{"code":7}}`)
		r.send(`0{"token":"panic"}`)
		r.want(`4{"message":"Internal error"}`)
		order = nil
		r.connect(`{"token":"x"}`)
		synctest.Wait()
		if !slices.Equal(order, []string{"first", "second", "2"}) {
			t.Errorf("order %q", order)
		}
		s.io.To("early").Emit("here")
		r.want(`2["here"]`)
		if !strings.Contains(s.log.String(), "middleware") {
			t.Errorf("log %q", s.log)
		}
	})
}

// All kinds of arguments there and back, as the protocol suite has them.
func TestEcho(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(echo)
		s.io.Of("/custom").OnConnect(echo)
		r := s.client()
		r.send(`2["message",1,"2",{"3":[true]}]`)
		r.want(`2["message-back",1,"2",{"3":[true]}]`)
		r.send(`2["message"]`)
		r.want(`2["message-back"]`)
		r.send(`2456["message-with-ack",1,"2",{"3":[false]}]`)
		r.want(`3456[1,"2",{"3":[false]}]`)
		r.send(`20["message-with-ack"]`)
		r.want(`30[]`)
		r.send(`52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		r.sendBinary("\x01\x02\x03")
		r.sendBinary("\x04\x05\x06")
		r.want(`52-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		r.want("binary:\x01\x02\x03")
		r.want("binary:\x04\x05\x06")
		r.send(`52-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		r.sendBinary("\x01\x02\x03")
		r.sendBinary("\x04\x05\x06")
		r.want(`62-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		r.want("binary:\x01\x02\x03")
		r.want("binary:\x04\x05\x06")
		r.connect("/custom,")
		r.send(`51-/custom,["message",{"a":{"_placeholder":true,"num":0}}]`)
		r.sendBinary("x")
		r.want(`51-/custom,["message-back",{"a":{"_placeholder":true,"num":0}}]`)
		r.want("binary:x")
	})
}

// The same on long-polling, many packets in one POST.
func TestPolling(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(echo)
		p := s.poller()
		p.post("40")
		synctest.Wait()
		if _, got, _ := p.request("GET", p.query, ""); !strings.HasPrefix(got, `40{"sid":"`) {
			t.Errorf("GET %q", got)
		}
		p.post(`42["message",1]` + "\x1e" + `451-["message",{"_placeholder":true,"num":0}]` + "\x1ebAQID\x1e" + `42["message",2]`)
		synctest.Wait()
		p.wantGet(`42["message-back",1]` + "\x1e" + `451-["message-back",{"_placeholder":true,"num":0}]` + "\x1ebAQID\x1e" + `42["message-back",2]`)
	})
}

// On, On2 and Handle: zero values for what did not come, extra arguments
// ignored, a wrong type and an error logged and, if that is asked for, answered.
func TestTypedHandlers(t *testing.T) {
	type message struct {
		Room    string `json:"room"`
		Message string `json:"message"`
	}
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.On(n, "one", func(_ context.Context, m message) error { return n.Emit("got", m) })
			socketio.On2(n, "two", func(_ context.Context, a string, b int) error { return n.Emit("got", a, b) })
			socketio.On(n, "bytes", func(_ context.Context, b []byte) error { return n.Emit("got", len(b)) })
			socketio.On(n, "fails", func(context.Context, any) error { return errors.New("my fault") })
			socketio.Handle(n, "double", func(_ context.Context, in int) (int, error) {
				if in < 0 {
					return 0, errors.New("negative")
				}
				return 2 * in, nil
			})
		})
		r := s.client()
		r.send(`2["one",{"room":"a","message":"b","more":1},2,3]`)
		r.want(`2["got",{"room":"a","message":"b"}]`)
		r.send(`2["one"]`)
		r.want(`2["got",{"room":"","message":""}]`)
		r.send(`2["two","x"]`)
		r.want(`2["got","x",0]`)
		r.send(`51-["bytes",{"_placeholder":true,"num":0}]`)
		r.sendBinary("abc")
		r.want(`2["got",3]`)
		for wrong, answer := range map[string]string{
			`2["one","text"]`: "", `2["two","x","y"]`: "", `2["bytes","text"]`: "", `2["fails"]`: "",
			`25["double","x"]`: `35[{"error":"Invalid argument"}]`, `26["double",-1]`: `36[{"error":"Internal error"}]`,
		} {
			s.log.b.Reset()
			r.send(wrong)
			if answer != "" {
				r.want(answer)
			}
			r.wantNothing()
			if !strings.Contains(s.log.String(), "event failed") {
				t.Errorf("%s: log %q", wrong, s.log)
			}
		}
		r.send(`27["double",21]`)
		r.want(`37[42]`)
		r.send(`2["double",21]`) // no answer asked for
		r.wantNothing()
	})
}

// Handlers run in arrival order, and those that OnConnect registers miss
// nothing, however late it does.
func TestOrder(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(n *socketio.Socket) {
			time.Sleep(time.Second)
			next := 0
			socketio.On(n, "n", func(_ context.Context, i int) error {
				if i != next {
					t.Errorf("event %d, want %d", i, next)
				}
				next++
				return n.Emit("n", i)
			})
		})
		r := s.client()
		const n = 10_000
		for i := range n {
			r.send(fmt.Sprintf(`2["n",%d]`, i))
		}
		for i := range n {
			r.want(fmt.Sprintf(`2["n",%d]`, i))
		}
	})
}

// A panic in a handler ends that socket alone.
func TestPanic(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.Of("/other").OnConnect(echo)
		s.io.OnConnect(func(n *socketio.Socket) {
			n.OnEvent("panic", func(*socketio.Event) error { panic("oh no") })
		})
		r := s.client()
		r.connect("/other,")
		r.send(`2["panic"]`)
		r.want("1")
		r.send(`2/other,["message"]`)
		r.want(`2/other,["message-back"]`)
		if !strings.Contains(s.log.String(), "oh no") {
			t.Errorf("log %q", s.log)
		}
	})
}

// Calls in both directions, while the handler that calls is busy.
func TestCall(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.On(n, "ask", func(ctx context.Context, q string) error {
				answer, err := socketio.Call[string](ctx, n, "question", q)
				if err != nil {
					return err
				}
				all, err := socketio.Call[*socketio.Args](ctx, n.Timeout(time.Second), "all", []byte("b"))
				if err != nil {
					return err
				}
				var second []byte
				if err := all.Decode(1, &second); err != nil {
					return err
				}
				return n.Emit("answer", answer, all.Len(), string(all.JSON(0)), string(second))
			})
		})
		r := s.client()
		r.send(`2["ask","why"]`)
		r.want(`20["question","why"]`)
		r.send(`30["because"]`)
		r.want(`51-1["all",{"_placeholder":true,"num":0}]`)
		r.want("binary:b")
		r.send(`61-1[7,{"_placeholder":true,"num":0}]`)
		r.sendBinary("x")
		r.want(`2["answer","because",2,"7","x"]`)
	})
}

// Every acknowledgement has a timeout; a late one is ignored.
func TestCallTimeout(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var n *socketio.Socket
		s.io.OnConnect(func(c *socketio.Socket) { n = c })
		r := s.client()
		synctest.Wait()
		start := time.Now()
		wait := func(to socketio.Callee, ctx context.Context) time.Duration {
			start = time.Now()
			if _, err := socketio.Call[any](ctx, to, "q"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Call: %v", err)
			}
			return time.Since(start)
		}
		go func() {
			for {
				if _, p, err := r.c.Read(context.Background()); err != nil {
					return
				} else if string(p) == "2" {
					r.c.Write(context.Background(), conn.Text, []byte("3"))
				}
			}
		}()
		if d := wait(n, context.Background()); d != 20*time.Second {
			t.Errorf("default: %v", d)
		}
		if d := wait(n.Timeout(3*time.Second), context.Background()); d != 3*time.Second {
			t.Errorf("Timeout: %v", d)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if d := wait(n, ctx); d != time.Second {
			t.Errorf("ctx: %v", d)
		}
		ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if d := wait(n, ctx); d != time.Minute {
			t.Errorf("a ctx that ends after the default: %v", d)
		}
		r.send("30[1]")
		synctest.Wait()
		if _, err := socketio.Call[any](context.Background(), s.io.To("room"), "q"); err == nil {
			t.Error("Call of all sockets")
		}
		if _, err := socketio.Call[any](context.Background(), n, "disconnect"); err == nil {
			t.Error("Call of a reserved name")
		}
	})
}

// A socket that ends fails the calls that wait for it.
func TestCallDisconnected(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var n *socketio.Socket
		s.io.OnConnect(func(c *socketio.Socket) { n = c })
		r := s.client()
		synctest.Wait()
		result := make(chan error)
		go func() {
			_, err := socketio.Call[any](context.Background(), n, "q")
			result <- err
		}()
		r.want(`20["q"]`)
		r.c.CloseNow()
		if err := <-result; !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("Call: %v", err)
		}
		if _, err := socketio.Call[any](context.Background(), n, "q"); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("Call of a socket that is over: %v", err)
		}
		if err := n.Emit("x"); err == nil {
			t.Error("Emit to a socket that is over")
		}
		if err := n.Join("x"); err == nil {
			t.Error("Join of a socket that is over")
		}
	})
}

// "Pending acknowledgements: 1,024 a socket."
func TestPendingAcks(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{PendingAcks: 2}}, func(s *site) {
		var n *socketio.Socket
		s.io.OnConnect(func(c *socketio.Socket) { n = c })
		r := s.client()
		synctest.Wait()
		for range 2 {
			go socketio.Call[any](n.Context(), n, "q")
		}
		synctest.Wait()
		if _, err := socketio.Call[any](context.Background(), n, "q"); err == nil || !strings.Contains(err.Error(), "PendingAcks") {
			t.Errorf("the third: %v", err)
		}
		start := time.Now()
		if _, err := socketio.CallAll[any](context.Background(), s.io, "q"); err == nil || time.Since(start) > 0 {
			t.Errorf("CallAll waits %v for an answer that it can't get: %v", time.Since(start), err)
		}
		r.c.CloseNow()
	})
}

// CallAll returns what came, and an error if that is not all.
func TestCallAll(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		a, b := s.client(), s.client()
		synctest.Wait()
		type result struct {
			list []int
			err  error
		}
		results := make(chan result, 1)
		call := func(to socketio.Endpoint) {
			go func() {
				list, err := socketio.CallAll[int](context.Background(), to, "q")
				slices.Sort(list)
				results <- result{list, err}
			}()
		}
		call(s.io)
		a.want(`20["q"]`)
		b.want(`20["q"]`)
		a.send("30[1]")
		b.send("30[2]")
		if r := <-results; r.err != nil || !slices.Equal(r.list, []int{1, 2}) {
			t.Errorf("both: %v, %v", r.list, r.err)
		}
		call(s.io.Timeout(time.Second))
		a.want(`21["q"]`)
		b.want(`21["q"]`)
		a.send("31[1]")
		a.send("31[1]") // again, which is no answer of b's
		if r := <-results; !errors.Is(r.err, context.DeadlineExceeded) || !slices.Equal(r.list, []int{1}) {
			t.Errorf("one: %v, %v", r.list, r.err)
		}
		call(s.io)
		a.want(`22["q"]`)
		b.want(`22["q"]`)
		a.send("32[1]")
		synctest.Wait()
		b.c.CloseNow()
		if r := <-results; r.err == nil || !slices.Equal(r.list, []int{1}) {
			t.Errorf("one gone: %v, %v", r.list, r.err)
		}
		call(s.io.To("nobody"))
		if r := <-results; r.err != nil || len(r.list) != 0 {
			t.Errorf("none: %v, %v", r.list, r.err)
		}
		call(s.io)
		a.want(`24["q"]`)
		a.send(`34["text"]`)
		if r := <-results; r.err == nil {
			t.Errorf("a wrong type: %v", r.list)
		}
	})
}

// Disconnects from each side, with the right reason; the ctx of the socket ends
// with it.
func TestDisconnect(t *testing.T) {
	for _, tt := range []struct {
		want socketio.Reason
		do   func(r *raw, n *socketio.Socket)
	}{
		{socketio.ClientNamespaceDisconnect, func(r *raw, _ *socketio.Socket) { r.send("1") }},
		{socketio.ServerNamespaceDisconnect, func(r *raw, n *socketio.Socket) { n.Disconnect(false); r.want("1") }},
		{socketio.ServerNamespaceDisconnect, func(r *raw, n *socketio.Socket) { n.Disconnect(true); r.want("1"); r.wantClosed() }},
		{socketio.TransportClose, func(r *raw, _ *socketio.Socket) { r.c.CloseNow() }},
		{socketio.TransportError, func(r *raw, _ *socketio.Socket) { r.c.Write(r.t.Context(), conn.Text, []byte("2")) }},
		{socketio.ParseError, func(r *raw, _ *socketio.Socket) { r.c.Write(r.t.Context(), conn.Text, []byte("x")) }},
		{socketio.PingTimeout, func(r *raw, _ *socketio.Socket) { time.Sleep(time.Minute) }},
		{socketio.ServerShuttingDown, func(r *raw, _ *socketio.Socket) {
			go r.io.Shutdown(context.Background())
			r.wantClosed() // and no DISCONNECT
		}},
	} {
		inBubble(t, nil, func(s *site) {
			var n *socketio.Socket
			var got []string
			s.io.OnConnect(func(c *socketio.Socket) {
				n = c
				c.Join("room")
				c.OnDisconnecting(func(r socketio.Reason) { got = append(got, fmt.Sprint(r, " ", len(c.Rooms()))) })
				c.OnDisconnect(func(r socketio.Reason) { got = append(got, fmt.Sprint(r, " ", len(c.Rooms()))) })
			})
			r := s.client()
			synctest.Wait()
			ctx := n.Context()
			tt.do(r, n)
			synctest.Wait()
			if want := []string{tt.want.String() + " 2", tt.want.String() + " 0"}; !slices.Equal(got, want) {
				t.Errorf("handlers saw %q, want %q", got, want)
			}
			for _, ctx := range []context.Context{ctx, n.Context()} {
				if e, ok := errors.AsType[*socketio.DisconnectError](context.Cause(ctx)); !ok || e.Reason != tt.want || n.Connected() {
					t.Errorf("ctx ended with %v, want %v", context.Cause(ctx), tt.want)
				}
			}
			if list, _ := s.io.FetchSockets(s.t.Context()); len(list) != 0 {
				t.Errorf("%d sockets left", len(list))
			}
		})
	}
}

func TestReasonString(t *testing.T) {
	if got := socketio.Reason(99).String(); got != "unknown reason" {
		t.Error(got)
	}
	if got := (&socketio.DisconnectError{Reason: socketio.PingTimeout}).Error(); got != "socket.io: disconnected: ping timeout" {
		t.Error(got)
	}
}

// "After DISCONNECT of its last namespace the Engine.IO session stays open."
func TestReconnectNamespace(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(echo)
		r := s.client()
		first := r.sid
		r.send("1")
		r.connect("")
		if r.sid == first {
			t.Error("the same sid again")
		}
		r.send(`2["message"]`)
		r.want(`2["message-back"]`)
	})
}

// The log has which namespace was refused to whom, and why, at the level Debug: a client may ask
// as often as it likes.
func TestRefusedNamespaceLogs(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{Namespaces: 1}}, func(s *site) {
		s.io.Of("/one")
		r := s.client()
		ask := func() string {
			for _, name := range []string{"/none", "/one"} {
				r.send("0" + name + ",")
				r.read()
			}
			return s.log.String()
		}
		if log := ask(); log != "" {
			t.Errorf("log %s", log)
		}
		s.log.level.Set(slog.LevelDebug)
		log := ask()
		for _, want := range []string{
			`namespace refused" namespace="\"/none\"" error="there is no such namespace" address=`,
			`namespace refused" namespace="\"/one\"" error="Limits.Namespaces exceeded" address=`,
		} {
			if !strings.Contains(log, want) {
				t.Errorf("log %s, want %s", log, want)
			}
		}
	})
}

// A client joins at most 32 namespaces, and can't make any.
func TestNamespaceLimit(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OfPattern(regexp.MustCompile(`^/n\d+$`))
		r := s.dial()
		for i := range 32 {
			r.connect(fmt.Sprintf("/n%d,", i))
		}
		r.send("0/n32,")
		r.want(`4/n32,{"message":"Too many namespaces"}`)
		if slices.Contains(s.io.Namespaces(), "/n32") {
			t.Error("the namespace that was made for it is not forgotten")
		}
		r.send("0/other,")
		r.want(`4/other,{"message":"Invalid namespace"}`)
	})
}

// Namespaces by pattern and by function: made as clients ask for them, and
// forgotten.
func TestDynamicNamespaces(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var names []string
		parent := s.io.OfPattern(regexp.MustCompile(`^/room-\d+$`))
		parent.Use(func(_ context.Context, n *socketio.Socket) error {
			names = append(names, n.Namespace().Name())
			return nil
		})
		parent.OnConnect(echo)
		s.io.OfFunc(func(name string, auth json.RawMessage) bool { return string(auth) == `{"key":"x"}` }).OnConnect(echo)
		a, b := s.dial(), s.dial()
		a.connect("/room-1,")
		b.connect("/room-2,")
		parent.Emit("to all")
		a.want(`2/room-1,["to all"]`)
		b.want(`2/room-2,["to all"]`)
		s.io.Of("/room-1").Emit("one") // the same namespace
		a.want(`2/room-1,["one"]`)
		a.send("0/any,")
		a.want(`4/any,{"message":"Invalid namespace"}`)
		a.connect(`/any,{"key":"x"}`)
		b.send("1/room-2,")
		synctest.Wait()
		parent.Emit("again")
		a.want(`2/room-1,["again"]`)
		if !slices.Equal(names, []string{"/room-1", "/room-2"}) {
			t.Errorf("namespaces %q", names)
		}
	})
}

func TestHandshake(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		start := time.Now()
		var h socketio.Handshake
		s.io.OnConnect(func(n *socketio.Socket) { h = n.Handshake() })
		s.client()
		synctest.Wait()
		if !h.Time.Equal(start) || h.Issued != start.UnixMilli() || h.Secure || h.XDomain || h.Query.Get("EIO") != "4" ||
			h.URL != "/socket.io/?EIO=4&transport=websocket" || string(h.Auth) != "{}" || h.Address == "" || h.Header["Upgrade"] == nil {
			t.Errorf("%+v", h)
		}
	})
}

// Catch-all listeners in and out, middleware of a socket.
func TestCatchAll(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var seen []string
		var socket *socketio.Socket
		s.io.OnConnect(func(n *socketio.Socket) {
			socket = n
			n.Use(func(e *socketio.Event) error {
				if e.Name() == "forbidden" {
					return errors.New("no")
				}
				return nil
			})
			n.OnAny(func(e *socketio.Event) {
				seen = append(seen, fmt.Sprint("in ", e.Name(), e.Len(), e.WantsAck(), e.Socket() == n))
			})
			n.OnAnyOutgoing(func(name string, args []any) { seen = append(seen, fmt.Sprint("out ", name, args)) })
			echo(n)
		})
		r := s.client()
		r.send(`2["forbidden"]`)
		r.send(`2["message",1]`)
		r.want(`2["message-back",1]`)
		s.io.Emit("all", 2)
		r.want(`2["all",2]`)
		socketio.Call[any](s.t.Context(), socket.Timeout(time.Second), "ask", 3)
		r.want(`20["ask",3]`)
		socketio.CallAll[any](s.t.Context(), s.io.Timeout(time.Second), "ask-all", 4)
		r.want(`21["ask-all",4]`)
		synctest.Wait()
		want := []string{"in message1 false true", "out message-back[1]", "out all[2]", "out ask[3]", "out ask-all[4]"}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
	})
}

// An event's arguments are gone when its handlers have returned; it can still
// be acknowledged, once.
func TestEventLater(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		events := make(chan *socketio.Event, 1)
		s.io.OnConnect(func(n *socketio.Socket) {
			n.OnEvent("later", func(e *socketio.Event) error { events <- e; return nil })
		})
		r := s.client()
		r.send(`27["later","x"]`)
		e := <-events
		synctest.Wait()
		if err := e.Decode(0, new(string)); err == nil {
			t.Error("Decode after the handler")
		}
		if args, err := e.Args(); err == nil || e.Len() != 0 || e.Name() != "" {
			t.Errorf("after the handler: %v", args)
		}
		if err := e.Ack("late"); err != nil {
			t.Error(err)
		}
		r.want(`37["late"]`)
		e.Ack("twice")
		r.wantNothing()
		r.send(`28["later"]`)
		e = <-events
		if err := e.Ack(make(chan int)); err == nil {
			t.Error("a channel as acknowledgement")
		}
		r.send(`29["later"]`)
		e = <-events
		r.c.CloseNow()
		synctest.Wait()
		if err := e.Ack(); err == nil {
			t.Error("Ack of a socket that is over")
		}
	})
}

// "Emit refuses more than 10 attachments" and reserved names.
func TestEmitRefuses(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		r := s.client()
		if err := s.io.Emit("a", make([][]byte, 0), slices.Repeat([]any{[]byte("x")}, 11)); err == nil {
			t.Error("11 attachments")
		}
		for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
			if err := s.io.Emit(name); err == nil {
				t.Errorf("reserved name %s", name)
			}
		}
		s.io.Emit("b", []byte{})
		r.want(`51-["b",{"_placeholder":true,"num":0}]`)
		r.want("binary:")
	})
}

// A client that floods handlers is not read from until they have caught up,
// and lives.
func TestBacklog(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{HandlerQueueBytes: 10_000}}, func(s *site) {
		release := make(chan struct{})
		count := 0
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.On(n, "x", func(context.Context, string) error {
				<-release
				count++
				return nil
			})
			socketio.Handle(n, "end", func(context.Context, any) (int, error) { return count, nil })
		})
		r := s.client()
		go func() {
			for range 1000 {
				r.send(`2["x","` + strings.Repeat("x", 1000) + `"]`)
			}
			r.send(`21["end"]`)
		}()
		time.Sleep(time.Minute)
		close(release)
		r.want(`31[1000]`)
	})
}

// A client that goes away ends the wait of its backlog.
func TestBacklogEnds(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{HandlerQueueBytes: 1}}, func(s *site) {
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.On(n, "x", func(ctx context.Context, _ string) error {
				<-ctx.Done()
				return nil
			})
		})
		r := s.client()
		r.send(`2["x"]`)
		synctest.Wait()
		s.io.DisconnectSockets(true)
		r.want("1")
		r.wantClosed()
	})
}

// The client's script, with its ETag, CORS first.
func TestClientFiles(t *testing.T) {
	files := fstest.MapFS{
		"socket.io.js":         {Data: []byte("script")},
		"socket.io.min.js.map": {Data: []byte("{}")},
		"secret.js":            {Data: []byte("secret")},
	}
	cors := &engineio.CORS{Origins: []string{"http://a.test"}}
	inBubble(t, &socketio.Options{ClientFiles: files, Engine: engineio.Options{CORS: cors}}, func(s *site) {
		status, body, h := s.request("GET", "socket.io.js", "", "Origin", "http://a.test")
		if status != 200 || body != "script" || h.Get("Content-Type") != "application/javascript; charset=utf-8" || h.Get("Access-Control-Allow-Origin") != "http://a.test" {
			t.Errorf("%d %q %v", status, body, h)
		}
		// Whoever has the script asks whether it is still the same.
		if got := h.Get("Cache-Control"); got != "public, max-age=0" {
			t.Errorf("Cache-Control is %q", got)
		}
		if status, body, _ := s.request("GET", "socket.io.js", "", "If-None-Match", h.Get("ETag")); status != 304 || body != "" {
			t.Errorf("with its ETag: %d %q", status, body)
		}
		if status, _, h := s.request("GET", "socket.io.min.js.map", ""); status != 200 || h.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("map: %d %v", status, h)
		}
		if status, _, _ := s.request("OPTIONS", "socket.io.js", "", "Origin", "http://a.test"); status != 204 {
			t.Errorf("preflight: %d", status)
		}
		for _, name := range []string{"secret.js", "socket.io.esm.min.js", "../socket.io.js", "x/socket.io.js"} {
			if status, _, _ := s.request("GET", name, ""); status != 404 {
				t.Errorf("%s: %d", name, status)
			}
		}
	})
	inBubble(t, nil, func(s *site) {
		if status, _, _ := s.request("GET", "socket.io.js", ""); status != 404 {
			t.Errorf("without files: %d", status)
		}
	})
	io := newServer(t, &socketio.Options{ClientFiles: files, Engine: engineio.Options{CORS: cors}})
	for method, want := range map[string]string{"GET": "200 script", "OPTIONS": "204 "} { // and nothing is written after that
		w := httptest.NewRecorder()
		io.ServeHTTP(w, httptest.NewRequest(method, "/socket.io/socket.io.js", nil))
		if got := fmt.Sprint(w.Code, " ", w.Body); got != want {
			t.Errorf("%s: %q, want %q", method, got, want)
		}
	}
	missing := &statusRecorder{ResponseRecorder: httptest.NewRecorder()}
	newServer(t, &socketio.Options{ClientFiles: files}).ServeHTTP(missing, httptest.NewRequest("GET", "/socket.io/socket.io.min.js", nil))
	if !slices.Equal(missing.codes, []int{404}) || missing.Header().Get("ETag") != "" {
		t.Errorf("a file that is missing: %v, and after that %v", missing.codes, missing.Header())
	}
}

// A statusRecorder keeps each status of a response. net/http logs that there is a second one.
type statusRecorder struct {
	*httptest.ResponseRecorder
	codes []int
}

func (r *statusRecorder) WriteHeader(code int) {
	r.codes = append(r.codes, code)
	r.ResponseRecorder.WriteHeader(code)
}

// Shutdown waits for handlers, until its ctx ends.
func TestShutdownWaits(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var ended atomic.Bool
		s.io.OnConnect(func(n *socketio.Socket) {
			n.OnDisconnect(func(socketio.Reason) {
				time.Sleep(10 * time.Second)
				ended.Store(true)
			})
		})
		r := s.client()
		synctest.Wait()
		go r.wantClosed()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.io.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || ended.Load() {
			t.Errorf("Shutdown: %v", err)
		}
		if err := s.io.Shutdown(context.Background()); err != nil || !ended.Load() {
			t.Errorf("Shutdown again: %v", err)
		}
	})
}

// A stuckWriter is the response to a client that does not read.
type stuckWriter struct {
	*httptest.ResponseRecorder
	reads chan struct{} // closed once it does
}

func (w stuckWriter) Write(b []byte) (int, error) {
	<-w.reads
	return w.ResponseRecorder.Write(b)
}

// A leisurely ctx lets everybody else finish before it says whether it has ended.
type leisurely struct{ context.Context }

func (l leisurely) Done() <-chan struct{} {
	synctest.Wait()
	return l.Context.Done()
}

// Shutdown tells of a client that it could not wait for, also if nothing else was left to wait
// for.
func TestShutdownLeavesClient(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		w := stuckWriter{httptest.NewRecorder(), make(chan struct{})}
		defer close(w.reads)
		target := "/socket.io/" + s.poller().query
		go s.io.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		synctest.Wait()
		ctx, cancel := context.WithCancel(s.t.Context())
		cancel()
		for range 64 { // of what is ready a select takes any
			if err := s.io.Shutdown(leisurely{ctx}); !errors.Is(err, context.Canceled) {
				t.Errorf("Shutdown: %v", err)
				break
			}
		}
	})
}
