package socketio_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// A server that breaks a rule is left at once, and dialed again.
func TestClientHostile(t *testing.T) {
	for name, tt := range map[string]struct {
		send  string
		data  [][]byte
		wait  time.Duration
		error string // "" is none
	}{
		"no packet":           {send: "4x", error: "unknown packet type"},
		"empty":               {send: "4", error: "packet without a type"},
		"no payload":          {send: "42", error: "payload does not fit"},
		"no name":             {send: "42[]", error: "payload does not fit"},
		"reserved name":       {send: `42["connect"]`, error: "event name is reserved"},
		"many arguments":      {send: `42["e"` + strings.Repeat(",0", 200) + "]", error: "too many arguments"},
		"deep":                {send: `42["e",` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "]", error: "nested too deep"},
		"many attachments":    {send: `4511-["e"]`, error: "more attachments"},
		"attachments missing": {send: `451-["e",{"_placeholder":true,"num":0}]`, wait: 30 * time.Second, error: "attachments took too long"},
		"binary":              {send: `42["e"]`, data: [][]byte{{1}}, error: "binary without an announcement"},
		"second open":         {send: `0{}`, error: "second open packet"},
		"another namespace":   {send: `42/x,["e"]`},
		"unknown answer":      {send: `43999[]`},
		"answer without id":   {send: `43[]`},
		"second CONNECT":      {send: `40{"sid":"another"}`},
		"late CONNECT_ERROR":  {send: `44{"message":"no"}`},
		"unknown namespace":   {send: `41/x`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPuppet(t)
				var reason socketio.Reason
				var cause error
				c := p.start(&socketio.DialOptions{Reconnection: steady, Setup: func(c *socketio.Client) {
					c.OnDisconnect(func(r socketio.Reason, err error) { reason, cause = r, err })
				}})
				id, first := c.ID(), p.conn
				p.send(tt.send, tt.data...)
				<-time.After(tt.wait)
				synctest.Wait()
				if tt.error == "" {
					if !c.Connected() || c.ID() != id {
						t.Errorf("connected %t as %q: %v", c.Connected(), c.ID(), cause)
					}
					return
				}
				if cause == nil || !strings.Contains(cause.Error(), tt.error) {
					t.Fatalf("disconnected by %v: %v, want %s", reason, cause, tt.error)
				}
				if _, ok := errors.AsType[*parser.Error](cause); ok && reason != socketio.ParseError {
					t.Errorf("the reason is %v", reason)
				}
				select {
				case <-first.Done():
				default:
					t.Error("the connection is not closed")
				}
				<-time.After(2 * time.Second)
				if !c.Connected() {
					t.Error("has not come back")
				}
			})
		})
	}
}

// A server that does not answer CONNECT is left after JoinTimeout, and so is one whose answer has
// no sid, at once, with a line in the log.
func TestClientNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		p.onConnect = func() {}
		c := p.start(&socketio.DialOptions{NoWait: true, Reconnection: steady, Limits: socketio.ClientLimits{JoinTimeout: 10 * time.Second},
			Setup: func(c *socketio.Client) {
				c.OnConnectError(func(err error) { d.add("%v", err) })
			}})
		<-time.After(15 * time.Second)
		d.want(t, "socket.io: no answer to CONNECT within ClientLimits.JoinTimeout")
		if got := fmt.Sprint(p.take()); got != "[40 40]" {
			t.Errorf("the server got %s", got)
		}
		for i, answer := range []string{`40`, `40{}`, `40{"sid":"id","pid":1}`} { // the last one can't be read
			p.send(answer)
			synctest.Wait()
			d.want(t, "socket.io: the server's CONNECT has no sid: it may be a server of Socket.IO 2")
			if c.Active() || c.Transport() != "" {
				t.Errorf("%s: active %t, connected by %q", answer, c.Active(), c.Transport())
			}
			if got := strings.Count(p.log.String(), `level=WARN msg="socket.io: namespace not joined" namespace=/ error=`); got != i+1 {
				t.Errorf("%s: %d lines about %d refusals: %s", answer, got, i+1, p.log)
			}
			c.Connect()
			synctest.Wait()
		}
	})
}

