package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// Node's server sends the events that a client has missed before it consents, and what a
// middleware emits.
func TestClientEarlyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		answer := `40{"sid":"id","pid":"p"}`
		p.onConnect = func() {
			p.send(`42["e",1,"o1"]`)
			p.send(`452-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},"o2"]`, []byte("a"), []byte("b"))
			p.send(answer)
		}
		c := p.start(&socketio.DialOptions{Reconnection: steady, Setup: func(c *socketio.Client) {
			tellLife(c, &d)
			c.OnEvent("e", func(e *socketio.Event) error {
				if !c.Connected() || c.ID() != "id" {
					t.Errorf("a handler runs before the consent, id %q", c.ID())
				}
				var v any
				err := e.Decode(0, &v)
				d.add("%v", v)
				return err
			})
		}})
		synctest.Wait()
		d.want(t, "1", "[97]", "connect recovered=false")

		// The offset is that of the last one, and of no event that was not handled.
		again := func(want string) {
			t.Helper()
			p.take()
			p.conn.CloseNow()
			<-time.After(2 * time.Second)
			if got := fmt.Sprint(p.take()); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		again(`[40{"pid":"p","offset":"o2"}]`)
		d.want(t, "disconnect: transport close", "attempt 1", "reconnect 1", "1", "[97]", "connect recovered=true")
		p.onConnect = func() { p.send(`42["e",3,"o3"]`) }
		again(`[40{"pid":"p","offset":"o2"}]`)
		p.onConnect = func() { p.send(`42["e",4,"o4"]`); p.send(answer) }
		again(`[40{"pid":"p","offset":"o2"}]`)
		d.want(t, "disconnect: transport close", "attempt 1", "reconnect 1",
			"failed", "attempt 1", "reconnect 1", "4", "connect recovered=true")

		// Events of a namespace that is refused are dropped.
		p.onConnect = func() { p.send(`42["e",5,"o5"]`); p.send(`44{"message":"no"}`) }
		again(`[40{"pid":"p","offset":"o4"}]`)
		d.want(t, "disconnect: transport close", "attempt 1", "reconnect 1", "refused: no ")
		if c.Active() {
			t.Error("it goes on")
		}
	})
}

// What a server sends before its consent is bounded: more goes to the handlers, which hold the
// session back.
func TestClientEarlyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		const events = 1000
		p := newPuppet(t)
		p.onConnect = func() {
			for i := range events {
				p.send(fmt.Sprintf(`42["e",%d,%q]`, i, strings.Repeat("x", 1000)))
			}
			p.send(`40{"sid":"id"}`)
		}
		before := 0 // events that were handled before the consent
		var want []string
		p.start(&socketio.DialOptions{Limits: socketio.ClientLimits{HandlerQueueBytes: 100_000}, Setup: func(c *socketio.Client) {
			c.OnConnect(func() { d.add("connect") })
			socketio.On(c, "e", func(_ context.Context, i int) error {
				<-time.After(time.Millisecond)
				if !c.Connected() {
					before++
				}
				d.add("%d", i)
				return nil
			})
		}})
		for i := range events {
			want = append(want, fmt.Sprint(i))
		}
		<-time.After(10 * time.Second)
		d.want(t, append(want, "connect")...)
		if before < events-200 {
			t.Errorf("%d events waited for the consent, some 100 fit the limit", events-before)
		}
	})
}

// An event that is too large to wait for the server's consent is handled before it, and can't be
// answered then: to the server the client is not there yet.
func TestClientEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		p.onConnect = func() { p.send(fmt.Sprintf(`421["e",%q]`, strings.Repeat("x", 1000))) }
		var err error
		p.start(&socketio.DialOptions{NoWait: true, Limits: socketio.ClientLimits{HandlerQueueBytes: 1000}, Setup: func(c *socketio.Client) {
			c.OnEvent("e", func(e *socketio.Event) error {
				err = e.Ack("answer")
				return nil
			})
		}})
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != "[40]" || !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("before the consent the server got %s, the handler %v", got, err)
		}
		p.send(`40{"sid":"id"}`)
		p.send(`422["e"]`)
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != `[432["answer"]]` || err != nil {
			t.Errorf("after the consent the server got %s, the handler %v", got, err)
		}
	})
}

// An acknowledgement that comes before the server's consent is no event.
func TestClientEarlyAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		p.onConnect = func() { p.send(`431["e"]`); p.send(`42["f"]`); p.send(`40{"sid":"id"}`) }
		p.start(&socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.OnAny(func(e *socketio.Event) { d.add("%s", e.Name()) })
		}})
		synctest.Wait()
		d.want(t, "f")
	})
}

// An event or a refusal that comes while AuthFunc runs is one of a time before: the server was not
// asked.
func TestClientHearsBeforeAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		busy := make(chan struct{})
		c := p.start(&socketio.DialOptions{AuthFunc: func(_ context.Context, namespace string) (any, error) {
			if namespace == "/x" {
				<-busy
			}
			return nil, nil
		}})
		x := c.Of("/x")
		tellLife(x, &d)
		x.OnEvent("e", func(*socketio.Event) error { d.add("handled"); return nil })
		x.Connect()
		synctest.Wait()
		p.send(`42/x,["e"]`)
		p.send(`44/x,{"message":"no"}`)
		synctest.Wait()
		close(busy)
		synctest.Wait()
		d.want(t, "connect recovered=false")
		if !x.Connected() {
			t.Error("not connected")
		}
	})
}