// A namespace that was left before the server has answered is none of its concerns, until
// it is wanted again.
func TestClientLeftUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		var answer atomic.Bool
		answer.Store(true)
		p.onConnect = func() {
			if answer.Load() {
				p.send(`40{"sid":"id"}`)
			}
		}
		c := p.start(&socketio.DialOptions{Reconnection: steady, Limits: socketio.ClientLimits{JoinTimeout: 10 * time.Second}})
		answer.Store(false)
		var d diary
		x := c.Of("/x")
		tellLife(x, &d)
		x.Connect()
		<-time.After(5 * time.Second)
		x.Disconnect()
		<-time.After(15 * time.Second)
		if !c.Connected() {
			t.Error("the other namespace has ended")
		}
		x.Connect()
		<-time.After(5 * time.Second)
		d.want(t)
		if got := fmt.Sprint(p.take()); got != "[40 40/x,]" {
			t.Errorf("the server got %s", got)
		}
		answer.Store(true)
		<-time.After(7 * time.Second)
		d.want(t, "failed", "attempt 1", "reconnect 1")
		x.Disconnect()
		p.send(`40/x,{"sid":"late"}`)
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != "[40 40/x, 41/x,]" {
			t.Errorf("the server got %s", got)
		}
	})
}

// The refusal of a namespace that was left meanwhile is told to nobody.
func TestClientLeftRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		c := p.start(nil)
		p.onConnect = func() {}
		x := c.Of("/x")
		tellLife(x, &d)
		x.Connect()
		synctest.Wait()
		x.Disconnect()
		p.send(`44/x,{"message":"no"}`)
		synctest.Wait()
		d.want(t)
		if strings.Contains(p.log.String(), "namespace not joined") {
			t.Errorf("the log is %s", p.log)
		}
	})
}

// Packets for namespaces that nobody has joined leave nothing behind.
func TestClientManyNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(nil)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 100_000 {
			p.send(fmt.Sprintf(`40/%d,{"sid":"x"}`, i))
		}
		synctest.Wait()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if took := int64(after.HeapInuse) - int64(before.HeapInuse); took > 4<<20 {
			t.Errorf("%d bytes of memory", took)
		}
		if !c.Connected() {
			t.Error("not connected")
		}
	})
}

// Handlers that have too much to do hold the server back, across sessions, each of which is
// given up in time.
func TestClientSlowHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		gate := make(chan struct{})
		var handled atomic.Int32
		c := p.start(&socketio.DialOptions{Reconnection: steady, Limits: socketio.ClientLimits{HandlerQueueBytes: 4000}, Setup: func(c *socketio.Client) {
			c.OnEvent("e", func(*socketio.Event) error {
				<-gate
				handled.Add(1)
				return nil
			})
		}})
		for range 3 {
			for range 100 {
				go p.send(`42["e"]`)
			}
			<-time.After(3 * time.Minute) // the session is given up after two
		}
		close(gate)
		<-time.After(time.Minute)
		if n := handled.Load(); n < 10 || n > 20 {
			t.Errorf("%d events were handled, want about those that fit", n)
		}
		if !c.Connected() || strings.Count(p.log.String(), "HandlerQueueBytes") < 3 {
			t.Errorf("connected %t, the log is %s", c.Connected(), p.log)
		}
	})
}

// A session is given up in time also if handlers were busy already in one that the client has left.
func TestClientSlowHandlersAfterDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		gate := make(chan struct{})
		c := p.start(&socketio.DialOptions{Reconnection: steady, Limits: socketio.ClientLimits{HandlerQueueBytes: 1}, Setup: func(c *socketio.Client) {
			c.OnEvent("e", func(*socketio.Event) error { <-gate; return nil })
		}})
		defer close(gate)
		p.send(`42["e"]`)
		<-time.After(time.Minute)
		c.Disconnect()
		<-time.After(time.Minute)
		c.Connect()
		synctest.Wait()
		p.send(`42["e"]`)
		<-time.After(3 * time.Minute)
		if !strings.Contains(p.log.String(), "HandlerQueueBytes") {
			t.Errorf("the log is %s", p.log)
		}
	})
}
